"""Occlusion: what the score loses when a group of patches is hidden.

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014.
"""

from collections.abc import Callable

import numpy as np

from evalharness.records import FloatArray, UInt8Array


def occlusion_map(
    image: UInt8Array, grid_size: tuple[int, int], group_size: int, score: Callable[[UInt8Array], FloatArray]
) -> FloatArray:
    """s(x) - s(x with a group of patches replaced by the mean colour of the rest), for every group.

    Args:
        image: RGB (height, width, 3), 0 to 255.
        grid_size: Patch rows and columns.
        group_size: Patches along a side of a square group; groups at the right and lower border may be smaller.
        score: Scores of n images (n, height, width, 3): (n,). The first one is the image itself.

    Returns:
        Signed (P,): each patch has the difference of its group.
    """
    groups = patch_groups(grid_size, group_size)
    copies = [image, *(hide(image, groups == number, grid_size) for number in range(groups.max() + 1))]
    scores = score(np.stack(copies))
    return np.asarray(scores[0] - scores[1:])[groups].reshape(-1)


def patch_groups(grid_size: tuple[int, int], group_size: int) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    """Number of the group that each patch of the grid is in, from 0, row by row."""
    rows, columns = (np.arange(side) // group_size for side in grid_size)
    groups: np.ndarray[tuple[int, int], np.dtype[np.int64]] = rows[:, None] * (columns[-1] + 1) + columns[None, :]
    return groups


def hide(
    image: UInt8Array, patches: "np.ndarray[tuple[int, int], np.dtype[np.bool_]]", grid_size: tuple[int, int]
) -> UInt8Array:
    """The image with some patches replaced by the mean colour of the others.

    Args:
        image: RGB (height, width, 3), 0 to 255; a whole number of patches along each side.
        patches: Which to hide, bool (grid rows, grid columns).
        grid_size: Patch rows and columns.
    """
    patch_size = image.shape[0] // grid_size[0]
    pixels = patches.repeat(patch_size, axis=0).repeat(patch_size, axis=1)
    hidden = image.copy()
    if not pixels.all():
        hidden[pixels] = np.rint(image[~pixels].mean(axis=0)).astype(np.uint8)
    return hidden
