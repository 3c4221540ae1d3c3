"""A head with other weights, for a while: the sanity check of class-specific maps."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from evalharness.model.backbone import find_backbone, head_layers
from evalharness.records import VisionTransformer


@contextmanager
def randomised_head(model: VisionTransformer, seed: int) -> Iterator[None]:
    """Shuffles the values of every kernel of the head while the context lasts.

    A shuffle keeps each kernel's distribution, so that only what was learned is lost.
    Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018.

    Args:
        model: The loaded model; its head is as before when the context ends.
        seed: Of the shuffle.
    """
    generator = np.random.default_rng(seed)
    layers = head_layers(model.keras_model, find_backbone(model.keras_model))
    kernels = [variable for layer in layers for variable in layer.variables if len(variable.shape) > 1]
    before = [kernel.numpy() for kernel in kernels]
    try:
        for kernel, values in zip(kernels, before, strict=True):
            kernel.assign(generator.permutation(values.ravel()).reshape(values.shape))
        yield
    finally:
        for kernel, values in zip(kernels, before, strict=True):
            kernel.assign(values)
