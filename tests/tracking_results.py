"""Writes small finished results folders without a model, through the functions that real evaluations use."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import evalharness
from evalharness.config import RunConfig
from evalharness.manifest import write_json
from evalharness.records import (
    ClassMetrics,
    Dataset,
    Evaluation,
    ImageInfo,
    Interval,
    MapSpec,
    Sample,
    VisionTransformer,
    WeightsSource,
)
from evalharness.results import KeptRows, ModelProperties, build_manifest, build_recipe, samples_table, write_tables
from evalharness.slugs import slug

HEADLINE = (
    "accuracy", "balanced_accuracy", "top2_accuracy", "macro_precision", "macro_recall", "macro_f1", "mcc", "log_loss",
    "brier", "ece", "roc_auc",
)  # fmt: skip


def write_results(
    folder: Path,
    *,
    classes=("daisy", "roses", "tulips"),
    num_rows=12,
    weights="run1.h5",
    dataset_name="flowers",
    map_ids=("grad_attention", "rollout"),
    num_overlays=3,
    seed=0,
    undefined=(),
    warnings=(),
    row_name="{label}/{number:03d}.jpg",
) -> Path:
    """A finished results folder of made-up predictions; returns it."""
    generator = np.random.default_rng(seed)
    labels = [classes[index % len(classes)] for index in range(num_rows)]
    samples, images = _samples(labels, row_name)
    probs = generator.dirichlet(np.ones(len(classes)), num_rows)
    specs = [MapSpec(map_id, map_id.split(".")[0], "predicted", {"start_layer": 0}, 1) for map_id in map_ids]
    config = _config(weights, dataset_name, classes, map_ids)
    dataset = Dataset(dataset_name, Path("photos/test.csv"), "c" * 64, Path("photos"), tuple(classes), samples, (),
                      images, "d" * 64)  # fmt: skip
    source = WeightsSource(weights, Path(weights), hashlib.sha256(weights.encode()).hexdigest(), "h5")
    recipe = build_recipe(config, dataset, source, classes, specs)
    evaluation = _evaluation(labels, probs, classes, undefined)
    table = samples_table(
        samples,
        images,
        probs,
        classes,
        map_sums={map_id: np.ones(num_rows) for map_id in map_ids},
        completeness_errors={},
    )

    (folder / "maps").mkdir(parents=True)
    write_tables(folder, table, evaluation, (), classes)
    write_json(folder / "recipe.json", recipe)
    np.save(folder / "logits.npy", np.log(probs).astype(np.float32))
    for map_id in map_ids:
        np.save(folder / "maps" / f"{map_id}.npy", np.ones((num_rows, 4, 4), np.float16))
    _draw(folder, table, map_ids, num_overlays, generator)
    measures = {f"attention/{map_id}/num_undefined": 0.0 for map_id in map_ids}
    manifest = build_manifest(
        name=f"{weights} on {dataset_name}",
        config=config,
        request="r",
        recipe=recipe,
        dataset=dataset,
        weights=source,
        model=ModelProperties.of(_model(source, classes)),
        evaluation=evaluation,
        kept=KeptRows(np.arange(num_rows), ()),
        measures=measures | {"time/predict_s": 2.5, "throughput/images_per_s": num_rows / 2.5},
        findings={"trust": [], "regions": None, "broken_gates": []},
        sentences=[],
        warnings=list(warnings),
    )
    write_json(folder / "manifest.json", manifest)
    return folder


def with_package() -> dict[str, str]:
    """The environment of a process that imports the package from wherever this one did."""
    return {**os.environ, "PYTHONPATH": str(Path(evalharness.__file__).parent.parent)}


def _samples(labels, row_name):
    names = [row_name.format(label=label, number=number) for number, label in enumerate(labels)]
    samples = tuple(
        Sample(name, Path("photos", name), name, label, line, name)
        for line, (name, label) in enumerate(zip(names, labels, strict=True), start=2)
    )
    return samples, {name: ImageInfo("e" * 64, 40, 30, "RGB", "JPEG", 1, 1) for name in names}


def _config(weights, dataset_name, classes, map_ids):
    return RunConfig.model_validate(
        {
            "model": {
                "weights": weights, "backbone": "vit_b16", "image_size": 32, "preprocessing": "raw",
                "head": [{"layer": "flatten"}, {"layer": "dense", "units": "classes", "activation": "softmax"}],
                "classes": list(classes),
            },
            "dataset": {"csv": "photos/test.csv", "name": dataset_name},
            "attention": {"methods": [map_id.split(".")[0] for map_id in map_ids]},
        }
    )  # fmt: skip


def _model(source, classes):
    return VisionTransformer(
        trace=None, readout=None, freeze=None, predict_probs=None, classes=tuple(classes),
        preprocessing="raw", image_size=(32, 32),
        patch_size=8, num_layers=2, num_heads=2, hidden_size=16, weights=source, backbone_sha256="b" * 64,
        architecture={"backbone": "vit_b16"}, device="CPU",
    )  # fmt: skip


def _evaluation(labels, probs, classes, undefined):
    indices = np.array([classes.index(label) for label in labels])
    predicted = probs.argmax(axis=1)
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (indices, predicted), 1)
    accuracy = float(np.mean(indices == predicted))
    values = {name: np.nan if name in undefined else accuracy + index / 100 for index, name in enumerate(HEADLINE)}
    headline = {name: Interval(value, value - 0.05, value + 0.05) for name, value in values.items()}
    per_class = tuple(ClassMetrics(name, 4, 4, 0.5, 0.5, 0.5) for name in classes)
    return Evaluation(headline, per_class, confusion, ((0.5, 0.5, len(labels)),))


def _draw(folder: Path, table: pd.DataFrame, map_ids, num_overlays, generator):
    figures, overlays = folder / "figures", folder / "overlays"
    for path in (figures, overlays):
        path.mkdir()
    for name in ("confusion_matrix", "reliability", "per_class", "prediction_grid"):
        _picture(generator, (96, 64)).save(figures / f"{name}.png")
    for row in table.head(num_overlays).itertuples():
        for map_id in map_ids:
            _picture(generator, (64, 32)).save(overlays / f"{slug(row.label)}.{slug(row.row_id)}.{map_id}.png")


def _picture(generator, size):
    noise = generator.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size)
