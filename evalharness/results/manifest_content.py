"""Puts the manifest together, and names the folder that it completes."""

import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from evalharness import __version__
from evalharness.config import RunConfig
from evalharness.manifest import SCHEMA_VERSION
from evalharness.records import Dataset, Evaluation, FloatArray, WeightsSource
from evalharness.results.failed_rows import KeptRows
from evalharness.results.model_properties import ModelProperties
from evalharness.results.recipe import fingerprint
from evalharness.slugs import ascii_slug, slug

MAX_COMPLETENESS_ERROR = 0.01
"""Of the score, or of one logit where the score is smaller: above it a map that should add up does not."""


def default_folder(runs_dir: Path, run_name: str, digest: str) -> Path:
    """`runs_dir`/results/<run>-<recipe>: one folder a recipe, so that equal recipes meet and others never do.

    One that has the name in ASCII, as earlier versions wrote it, is used where it is there.
    """
    name = run_name.replace(" ", "-")
    folder, earlier = (runs_dir / "results" / f"{written}-{digest[:10]}" for written in (slug(name), ascii_slug(name)))
    return earlier if earlier.is_dir() and not folder.is_dir() else folder


def build_manifest(
    *,
    name: str,
    config: RunConfig,
    request: str,
    recipe: Mapping[str, Any],
    dataset: Dataset,
    weights: WeightsSource,
    model: ModelProperties,
    evaluation: Evaluation,
    kept: KeptRows,
    measures: Mapping[str, float],
    findings: Mapping[str, Any],
    sentences: Sequence[tuple[str, str]],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """Everything about an evaluation that is not a row of a table.

    Args:
        name: The run's name.
        config: As composed.
        request: Of `request_of`.
        recipe: What the numbers depend on.
        dataset: The rows and the files they came from.
        weights: The file.
        model: Its sizes and digests.
        evaluation: The metrics.
        kept: Which rows count.
        measures: Scalars besides the headline, by MLflow name.
        findings: Of the stages behind prediction, as plain values.
        sentences: A title and what a stage found, of each that found something.
        warnings: What the user was warned of.

    Returns:
        Plain nested values; NaN where a number is not defined.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "task": "single_label",
        "name": name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "package_version": __version__,
        "git_commit": git_commit(),
        "fingerprint": fingerprint(recipe),
        "recipe": dict(recipe),
        "provenance": {
            "dataset": {
                "name": dataset.name,
                "csv": str(dataset.csv),
                "csv_sha256": dataset.csv_sha256,
                "root": str(dataset.root),
                "num_excluded": dataset.num_excluded,
                "num_rotated": dataset.num_rotated,
            },
            "weights": {
                "uri": weights.uri,
                "path": str(weights.path),
                "format": weights.file_format,
                "source_run_id": weights.source_run_id,
            },
            "model": {key: value for key, value in model.plain.items() if key != "device"},
            "device": model.device,
        },
        "config": config.model_dump(mode="json"),
        "request": request,
        "classes": list(recipe["model"]["classes"]),
        "averaged_classes": list(evaluation.averaged_classes),
        "classes_with_rows": list(evaluation.classes_with_rows),
        "num_rows": len(kept.evaluated) + len(kept.skipped),
        "num_evaluated": len(kept.evaluated),
        "num_skipped": len(kept.skipped),
        "metrics": {**{key: interval.value for key, interval in evaluation.headline.items()}, **measures},
        "intervals": {key: [interval.ci_low, interval.ci_high] for key, interval in evaluation.headline.items()},
        "num_undefined_resamples": {key: interval.num_undefined for key, interval in evaluation.headline.items()},
        "calibration_bins": [list(row) for row in evaluation.calibration_bins],
        "findings": dict(findings),
        "sentences": [{"title": title, "text": text} for title, text in sentences],
        "warnings": list(warnings),
    }


def request_of(
    config: RunConfig, sections: Sequence[str], digests: Mapping[str, str | None], versions: Mapping[str, int]
) -> str:
    """SHA-256 of the settings that shape results without entering the recipe: what is examined and what is drawn.

    Args:
        config: Of the run.
        sections: Of the config: those that do so.
        digests: Of the files that are read for it, by what they are; None where there are none.
        versions: Of the methods that examine, by stage.
    """
    dumped = config.model_dump(mode="json")
    return fingerprint({**{name: dumped[name] for name in sections}, **digests, "versions": dict(versions)})


def map_measures(maps: Mapping[str, FloatArray]) -> dict[str, float]:
    """Number of images whose map is not defined (its sum was zero or not finite), by metric name."""
    return {
        f"attention/{map_id}/num_undefined": float(np.isnan(np.asarray(values[:, 0, 0], np.float32)).sum())
        for map_id, values in maps.items()
    }


def completeness_measures(errors: Mapping[str, FloatArray]) -> dict[str, float]:
    """Median and largest completeness error of the images, by metric name."""
    measures = {}
    for map_id, values in errors.items():
        measures[f"attention/{map_id}/completeness_error_median"] = float(np.median(values))
        measures[f"attention/{map_id}/completeness_error_max"] = float(np.max(values))
    return measures


def completeness_warnings(errors: Mapping[str, FloatArray]) -> list[str]:
    """A sentence for each map whose values do not add up to the score in some images."""
    counts = {map_id: int((~(values <= MAX_COMPLETENESS_ERROR)).sum()) for map_id, values in errors.items()}
    return [
        f"map {map_id} does not add up in {count} of {len(errors[map_id])} images: its values and the constant "
        f"miss the score by more than {MAX_COMPLETENESS_ERROR:.0%}; do not rely on it there"
        for map_id, count in counts.items()
        if count
    ]


def speed_measures(durations_s: Mapping[str, float], num_predicted: int) -> dict[str, float]:
    """Seconds per stage and images per second, by metric name."""
    measures = {f"time/{stage}_s": seconds for stage, seconds in durations_s.items()}
    if num_predicted:
        measures["throughput/images_per_s"] = num_predicted / durations_s["predict"]
    return measures


def git_commit() -> str | None:
    """The commit of the working directory's repository, if it is one."""
    try:
        command = ["git", "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
