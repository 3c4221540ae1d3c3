"""What a repair leaves behind: the repaired weights, tables, figures and a report that can be read without the run."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from evalharness import __version__
from evalharness import model as models
from evalharness.errors import ModelError
from evalharness.manifest import MANIFEST, replacing, write_json
from evalharness.model import LastLayers
from evalharness.records import VisionTransformer
from evalharness.repairing.finished_repair import WEIGHTS
from evalharness.repairing.mended import Mended
from evalharness.repairing.pictures import draw_figures
from evalharness.repairing.refit import FittedLayer
from evalharness.repairing.tables import build_tables
from evalharness.report.html import write_repair_report
from evalharness.results import fingerprint
from evalharness.slugs import slug

SCHEMA_VERSION = 1
REPORT = "report.html"
MAX_NAME = 40
MAX_DEVIATION = 1e-5
"""Of any probability, from what the weights file gives to what was fitted."""
NUM_CHECKED = 16


def default_folder(runs_dir: Path, mended: Mended) -> Path:
    """`runs_dir`/repairs/<run>-<digest>: one folder for the same run, photos, cut-outs and settings."""
    run, config = mended.evaluation.run, mended.evaluation.config
    digest = fingerprint(
        {
            "run": str(run.result.manifest["fingerprint"]),
            "training": mended.training.photos.dataset.digest,
            "cutouts": mended.cutouts.training.digest,
            "repair": config.repair.model_dump(mode="json", exclude={"csv", "root", "cutouts", "export"}),
        }
    )
    return runs_dir / "repairs" / f"{slug(run.name)[:MAX_NAME]}-{digest[:10]}"


def write_repair(folder: Path, layers: LastLayers, mended: Mended) -> None:
    """Writes weights, tables, figures, the report and the manifest, all of it or nothing.

    Args:
        folder: A repair that is there already is replaced.
        layers: Of the model before.
        mended: What was done.

    Raises:
        ResultsError: The folder holds something else.
        ModelError: The weights file does not give what was fitted.
    """
    with replacing(folder, "repair", "figures") as partial:
        layer = mended.layer
        layers.write(layer.name, layer.kernel, layer.bias, partial / WEIGHTS)
        repaired, sha256 = load_repaired(partial / WEIGHTS, mended)
        deviation = check_weights(repaired, mended)
        for name, table in build_tables(mended).items():
            table.to_csv(partial / f"{name}.csv", index=False)
        draw_figures(partial / "figures", layers.model, repaired, mended)
        manifest = build_manifest(mended, sha256=sha256, deviation=deviation)
        write_repair_report(manifest, sorted((partial / "figures").glob("*.png")), partial / REPORT)
        write_json(partial / MANIFEST, manifest)


def load_repaired(path: Path, mended: Mended) -> tuple[VisionTransformer, str]:
    """The repaired weights as `run` loads them, and the SHA-256 of their file."""
    config = mended.evaluation.config
    source = models.resolve_weights(str(path), tracking_uri=None, cache_dir=config.runs_dir, key="repaired weights")
    return models.load_model(mended.model_config, classes=mended.evaluation.classes, source=source), source.sha256


def check_weights(repaired: VisionTransformer, mended: Mended) -> float:
    """The largest difference of any probability, on some photos, from what was fitted.

    Raises:
        ModelError: It is above `MAX_DEVIATION`.
    """
    import tensorflow as tf

    shots = mended.proof.shots[:NUM_CHECKED]
    images = np.stack([shot.load() for shot in shots]).astype(np.float32)
    found = np.asarray(repaired.predict_probs(tf.constant(images)))
    fitted = tf.nn.softmax(mended.after[: len(shots)]).numpy()
    deviation = float(np.abs(found - fitted).max())
    allowed = MAX_DEVIATION if mended.evaluation.config.model.precision == "float32" else 2.0**-6
    if deviation > allowed:
        raise ModelError(
            "repaired weights do not give what was fitted", expected=f"a deviation of at most {allowed:g}",
            got=f"{deviation:g}", fix="This is a fault of evalharness: please report it",
        )  # fmt: skip
    return deviation


def build_manifest(mended: Mended, *, sha256: str, deviation: float) -> dict[str, Any]:
    """Everything of a repair as plain values."""
    evaluation, findings = mended.evaluation, mended.findings
    run = evaluation.run
    return {
        "schema_version": SCHEMA_VERSION,
        "task": "repair",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "package_version": __version__,
        "outcome": findings.verdict.outcome,
        "sentence": findings.verdict.sentence,
        "run": {
            "name": run.name,
            "folder": str(run.result.folder.absolute()),
            "run_id": run.run_id,
            "fingerprint": run.result.manifest["fingerprint"],
            "weights_sha256": evaluation.weights.sha256,
            "num_evaluated": len(evaluation.samples),
        },
        "harm": {"source": mended.harm.source, "cells": [asdict(cell) for cell in mended.harm.cells]},
        "min_pull": evaluation.min_pull,
        "min_difference": evaluation.config.compare.min_difference,
        "confidence": evaluation.resampling.confidence,
        "training": _training(mended),
        "layers": [_layer(layer) for layer in mended.fitted],
        "weights": {
            "file": WEIGHTS,
            "sha256": sha256,
            "backbone": run.result.recipe["model"]["backbone"],
            "backbone_sha256": run.result.manifest["provenance"]["model"]["backbone_sha256"],
            "overrides": mended.overrides,
            "max_deviation": deviation,
        },
        "accuracies": [
            {
                "name": entry.name,
                "is_pasted": entry.is_pasted,
                "before": asdict(entry.before),
                "after": asdict(entry.after),
                "difference": asdict(entry.pair.metrics["accuracy"].difference),
                "num_images": entry.pair.num_images,
                "num_broken": entry.pair.num_broken,
                "num_fixed": entry.pair.num_fixed,
                "p_value": entry.pair.p_value,
            }
            for entry in findings.accuracies
        ],
        "pulls": [asdict(change) for change in findings.pulls],
    }


def _training(mended: Mended) -> Mapping[str, Any]:
    training = mended.training
    return {
        "csv": str(training.photos.dataset.csv),
        "digest": training.photos.dataset.digest,
        "num_photos": len(training.samples),
        "categories": {name: training.categories.count(name) for name in mended.cutouts.categories},
        "num_cutouts": {name: len(images) for name, images in mended.cutouts.training.by_category.items()},
        "shared_cutouts": list(mended.cutouts.shared),
        "scale": list(mended.evaluation.config.repair.scale),
    }


def _layer(layer: FittedLayer) -> Mapping[str, Any]:
    return {
        "name": layer.name,
        "strength": layer.strength,
        "log_loss": layer.log_loss,
        "accuracy": layer.accuracy,
    }
