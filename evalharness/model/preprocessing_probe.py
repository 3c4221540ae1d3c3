"""The preprocessing probe: which of the two scalings of pixels do these weights understand?"""

from dataclasses import dataclass

import numpy as np

from evalharness.records import IntArray, UInt8Array, VisionTransformer

LARGE_GAP = 0.10
BATCH = 16


@dataclass(frozen=True)
class ProbeResult:
    """Accuracy of the same images under both preprocessings, 0 to 1."""

    accuracy_raw: float
    accuracy_vit: float
    warning: str | None
    """Set when the preprocessing that was not configured is better by more than ten points."""


def probe_preprocessing(model: VisionTransformer, images: UInt8Array, labels: IntArray) -> ProbeResult:
    """Scores the images with raw pixels and with pixels scaled to [-1, 1].

    Args:
        model: The loaded model.
        images: RGB, (N, height, width, 3), 0 to 255.
        labels: (N,) class indices.
    """
    accuracy = {name: _accuracy(model, images, labels, name) for name in ("raw", "vit")}
    other = "vit" if model.preprocessing == "raw" else "raw"
    warning = None
    if accuracy[other] - accuracy[model.preprocessing] > LARGE_GAP:
        warning = (
            f"model.preprocessing={model.preprocessing} scores {accuracy[model.preprocessing]:.1%} on {len(labels)} "
            "images, "
            f"{other} scores {accuracy[other]:.1%}: the weights were probably trained with model.preprocessing={other}"
        )
    return ProbeResult(accuracy["raw"], accuracy["vit"], warning)


def _accuracy(model: VisionTransformer, images: UInt8Array, labels: IntArray, preprocessing: str) -> float:
    import tensorflow as tf

    correct = 0
    for start in range(0, len(images), BATCH):
        batch = tf.cast(images[start : start + BATCH], tf.float32)
        probs = model.predict_probs(batch, preprocessing)
        correct += int((np.argmax(probs, axis=1) == labels[start : start + BATCH]).sum())
    return correct / len(images)
