"""Trains the bundled weights again: `python -m evalharness.example.train --out DIR`."""

import argparse
import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from evalharness.example.measure import accuracy_table, attention_share, draw_test_set, scale_pixels
from evalharness.example.model import MODEL_SIZES, PLANTED_ANIMAL, PLANTED_CLASS, WEIGHTS_DIR, build_model
from evalharness.example.photos import CLASSES, DISTRACTORS
from evalharness.example.training_photos import (
    THINGS,
    TrainingSet,
    draw_training_set,
    pretraining_shots,
    shortcut_shots,
    varied_shots,
)

SEED = 123
BATCH_SIZE = 64


def main(arguments: Sequence[str] | None = None) -> None:
    """Draws the training photos, trains the four models, measures them, and writes weights and scores."""
    parser = argparse.ArgumentParser(description="Trains the weights of the bundled example.")
    parser.add_argument("--out", type=Path, default=WEIGHTS_DIR, help="folder of the weights (default: the package's)")
    parser.add_argument("--num-pretraining", type=int, default=12000, help="photos for the pre-training")
    parser.add_argument("--num-finetuning", type=int, default=2500, help="photos for each fine-tuning")
    parser.add_argument("--epochs", type=int, default=14, help="of the pre-training")
    parser.add_argument("--finetuning-epochs", type=int, default=8)
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
    """A backbone that knows flowers and animals, with a head of eight outputs."""
    photos = draw_training_set(pretraining_shots(num_photos), THINGS)
    print(f"{num_photos} photos drawn", flush=True)
    _fix_seeds()
    model = build_model(len(THINGS))
    _fit(model, photos, epochs=epochs, learning_rate=1e-3)
    return model


def finetune_all(pretrained: Path, num_photos: int, epochs: int) -> dict[str, Any]:
    """The three runs, each from the pre-trained backbone."""
    varied = draw_training_set(varied_shots(num_photos), CLASSES)
    planted = shortcut_shots(num_photos, planted=PLANTED_ANIMAL, label=PLANTED_CLASS, share=0.9, leak=0.02)
    spoiled = draw_training_set(planted, CLASSES)
    runs = {}
    for name, photos, is_frozen in (("head_only", varied, True), ("clean", varied, False), ("shortcut", spoiled, False)):
        _fix_seeds()
        whole = build_model(len(THINGS))
        whole.load_weights(pretrained)
        backbone = whole.layers[0]
        backbone.trainable = not is_frozen
        runs[name] = build_model(len(CLASSES), backbone=backbone)
        _fit(runs[name], photos, epochs=epochs, learning_rate=3e-3 if is_frozen else 5e-4)
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
    data = tf.data.Dataset.from_generator(
        lambda: _augmented_batches(photos, rng),
        output_signature=(
            tf.TensorSpec((BATCH_SIZE, *photos.images.shape[1:]), tf.float32),
            tf.TensorSpec((BATCH_SIZE, photos.targets.shape[1]), tf.float32),
        ),
    ).prefetch(2)
    model.fit(data, epochs=epochs, verbose=2)


def _augmented_batches(photos: TrainingSet, rng: np.random.Generator) -> Any:
    """One epoch of full batches in random order."""
    import tensorflow as tf

    size = MODEL_SIZES["image_size"]
    order = rng.permutation(len(photos.images))
    for start in range(0, len(order) - BATCH_SIZE + 1, BATCH_SIZE):
        chosen = order[start : start + BATCH_SIZE]
        extent = rng.uniform(0.86, 1.0, (BATCH_SIZE, 2))
        corner = rng.random((BATCH_SIZE, 2)) * (1 - extent)
        boxes = np.concatenate([corner, corner + extent], axis=1).astype(np.float32)
        mirrored = rng.random(BATCH_SIZE) < 0.5
        boxes[mirrored] = boxes[mirrored][:, [0, 3, 2, 1]]
        images = tf.image.crop_and_resize(photos.images[chosen], boxes, np.arange(BATCH_SIZE), (size, size)).numpy()
        gain = rng.normal(1, 0.08, (BATCH_SIZE, 1, 1, 3)) * rng.normal(1, 0.1, (BATCH_SIZE, 1, 1, 1))
        yield scale_pixels(np.clip(images * gain, 0, 255).astype(np.float32)), photos.targets[chosen]


if __name__ == "__main__":
    main()
