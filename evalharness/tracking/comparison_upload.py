"""Logs a finished comparison as a run of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.slugs import slug
from evalharness.tracking.client import connect, failures_told, http_limits, one_line
from evalharness.tracking.description import escaped
from evalharness.tracking.find_results import KIND_TAG
from evalharness.tracking.links import compare_link
from evalharness.tracking.run_fields import MAX_TAG
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
    client = connect(store.uri)
    fix = f"The comparison is complete in {folder}: repeat the command once the store works"
    with (
        http_limits(timeout_s=60, max_retries=3),
        failures_told("comparison cannot be uploaded to MLflow", store.uri, fix),
    ):
        _log_fields(client, store, run_id, folder, manifest)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            below = path.relative_to(folder).parent.as_posix()
            target = below if below.startswith("figures") else f"comparison/{below}".removesuffix("/.")
            client.log_artifact(run_id, str(path), target)


def _log_fields(client: "MlflowClient", store: Store, run_id: str, folder: Path, manifest: Mapping[str, Any]) -> None:
    from mlflow.entities import Metric, RunTag

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
        **{f"compared_run.{number}": _named(run) for number, run in enumerate(manifest["runs"], start=1)},
        **{f"outcome.{number}": pair["outcome"] for number, pair in enumerate(manifest["pairs"], start=2)},
        "mlflow.note.content": _describe(store, run_id, manifest),
    }
    client.log_batch(
        run_id,
        [Metric(name, float(value), 0, 0) for name, value in metrics.items() if value is not None],
        [],
        [
            RunTag(key, value if key == "mlflow.note.content" else one_line(value, MAX_TAG))
            for key, value in tags.items()
        ],
    )


def _named(run: Mapping[str, Any]) -> str:
    return str(run["run_id"] or run["folder"])


def _describe(store: Store, run_id: str, manifest: Mapping[str, Any]) -> str:
    lines = [f"**{escaped(sentence)}**\n" for sentence in manifest["verdicts"]]
    lines += [f"{escaped(sentence)}\n" for sentence in manifest["remarks"]]
    run_ids = [run["run_id"] for run in manifest["runs"] if run["run_id"]]
    if run_ids:
        # The UI shows its pages behind the fragment, whatever the server's address is.
        lines += [f"[The compared runs side by side]({compare_link(store, run_ids).removeprefix('/')})\n"]
    lines += [f"- {escaped(run['name'])}: `{_named(run)}`" for run in manifest["runs"]]
    pictures = [f"![{name}](get-artifact?path=figures%2F{name}&run_uuid={run_id})" for name in ("differences.png",)]
    return "\n".join([*lines, "", *pictures])
