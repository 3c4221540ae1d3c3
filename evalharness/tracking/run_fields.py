"""The params, tags and metrics of a run: what a person filters, sorts and compares by."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from evalharness.config import DatasetConfig, ModelConfig, RunConfig, preprocessing_text
from evalharness.tracking.client import one_line, shown_uri
from evalharness.tracking.finished_evaluation import SHORT_DIGEST, FinishedEvaluation

MAX_PARAM, MAX_TAG = 6000, 8000
FIRST_SECTION = "Headline"
WITH_INTERVAL = ("accuracy", "macro_f1", "ece")
"""Metrics whose interval is logged as scalars; every interval is in the description and in the results."""
UNUSUAL_KEYS = (
    "model.precision",
    "model.output",
    "dataset.resize",
    "dataset.resize_size",
    "dataset.filter",
    "dataset.exif",
    "dataset.on_error",
    "limit",
    "seed",
)


def params_of(evaluation: FinishedEvaluation) -> dict[str, str]:
    """What a person compares runs by; `tags_of` and the results folder have the rest.

    Few and short, because MLflow prints all of them over every image: a long list pushes the image out of its card and,
    enlarged, the runs below each other.
    """
    recipe = evaluation.recipe
    values: dict[str, Any] = {
        "model.weights": evaluation.weights_name,
        "model.backbone": recipe["model"]["builder"] or recipe["model"]["backbone"],
        "model.preprocessing": preprocessing_text(recipe["input"]["preprocessing"]),
        "attention.maps": ", ".join(evaluation.map_ids) or "none",
        **_unusual(evaluation.config),
    }
    return {key: one_line(_text(value), MAX_PARAM) for key, value in values.items()}


def tags_of(evaluation: FinishedEvaluation) -> dict[str, str]:
    """What identifies a run exactly, for filters and for a reader; every detail is in the results folder."""
    manifest, recipe, provenance = evaluation.manifest, evaluation.recipe, evaluation.provenance
    undefined = sorted(set(manifest["metrics"]) - set(_defined(manifest["metrics"])))
    values: dict[str, Any] = {
        "weights": evaluation.weights_name,
        "weights_uri": shown_uri(provenance["weights"]["uri"]),
        "weights_sha256": evaluation.weights_sha256[:SHORT_DIGEST],
        "backbone_sha256": provenance["model"]["backbone_sha256"][:SHORT_DIGEST],
        "head": [_layer(layer) for layer in recipe["model"]["head"]],
        "classes": recipe["model"]["classes"],
        "dataset": evaluation.dataset_name,
        "dataset_digest": evaluation.dataset_digest,
        "dataset_csv": provenance["dataset"]["csv"],
        "input": recipe["input"],
        "num_evaluated": manifest["num_evaluated"],
        "num_skipped": manifest["num_skipped"],
        **{f"map.{map_id}": _map_options(spec) for map_id, spec in recipe["maps"].items()},
        "fingerprint": manifest["fingerprint"],
        "device": provenance["device"],
        "package_version": manifest["package_version"],
        "mlflow.source.git.commit": manifest["git_commit"],
        "source_run_id": provenance["weights"]["source_run_id"],
        "results_folder": evaluation.folder,
        "undefined_metrics": ", ".join(undefined),
        "warnings": " | ".join(manifest["warnings"]),
    }
    return {key: one_line(_text(value), MAX_TAG) for key, value in values.items() if value not in (None, "", [])}


def metrics_of(evaluation: FinishedEvaluation) -> dict[str, float]:
    """Every scalar that is defined, and the intervals of the numbers that matter most: each is a chart.

    Charts are grouped by prefix in the order of ASCII, and those without a prefix come last, below all images; so the
    numbers that matter are repeated under a prefix that comes first.
    """
    manifest = evaluation.manifest
    metrics = {name: value for name, value in _defined(manifest["metrics"]).items() if value or not _is_count(name)}
    for name in WITH_INTERVAL:
        low, high = manifest["intervals"].get(name, (None, None))
        metrics |= _defined(
            {
                f"{FIRST_SECTION}/{name}": manifest["metrics"].get(name),
                f"{FIRST_SECTION}/{name}_ci_low": low,
                f"{FIRST_SECTION}/{name}_ci_high": high,
            }
        )
    return metrics


def _is_count(name: str) -> bool:
    """Whether a zero is the rule, and a chart of zeros tells nothing."""
    return name.rsplit("/", 1)[-1].startswith("num_")


def _unusual(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that most runs leave alone, where this one does not."""
    sections: Mapping[str, type[BaseModel]] = {"": RunConfig, "model": ModelConfig, "dataset": DatasetConfig}
    found = {}
    for key in UNUSUAL_KEYS:
        section, _, name = key.rpartition(".")
        value = (config[section] if section else config)[name]
        if value != sections[section].model_fields[name].default:
            found[key] = value
    return found


def _defined(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if value is not None and math.isfinite(value)}


def _layer(layer: Mapping[str, Any]) -> str:
    kind = str(layer["layer"])
    details = {
        "dense": (layer["units"], layer["activation"]),
        "activation": (layer["activation"],),
    }.get(kind, ())
    shown = ", ".join(str(value) for value in details if value is not None)
    return f"{kind}({shown})" if shown else kind


def _map_options(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"method": spec["method"], "target": spec["target"], **spec["options"], "version": spec["version"]}


def _text(value: Any) -> str:
    is_nested = isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str))
    return json.dumps(value, ensure_ascii=False) if is_nested else str(value)
