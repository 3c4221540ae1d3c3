import json

import pytest

from evalharness.errors import ResultsError
from evalharness.tracking.finished_evaluation import FinishedEvaluation
from evalharness.tracking.run_fields import MAX_TAG, metrics_of, params_of, tags_of


@pytest.fixture
def changed(results):
    """A finished evaluation with a changed manifest."""

    def change(edit=lambda manifest: None, **values):
        folder = results(**values)
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        edit(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        return FinishedEvaluation.read(folder)

    return change


def test_params_of_a_usual_run_fit_beside_an_image(changed):
    params = params_of(changed(weights="keras/run1.h5"))
    assert params == {
        "model.weights": "run1.h5",
        "model.backbone": "vit_b16",
        "model.preprocessing": "raw",
        "attention.maps": "grad_attention, rollout",
    }


def test_unusual_settings_are_params(changed):
    def edit(manifest):
        manifest["config"]["dataset"]["resize"] = "crop"
        manifest["config"]["limit"] = 50
        manifest["config"]["model"]["precision"] = "bfloat16"

    params = params_of(changed(edit))
    assert (params["dataset.resize"], params["limit"], params["model.precision"]) == ("crop", "50", "bfloat16")
    assert "seed" not in params


def test_the_name_of_weights_is_taken_from_windows_paths_and_uris(changed):
    for name, uri in enumerate(["C:\\weights\\run1.h5", "runs:/abc/model/run1.h5"]):
        evaluation = changed(
            lambda manifest, uri=uri: manifest["provenance"]["weights"].update(uri=uri), name=str(name)
        )
        assert evaluation.weights_name == "run1.h5"
        assert tags_of(evaluation)["weights_uri"] == uri


def test_undefined_metrics_are_named_and_not_logged(changed):
    evaluation = changed(undefined=("roc_auc", "ece"))
    metrics = metrics_of(evaluation)
    assert "roc_auc" not in metrics
    assert "Headline/ece" not in metrics
    assert "Headline/ece_ci_low" not in metrics
    assert tags_of(evaluation)["undefined_metrics"] == "ece, roc_auc"


def test_headline_comes_with_its_interval_and_keeps_its_plain_name(changed):
    evaluation = changed()
    metrics, manifest = metrics_of(evaluation), evaluation.manifest
    assert metrics["accuracy"] == metrics["Headline/accuracy"] == manifest["metrics"]["accuracy"]
    assert [metrics["Headline/accuracy_ci_low"], metrics["Headline/accuracy_ci_high"]] == (
        manifest["intervals"]["accuracy"]
    )
    # So that no section of charts comes before it.
    assert min(name for name in metrics if "/" in name).startswith("Headline/")
    assert len(metrics) <= 40


def test_counts_are_metrics_only_where_something_was_counted(changed):
    def edit(manifest):
        manifest["metrics"]["attention/rollout/num_undefined"] = 3.0

    metrics = metrics_of(changed(edit))
    assert metrics["attention/rollout/num_undefined"] == 3
    assert "attention/grad_attention/num_undefined" not in metrics


def test_a_metric_of_zero_is_logged(changed):
    metrics = metrics_of(changed(lambda manifest: manifest["metrics"].update(ece=0.0)))
    assert metrics["ece"] == 0


def test_skipped_rows_and_warnings_are_tags(changed):
    def edit(manifest):
        manifest.update(num_skipped=2, warnings=["one\nline", "x" * 2 * MAX_TAG])

    tags = tags_of(changed(edit))
    assert tags["num_skipped"] == "2"
    assert tags["warnings"].startswith("one line | xxx")
    assert len(tags["warnings"]) == MAX_TAG
    assert "source_run_id" not in tags


def test_class_names_stay_readable(changed):
    assert tags_of(changed(classes=("デイジー", "バラ")))["classes"] == '["デイジー", "バラ"]'


def test_an_unfinished_folder_is_refused(tmp_path):
    with pytest.raises(ResultsError, match=r"expected a folder with manifest\.json"):
        FinishedEvaluation.read(tmp_path)
