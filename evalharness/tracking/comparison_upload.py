"""Logs a finished comparison as a run of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.slugs import slug
from evalharness.tracking.description import escaped
from evalharness.tracking.find_results import KIND_TAG
from evalharness.tracking.links import compare_link
from evalharness.tracking.output_upload import NOTE_TAG, log_files, log_values, name_run, uploading
from evalharness.tracking.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOGGED_METRICS = ("accuracy", "macro_f1", "ece")


def upload_comparison(store: Store, run_id: str, folder: Path, manifest: Mapping[str, Any]) -> None:
    """Logs a finished comparison to a run.

    Args:
        store: Where the run is.
        run_id: A run made by `start_run`.
        folder: Of the comparison.
        manifest: Of the comparison.

    Raises:
        TrackingError: The store failed; the folder is complete.
    """

    def target(path: Path) -> str:
        below = path.relative_to(folder).parent.as_posix()
        return below if below.startswith("figures") else f"comparison/{below}".removesuffix("/.")

    with uploading(store, "comparison", folder) as client:
        _log_fields(client, store, run_id, folder, manifest)
        log_files(client, run_id, folder, target)


def _log_fields(client: "MlflowClient", store: Store, run_id: str, folder: Path, manifest: Mapping[str, Any]) -> None:
    metrics: dict[str, float] = {}
    for pair in manifest["pairs"]:
        prefix = f"comparison/{slug(pair['name'])}"
        metrics |= {
            f"{prefix}/{name}_difference": pair["metrics"][name]["difference"]["value"] for name in LOGGED_METRICS
        }
        metrics |= {f"{prefix}/p_holm": pair["p_holm"], f"{prefix}/num_broken": pair["num_broken"]}
        metrics |= {f"{prefix}/num_fixed": pair["num_fixed"]}
    tags = {
        KIND_TAG: "comparison",
        "comparison_folder": str(folder),
        "sentence": manifest["sentence"],
        "reference": manifest["reference"],
        **{f"compared_run.{number}": name_run(run) for number, run in enumerate(manifest["runs"], start=1)},
        **{f"outcome.{number}": pair["outcome"] for number, pair in enumerate(manifest["pairs"], start=2)},
        NOTE_TAG: _describe(store, run_id, manifest),
    }
    log_values(client, run_id, metrics, tags)


def _describe(store: Store, run_id: str, manifest: Mapping[str, Any]) -> str:
    lines = [f"**{escaped(sentence)}**\n" for sentence in manifest["verdicts"]]
    lines += [f"{escaped(sentence)}\n" for sentence in manifest["remarks"]]
    run_ids = [run["run_id"] for run in manifest["runs"] if run["run_id"]]
    if run_ids:
        # The UI shows its pages behind the fragment, whatever the server's address is.
        lines += [f"[The compared runs side by side]({compare_link(store, run_ids).removeprefix('/')})\n"]
    lines += [f"- {escaped(run['name'])}: `{name_run(run)}`" for run in manifest["runs"]]
    pictures = [f"![{name}](get-artifact?path=figures%2F{name}&run_uuid={run_id})" for name in ("differences.png",)]
    return "\n".join([*lines, "", *pictures])
