"""Plain statistics of the pixels, by which grey cards, noise and blur differ from photos where features may not."""

from collections.abc import Sequence

import numpy as np

from evalharness.records import FloatArray, UInt8Array

NAMES = ("fine_across", "fine_down", "coarse_across", "coarse_down", "contrast", "colour", "aspect")
COARSE = 4
"""Pixels a side that coarse differences are taken between."""
FLOOR = 0.003
"""Added before the logarithm: differences below a grey value count alike."""


def measure_texture(images: UInt8Array, sizes: Sequence[tuple[int, int]]) -> FloatArray:
    """Logarithms of mean brightness differences of neighbouring pixels and of blocks, contrast, colour, and shape.

    Args:
        images: As the model sees them, (n, height, width, 3).
        sizes: (height, width) of each file, in pixels: a turned photo has another shape.

    Returns:
        (n, 7), in the order of `NAMES`.
    """
    values = images.astype(np.float32) / 255
    grey = values.mean(axis=3)
    height, width = (size - size % COARSE for size in grey.shape[1:])
    blocks = grey[:, :height, :width].reshape(len(grey), height // COARSE, COARSE, width // COARSE, COARSE)
    coarse = blocks.mean(axis=(2, 4))
    columns = [
        *(np.abs(np.diff(image, axis=axis)).mean(axis=(1, 2)) for image in (grey, coarse) for axis in (2, 1)),
        grey.std(axis=(1, 2)),
        values.std(axis=3).mean(axis=(1, 2)),
    ]
    shapes = np.log([tall / wide for tall, wide in sizes])
    return np.asarray(np.column_stack([*np.log(np.column_stack(columns) + FLOOR).T, shapes]), np.float32)
