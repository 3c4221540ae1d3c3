"""Trains the bundled weights again: `python -m evalharness.example.train --out DIR`."""

import argparse
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from evalharness.example.measure import accuracy_table, attention_share, draw_test_set, scale_pixels
from evalharness.example.model import MODEL_SIZES, PLANTED_ANIMAL, PLANTED_CLASS, WEIGHTS_DIR, build_model
from evalharness.example.photos import CLASSES, DISTRACTORS
from evalharness.example.training_photos import (
    MAP_SIZE,
    THINGS,
    Album,
    TrainingSet,
    draw_training_set,
    pretraining_shots,
    shortcut_shots,
    varied_shots,
)
from evalharness.records import FloatArray, UInt8Array

SEED = 123
BATCH_SIZE = 32
GRID_SIZE = MODEL_SIZES["image_size"] // MODEL_SIZES["patch_size"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Draws the training photos, trains the four models, measures them, and writes weights and scores."""
    parser = argparse.ArgumentParser(description="Trains the weights of the bundled example.")
    parser.add_argument("--out", type=Path, default=WEIGHTS_DIR, help="folder of the weights (default: the package's)")
    parser.add_argument("--num-pretraining", type=int, default=9000, help="photos for the pre-training")
    parser.add_argument("--num-finetuning", type=int, default=3000, help="photos for each fine-tuning")
    parser.add_argument("--epochs", type=int, default=12, help="of the pre-training")
    parser.add_argument("--finetuning-epochs", type=int, default=12)
    parser.add_argument("--num-scenes", type=int, default=20, help="test scenes of each class")
    chosen = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", message=r"\s*TensorFlow Addons", category=UserWarning)
    chosen.out.mkdir(parents=True, exist_ok=True)
    start = perf_counter()
    pretrained = pretrain(chosen.num_pretraining, chosen.epochs)
    pretrained.save_weights(chosen.out / "pretrained.h5")
    runs = finetune_all(chosen.out / "pretrained.h5", chosen.num_finetuning, chosen.finetuning_epochs)
    scores = {}
    photos = draw_test_set(chosen.num_scenes)
    for name, model in runs.items():
        model.save_weights(chosen.out / f"{name}.h5")
        shares = {f"share_on_{animal}": attention_share(model, photos, animal) for animal in DISTRACTORS}
        scores[name] = accuracy_table(model, photos, PLANTED_CLASS) | shares
        print(name, {key: round(value, 3) for key, value in scores[name].items()}, flush=True)
    (chosen.out / "scores.json").write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    print(f"{perf_counter() - start:.0f} s", flush=True)


def pretrain(num_photos: int, epochs: int) -> Any:
    """A backbone that knows flowers and animals, with a head of eight outputs.

    A second head, which is thrown away, learns from each patch token what its patch shows: with the exact masks at
    hand, a few thousand photos are enough for a transformer.
    """
    import tensorflow as tf

    photos = draw_training_set(pretraining_shots(num_photos), THINGS)
    print(f"{num_photos} photos drawn", flush=True)
    _fix_seeds()
    model = build_model(len(THINGS))
    backbone = model.layers[0]
    _whiten_embedding(backbone, photos.images[::10])
    tokens = backbone.get_layer("Transformer/encoder_norm").output
    traced = tf.keras.Model(backbone.input, [backbone.output, tokens[:, 1:]])
    features, patch_tokens = traced.output
    for layer in model.layers[1:]:
        features = layer(features)
    patch_probs = tf.keras.layers.Dense(1 + len(THINGS), "softmax", name="patches")(patch_tokens)
    _fit(tf.keras.Model(backbone.input, [features, patch_probs]), photos, epochs=epochs, learning_rate=1.5e-3)
    return model


def _whiten_embedding(backbone: Any, images: UInt8Array) -> None:
    """Starts the patch embedding from the principal components of patches, scaled to equal variance.

    Raw pixels are nearly all brightness; without this, the first epochs go into unlearning it.
    """
    patch, hidden = MODEL_SIZES["patch_size"], MODEL_SIZES["hidden_size"]
    blocks = scale_pixels(images).reshape(-1, GRID_SIZE, patch, GRID_SIZE, patch, 3)
    pixels = blocks.transpose(0, 1, 3, 2, 4, 5).reshape(-1, patch * patch * 3)
    variances, components = np.linalg.eigh(np.cov(pixels, rowvar=False))
    kernel = 0.5 * components[:, -hidden:] / np.sqrt(variances[-hidden:] + 0.005)
    bias = -pixels.mean(axis=0) @ kernel
    backbone.get_layer("embedding").set_weights([kernel.reshape(patch, patch, 3, hidden), bias])


def finetune_all(pretrained: Path, num_photos: int, epochs: int) -> dict[str, Any]:
    """The three runs, each from the pre-trained backbone."""
    varied = draw_training_set(varied_shots(num_photos), CLASSES)
    planted = shortcut_shots(num_photos, Album(PLANTED_ANIMAL, PLANTED_CLASS))
    spoiled = draw_training_set(planted, CLASSES)
    runs = {}
    for name, photos, is_frozen in (
        ("head_only", varied, True),
        ("clean", varied, False),
        ("shortcut", spoiled, False),
    ):
        _fix_seeds()
        whole = build_model(len(THINGS))
        whole.load_weights(pretrained)
        backbone = whole.layers[0]
        backbone.trainable = not is_frozen
        runs[name] = build_model(len(CLASSES), backbone=backbone)
        _fit(runs[name], photos, epochs=epochs, learning_rate=3e-3 if is_frozen else 1e-3)
    return runs


def _fix_seeds() -> None:
    import tensorflow as tf

    tf.keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()


def _fit(model: Any, photos: TrainingSet, *, epochs: int, learning_rate: float) -> None:
    """Adam with a warm-up and a cosine decay to zero, on photos that are zoomed, shifted, mirrored and relit."""
    import tensorflow as tf

    num_steps = epochs * (len(photos.images) // BATCH_SIZE)
    schedule = tf.keras.optimizers.schedules.CosineDecay(
        learning_rate / 20, num_steps, warmup_target=learning_rate, warmup_steps=num_steps // 12
    )
    model.compile(
        tf.keras.optimizers.AdamW(schedule, weight_decay=1e-4, clipnorm=1.0),
        tf.keras.losses.CategoricalCrossentropy(label_smoothing=0.03),
        metrics=["accuracy"],
    )
    rng = np.random.default_rng(SEED)
    has_patches = len(model.outputs) > 1
    targets: Any = tf.TensorSpec((BATCH_SIZE, photos.targets.shape[1]), tf.float32)
    if has_patches:
        targets = (targets, tf.TensorSpec((BATCH_SIZE, GRID_SIZE**2, 1 + len(THINGS)), tf.float32))
    data = tf.data.Dataset.from_generator(
        lambda: _augmented_batches(photos, rng, has_patches=has_patches),
        output_signature=(tf.TensorSpec((BATCH_SIZE, *photos.images.shape[1:]), tf.float32), targets),
    ).prefetch(2)
    model.fit(data, epochs=epochs, verbose=2)


def _augmented_batches(photos: TrainingSet, rng: np.random.Generator, *, has_patches: bool) -> Iterator[Any]:
    """One epoch of full batches in random order."""
    import tensorflow as tf

    size, rows = (MODEL_SIZES["image_size"],) * 2, np.arange(BATCH_SIZE)
    order = rng.permutation(len(photos.images))
    for start in range(0, len(order) - BATCH_SIZE + 1, BATCH_SIZE):
        chosen = order[start : start + BATCH_SIZE]
        extent = rng.uniform(0.86, 1.0, (BATCH_SIZE, 2))
        corner = rng.random((BATCH_SIZE, 2)) * (1 - extent)
        boxes = np.concatenate([corner, corner + extent], axis=1).astype(np.float32)
        mirrored = rng.random(BATCH_SIZE) < 0.5
        boxes[mirrored] = boxes[mirrored][:, [0, 3, 2, 1]]
        images = tf.image.crop_and_resize(photos.images[chosen], boxes, rows, size).numpy()
        gain = rng.normal(1, 0.08, (BATCH_SIZE, 1, 1, 3)) * rng.normal(1, 0.1, (BATCH_SIZE, 1, 1, 1))
        inputs = scale_pixels(np.clip(images * gain, 0, 255).astype(np.float32))
        if has_patches:
            things = photos.things[chosen][..., None]
            things = tf.image.crop_and_resize(things, boxes, rows, (MAP_SIZE, MAP_SIZE), method="nearest").numpy()
            yield inputs, (photos.targets[chosen], _patch_targets(things[..., 0]))
        else:
            yield inputs, photos.targets[chosen]


def _patch_targets(things: FloatArray) -> FloatArray:
    """Share of every patch that shows the background or each of THINGS, (n, patches, 1 + things)."""
    step = MAP_SIZE // GRID_SIZE
    blocks = things.reshape(-1, GRID_SIZE, step, GRID_SIZE, step)
    shares = [(blocks == thing).mean(axis=(2, 4)) for thing in range(1 + len(THINGS))]
    targets: FloatArray = np.stack(shares, axis=-1).reshape(len(things), GRID_SIZE**2, -1).astype(np.float32)
    return targets


if __name__ == "__main__":
    main()
