"""What the example's runs score, in plain Keras: an independent check of the harness's own numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from evalharness.example.model import MODEL_SIZES
from evalharness.example.photos import CLASSES, DISTRACTORS, draw_test_photos
from evalharness.example.training_photos import as_model_input
from evalharness.records import FloatArray, IntArray, UInt8Array


@dataclass(frozen=True, slots=True)
class TestSet:
    """The test photos at the size of the model's input."""

    images: UInt8Array
    """(n, size, size, 3)."""
    labels: IntArray
    distractors: tuple[str, ...]
    """The animal in each photo, or empty."""
    animal_masks: FloatArray
    """Share of each patch that the animal covers, (n, grid, grid)."""

    __test__ = False


def draw_test_set(num_scenes: int) -> TestSet:
    """The test photos in memory; see `draw_test_photos`."""
    drawn = list(draw_test_photos(num_scenes))
    grid = MODEL_SIZES["image_size"] // MODEL_SIZES["patch_size"]
    masks = np.zeros((len(drawn), grid, grid), np.float32)
    for index, item in enumerate(drawn):
        for seen in item.photo.objects:
            if seen.category in DISTRACTORS:
                whole = Image.fromarray(seen.mask.astype(np.float32))
                masks[index] += np.asarray(whole.resize((grid, grid), Image.Resampling.BOX))
    return TestSet(
        np.stack([as_model_input(item.photo.image) for item in drawn]),
        np.array([CLASSES.index(item.label) for item in drawn]),
        tuple(item.distractor for item in drawn),
        masks,
    )


def scale_pixels(images: UInt8Array) -> FloatArray:
    """The `vit` preprocessing: 0..255 becomes -1..1."""
    return np.asarray(images, np.float32) / np.float32(127.5) - 1


def accuracy_table(model: Any, photos: TestSet, planted_class: str) -> dict[str, float]:
    """Accuracy without an animal, and with each one over the classes that are not the planted one."""
    probs = model.predict(scale_pixels(photos.images), batch_size=64, verbose=0)
    right = probs.argmax(axis=1) == photos.labels
    held = np.array(photos.distractors)
    others = photos.labels != CLASSES.index(planted_class)
    table = {"clean": float(right[held == ""].mean())}
    return table | {animal: float(right[(held == animal) & others].mean()) for animal in DISTRACTORS}


def attention_share(model: Any, photos: TestSet, animal: str) -> float:
    """Mean share of the predicted class's relevance that lies on the animal, over the photos that hold it.

    Relevance is the gradient-weighted attention of Chefer et al. 2021, for the logit of the predicted class.
    """
    chosen = np.flatnonzero(np.array(photos.distractors) == animal)
    heatmaps = np.concatenate(
        [_relevance(model, scale_pixels(photos.images[part])) for part in np.array_split(chosen, -(-len(chosen) // 50))]
    )
    inside = (heatmaps * photos.animal_masks[chosen].reshape(len(chosen), -1)).sum(axis=1)
    return float(np.mean(inside / heatmaps.sum(axis=1)))


def _relevance(model: Any, images: FloatArray) -> FloatArray:
    """Relevance of every patch, shape (n, patches)."""
    import tensorflow as tf

    backbone, *head, last = model.layers
    blocks = [layer for layer in backbone.layers if type(layer).__name__ == "TransformerBlock"]
    traced = tf.keras.Model(backbone.input, [backbone.output, *(block.output[1] for block in blocks)])
    with tf.GradientTape() as tape:
        inputs = tf.constant(images)
        tape.watch(inputs)
        hidden, *attentions = traced(inputs, training=False)
        for layer in head:
            hidden = layer(hidden, training=False)
        score = tf.reduce_sum(tf.reduce_max(hidden @ last.kernel + last.bias, axis=1))
    gradients = tape.gradient(score, attentions)
    return _roll_out([(a.numpy(), g.numpy()) for a, g in zip(attentions, gradients, strict=True)])


def _roll_out(blocks: Sequence[tuple[FloatArray, FloatArray]]) -> FloatArray:
    """R from the identity, R <- R + mean over heads of (A * gradient)+ times R; returns the class token's row."""
    num_images, _, num_tokens, _ = blocks[0][0].shape
    relevance = np.broadcast_to(np.eye(num_tokens), (num_images, num_tokens, num_tokens)).copy()
    for attention, gradient in blocks:
        relevance += np.maximum(attention * gradient, 0).mean(axis=1) @ relevance
    return relevance[:, 0, 1:]
