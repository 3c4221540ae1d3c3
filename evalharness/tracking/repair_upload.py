"""Logs a finished repair as a run of its own: linked to the run that it repairs, with the repaired weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.slugs import slug
from evalharness.tracking.description import escaped
from evalharness.tracking.find_results import KIND_TAG
from evalharness.tracking.links import run_link
from evalharness.tracking.logged_model import find_or_create_weights
from evalharness.tracking.output_upload import NOTE_TAG, log_files, log_values, name_run, uploading
from evalharness.tracking.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient

FIGURES = "figures"


def upload_repair(store: Store, run_id: str, folder: Path, manifest: Mapping[str, Any]) -> None:
    """Logs a finished repair to a run.

    Args:
        store: Where the run is.
        run_id: A run made by `start_run`.
        folder: Of the repair.
        manifest: Of the repair.

    Raises:
        TrackingError: The store failed; the folder is complete.
    """
    with uploading(store, "repair", folder) as client:
        _log_models(client, store, run_id, manifest)
        _log_fields(client, store, run_id, folder, manifest)
        log_files(client, run_id, folder, lambda path: FIGURES if path.parent.name == FIGURES else "repair")


def _log_models(client: "MlflowClient", store: Store, run_id: str, manifest: Mapping[str, Any]) -> None:
    """The weights before as the run's input, the repaired ones as its output; an evaluation of them finds them."""
    from mlflow.entities import LoggedModelInput, LoggedModelOutput

    run, weights = manifest["run"], manifest["weights"]
    backbone = {"backbone_sha256": weights["backbone_sha256"]}
    before = find_or_create_weights(
        client, store, sha256=run["weights_sha256"], name=run["name"], tags=backbone, backbone=weights["backbone"]
    )
    after = find_or_create_weights(
        client, store, sha256=weights["sha256"], name=f"{run['name']} repaired", backbone=weights["backbone"],
        tags={**backbone, "repaired_from": run["weights_sha256"], "repair_run": run_id},
    )  # fmt: skip
    if before is not None and after is not None:
        client.log_inputs(run_id, models=[LoggedModelInput(model_id=before)])
        client.log_outputs(run_id, models=[LoggedModelOutput(model_id=after, step=0)])


def _log_fields(client: "MlflowClient", store: Store, run_id: str, folder: Path, manifest: Mapping[str, Any]) -> None:
    metrics: dict[str, float | None] = {}
    for entry in manifest["accuracies"]:
        for when in ("before", "after"):
            metrics[f"repair/{slug(entry['name'])}/accuracy_{when}"] = entry[when]["value"]
    for entry in manifest["pulls"]:
        if entry["is_harmful"]:
            for when in ("before", "after"):
                name = f"repair/{slug(entry['category'])}/pull_to_{slug(entry['class_name'])}_{when}"
                metrics[name] = entry[when]["value"]
    tags = {
        KIND_TAG: "repair",
        "repair_folder": str(folder),
        "outcome": manifest["outcome"],
        "sentence": manifest["sentence"],
        "repaired_run": name_run(manifest["run"]),
        "weights_sha256": manifest["weights"]["sha256"],
        NOTE_TAG: _describe(store, run_id, manifest),
    }
    log_values(client, run_id, metrics, tags)
    if manifest["run"]["run_id"]:
        client.set_tag(manifest["run"]["run_id"], "repaired_by", run_id)


def _describe(store: Store, run_id: str, manifest: Mapping[str, Any]) -> str:
    run = manifest["run"]
    lines = [f"**{escaped(manifest['sentence'])}**\n"]
    if run["run_id"]:
        # The UI shows its pages behind the fragment, whatever the server's address is.
        lines += [f"[The repaired run]({run_link(store, run['run_id']).removeprefix('/')})\n"]
    lines += [f"- {escaped(run['name'])}: `{name_run(run)}`"]
    pictures = [
        f"![{name}](get-artifact?path={FIGURES}%2F{name}.png&run_uuid={run_id})" for name in ("pull", "accuracy")
    ]
    return "\n".join([*lines, "", *pictures])
