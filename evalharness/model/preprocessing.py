"""Scales pixels as training did."""

from typing import TYPE_CHECKING

from evalharness.config import Normalization

if TYPE_CHECKING:
    import tensorflow as tf

IMAGENET = Normalization(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""Of the photos of ImageNet: what torchvision, timm and many tutorials normalize with."""


def preprocess(images: "tf.Tensor", preprocessing: str | Normalization) -> "tf.Tensor":
    """Scales RGB of 0 to 255 as training did.

    Args:
        images: float32 (B, height, width, 3).
        preprocessing: `raw` keeps them; `vit` gives x / 127.5 - 1, `rescale` x / 255; `imagenet` subtracts ImageNet's
            mean from x / 255 and divides by its standard deviation; a `Normalization` does so with its own numbers.
    """
    if preprocessing == "raw":
        return images
    if preprocessing == "vit":
        return images / 127.5 - 1.0
    if preprocessing == "rescale":
        return images / 255.0
    values = preprocessing if isinstance(preprocessing, Normalization) else IMAGENET
    return (images / 255.0 - values.mean) / values.std
