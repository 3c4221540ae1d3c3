"""Folders of `transformers` in an MLflow store: logged as files, and as MLflow's flavour lays them out."""

import json
import shutil
from pathlib import Path

import pytest
from checkpoint_files import CHECKPOINTS, composed
from mlflow import MlflowClient

from evalharness.model import resolve_weights

FOLDER = CHECKPOINTS / "vit"
PROCESSOR = "preprocessor_config.json"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"


@pytest.fixture(scope="module")
def log(store, tmp_path_factory):
    """Logs a folder under a name, in a run of its own; gives the run's id."""
    client = MlflowClient(store)
    experiment = client.create_experiment("training", tmp_path_factory.mktemp("artifacts").as_uri())

    def log(folder: Path, name: str) -> str:
        run_id = client.create_run(experiment).info.run_id
        client.log_artifacts(run_id, str(folder), name)
        return run_id

    return log


@pytest.fixture
def flavour(tmp_path):
    """As `mlflow.transformers.save_model` lays the same model out, with settings of the image processor."""

    def lay_out(component: str, **settings: object) -> Path:
        folder = tmp_path / component
        processor = json.loads((FOLDER / PROCESSOR).read_text()) | settings
        shutil.copytree(FOLDER, folder / "model", ignore=shutil.ignore_patterns(PROCESSOR))
        (folder / "components" / component).mkdir(parents=True)
        (folder / "components" / component / PROCESSOR).write_text(json.dumps(processor))
        (folder / "MLmodel").write_text("flavors: {}")
        return folder

    return lay_out


def settings_of(uri, store, runs_dir):
    config = composed(uri, f"tracking.uri='{store}'", f"runs_dir='{runs_dir}'", preset="huggingface")
    return config.model.preprocessing, config.dataset.filter


def test_a_folder_that_was_logged_as_files(log, store, tmp_path):
    run_id = log(FOLDER, "checkpoint")
    source = resolve_weights(f"runs:/{run_id}/checkpoint", tracking_uri=store, cache_dir=tmp_path / "cache")
    assert (source.file_format, source.source_run_id) == ("huggingface", run_id)
    assert source.sha256 == resolve_weights(str(FOLDER), tracking_uri="", cache_dir=tmp_path).sha256
    # The run is named after the artifact's own folder.
    assert source.path.name == "checkpoint"
    assert {path.name for path in source.path.iterdir()} == {path.name for path in FOLDER.iterdir()}


@pytest.mark.parametrize("component", ["image_processor", "feature_extractor"])
def test_the_layout_of_the_transformers_flavour(component, flavour, log, store, tmp_path):
    run_id = log(flavour(component), "flowers")
    expected = composed(FOLDER)
    found = settings_of(f"runs:/{run_id}/flowers", store, tmp_path / "runs")
    assert found == (expected.model.preprocessing, expected.dataset.filter)


def test_two_trainings_of_one_model_keep_their_own_image_processor(flavour, log, store, tmp_path):
    """Weights and config are the same, and one cache holds both."""
    first = log(flavour("image_processor"), "flowers")
    mean = {"image_mean": [0.1, 0.2, 0.3], "resample": 0}
    second = log(flavour("feature_extractor", **mean), "flowers")
    uris = [f"runs:/{run_id}/flowers" for run_id in (first, second, first)]
    found = [settings_of(uri, store, tmp_path / "runs") for uri in uris]
    assert found[0] == found[2]
    assert found[1][0].mean == (0.1, 0.2, 0.3)
    assert found[1][1] == "nearest" != found[0][1]


def test_fetching_again_leaves_one_copy(log, store, tmp_path):
    run_id = log(FOLDER, "checkpoint")
    paths = {
        resolve_weights(f"runs:/{run_id}/checkpoint", tracking_uri=store, cache_dir=tmp_path / "cache").path
        for _ in range(2)
    }
    assert [path.parent for path in (tmp_path / "cache").rglob("config.json")] == list(paths)
