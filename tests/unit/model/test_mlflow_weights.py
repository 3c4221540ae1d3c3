"""Weights named by an MLflow uri: fetched from the configured store, and tied to the run that trained them."""

import hashlib
from pathlib import Path

import pytest
from mlflow import MlflowClient

from evalharness.errors import WeightsError
from evalharness.model import resolve_weights


class Store:
    """A SQLite store with one experiment."""

    def __init__(self, folder: Path) -> None:
        self.uri = f"sqlite:///{folder / 'mlflow.db'}"
        self.client = MlflowClient(self.uri)
        self.experiment = self.client.create_experiment("training", (folder / "artifacts").as_uri())
        self.scratch = folder / "scratch"

    def run(self, **artifacts: Path) -> str:
        """A run with files at artifact paths; `__` stands for a slash."""
        run_id = self.client.create_run(self.experiment).info.run_id
        for path, source in artifacts.items():
            *parents, name = path.split("__")
            copy = self.scratch / run_id / f"{name}.h5"
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
            self.client.log_artifact(run_id, str(copy), "/".join(parents) or None)
        return run_id

    def register(self, name: str, source: str, run_id: str) -> str:
        if not self.client.search_registered_models(f"name='{name}'"):
            self.client.create_registered_model(name)
        return self.client.create_model_version(name, source, run_id).version


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def resolve(store, tmp_path):
    return lambda uri: resolve_weights(uri, tracking_uri=store.uri, cache_dir=tmp_path / "cache" / "weights")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_of_a_run(store, resolve, saved, loader, expected):
    import numpy as np
    from tiny_models import images

    run_id = store.run(model=saved["h5"])
    source = resolve(f"runs:/{run_id}/model.h5")
    assert (source.uri, source.source_run_id, source.file_format) == (f"runs:/{run_id}/model.h5", run_id, "h5")
    assert source.sha256 == digest(source.path) == digest(saved["h5"])
    np.testing.assert_allclose(loader.load(source.path).predict_probs(images()), expected, atol=1e-6)


def test_a_folder_with_one_file(store, resolve, saved):
    run_id = store.run(best__weights=saved["keras"])
    source = resolve(f"runs:/{run_id}/best")
    assert (source.path.name, source.file_format, source.source_run_id) == ("weights.h5", "keras", run_id)
    assert digest(source.path) == digest(saved["keras"])


def test_a_folder_with_two_files(store, resolve, saved):
    run_id = store.run(best__first=saved["h5"], best__deeper__second=saved["h5"])
    with pytest.raises(WeightsError) as caught:
        resolve(f"runs:/{run_id}/best")
    assert str(caught.value) == (
        "MLflow artifact is a folder: expected one weights file in it, got deeper/second.h5, first.h5 "
        f"(runs:/{run_id}/best). Append the file's path to the uri."
    )


def test_a_folder_without_weights(store, resolve, tmp_path):
    run_id = store.run()
    (tmp_path / "notes.txt").write_text("nothing")
    store.client.log_artifact(run_id, str(tmp_path / "notes.txt"), "best")
    with pytest.raises(WeightsError, match="expected one weights file in it, got none"):
        resolve(f"runs:/{run_id}/best")


def test_two_runs_that_call_their_files_alike(store, resolve, saved):
    """What the first uri gave is still there after the second was fetched."""
    first, second = store.run(best__model=saved["h5"]), store.run(best__model=saved["keras"])
    sources = [resolve(f"runs:/{run_id}/best/model.h5") for run_id in (first, second)]
    assert [digest(source.path) for source in sources] == [source.sha256 for source in sources]
    assert sources[0].sha256 != sources[1].sha256
    assert [source.file_format for source in sources] == ["h5", "keras"]


def test_folders_of_two_runs_are_not_merged(store, resolve, saved):
    first, second = store.run(best__early=saved["h5"]), store.run(best__late=saved["h5"])
    assert resolve(f"runs:/{first}/best").path.name == "early.h5"
    assert resolve(f"runs:/{second}/best").path.name == "late.h5"


def test_fetching_leaves_one_copy(store, resolve, saved, tmp_path):
    run_id = store.run(model=saved["h5"])
    paths = {resolve(f"runs:/{run_id}/model.h5").path for _ in range(2)}
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == list(paths)


@pytest.mark.parametrize("uri", ["runs:/0123456789abcdef0123456789abcdef/model.h5", "models:/unheard/1"])
def test_what_the_store_does_not_know(uri, resolve):
    with pytest.raises(WeightsError) as caught:
        resolve(uri)
    message = str(caught.value)
    assert message.startswith(f"weights cannot be fetched from MLflow: got {uri}")
    assert "tracking.uri" in message
    assert "\n" not in message


def test_a_file_that_the_run_does_not_have(store, resolve, saved):
    run_id = store.run(model=saved["h5"])
    with pytest.raises(WeightsError, match=f"weights cannot be fetched from MLflow: got runs:/{run_id}/other.h5"):
        resolve(f"runs:/{run_id}/other.h5")


def test_an_artifact_that_is_not_weights(store, resolve, tmp_path):
    (tmp_path / "page").write_text("<html></html>")
    run_id = store.run(model=tmp_path / "page")
    with pytest.raises(WeightsError, match=r"weights file cannot be read: .* got a web page"):
        resolve(f"runs:/{run_id}/model.h5")


@pytest.fixture(scope="module")
def registered(store, saved):
    """Two versions of a registered model, whose sources are artifact folders of two runs."""
    runs = [store.run(export__model=saved["h5"]), store.run(export__model=saved["keras"])]
    for run_id in runs:
        store.register("flowers", f"{store.client.get_run(run_id).info.artifact_uri}/export", run_id)
    store.client.set_registered_model_alias("flowers", "best", "1")
    return runs


@pytest.mark.parametrize(
    ("uri", "run", "file_format"),
    [
        ("models:/flowers/1", 0, "h5"),
        ("models:/flowers/2", 1, "keras"),
        ("models:/flowers@best", 0, "h5"),
        ("models:/flowers/latest", 1, "keras"),
        ("models:/flowers/1/model.h5", 0, "h5"),
    ],
)
def test_a_registered_model(uri, run, file_format, registered, resolve):
    source = resolve(uri)
    assert (source.source_run_id, source.file_format, source.path.name) == (registered[run], file_format, "model.h5")


def test_a_version_without_a_run(store, resolve, registered):
    folder = store.client.get_run(registered[0]).info.artifact_uri
    store.register("imported", f"{folder}/export", None)
    assert resolve("models:/imported/1").source_run_id is None


def test_a_logged_model(store, resolve, saved, tmp_path):
    run_id = store.run()
    model = store.client.create_logged_model(store.experiment, name="vit", source_run_id=run_id)
    (tmp_path / "vit.h5").write_bytes(saved["h5"].read_bytes())
    store.client.log_model_artifact(model.model_id, str(tmp_path / "vit.h5"))
    for uri in (f"models:/{model.model_id}", f"models:/{model.model_id}/vit.h5"):
        source = resolve(uri)
        assert (source.path.name, source.source_run_id) == ("vit.h5", run_id)


def test_only_the_configured_store_is_asked(resolve, registered):
    """MLflow would make a store of its own in the working directory."""
    resolve("models:/flowers/1")
    with pytest.raises(WeightsError, match="Model 'flowers' has no version 'Production'"):
        resolve("models:/flowers/Production")
    assert not list(Path.cwd().iterdir())
