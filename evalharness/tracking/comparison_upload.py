"""Comparisons in MLflow: finds the results of the runs to compare, and logs what came out as a run of its own."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.errors import TrackingError
from evalharness.slugs import slug
from evalharness.tracking.client import connect, failures_told, http_limits, one_line
from evalharness.tracking.description import escaped
from evalharness.tracking.finished_evaluation import MANIFEST
from evalharness.tracking.links import compare_link
from evalharness.tracking.run_fields import MAX_TAG
from evalharness.tracking.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient

RUN_ID = re.compile(r"[0-9a-f]{32}")
RESULTS = "results"
LOGGED_METRICS = ("accuracy", "macro_f1", "ece")
KIND_TAG = "kind"


def is_run_id(text: str) -> bool:
    """Whether the text has the form of an MLflow run id."""
    return RUN_ID.fullmatch(text) is not None


def fetch_results(store: Store, run_id: str, cache_dir: Path) -> Path:
    """The results folder of a run: the one it was uploaded from if that is still there, else a download.

    Args:
        store: Where the run is.
        run_id: Of the evaluation.
        cache_dir: Downloads go to its folder `run_id`.

    Raises:
        TrackingError: No such run, or a run without results.
    """
    client = connect(store.uri)
    with (
        http_limits(timeout_s=60, max_retries=2),
        failures_told(f"run {run_id} cannot be read", store.uri, "Check the run id, and tracking.uri="),
    ):
        tags = client.get_run(run_id).data.tags
        folder = Path(tags.get("results_folder", ""))
        if "results_folder" in tags and _holds(folder, tags.get("fingerprint", "")):
            return folder
        target = cache_dir / run_id
        if not (target / RESULTS / MANIFEST).is_file() and client.list_artifacts(run_id, RESULTS):
            target.mkdir(parents=True, exist_ok=True)
            client.download_artifacts(run_id, RESULTS, str(target))
    if not (target / RESULTS / MANIFEST).is_file():
        raise TrackingError(
            "run has no results to compare",
            expected=f"an evaluation with the artifact {RESULTS}/{MANIFEST}",
            got=tags.get(KIND_TAG, "none"),
            where=f"run {run_id}",
            fix="Name the run of a finished evaluation, or its results folder",
        )
    return target / RESULTS


def find_run(store: Store, folder: Path) -> str | None:
    """The latest finished run of the store's experiment that was uploaded from this folder, if there is one."""
    client = connect(store.uri)
    where = str(folder.absolute()).replace("'", "\\'")
    with failures_told("runs cannot be searched", store.uri, "Check tracking.uri="):
        found = client.search_runs(
            [store.experiment_id],
            f"tags.results_folder = '{where}'",
            order_by=["attributes.start_time DESC"],
            max_results=1,
        )
    return str(found[0].info.run_id) if found else None


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


def _holds(folder: Path, fingerprint: str) -> bool:
    """Whether the folder still holds the results of that recipe, and not of a later one."""
    path = folder / MANIFEST
    return path.is_file() and f'"fingerprint": "{fingerprint}"' in path.read_text(encoding="utf-8")
