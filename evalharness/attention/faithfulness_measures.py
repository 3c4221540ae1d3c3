"""Can a map be believed? Measures of faithfulness, randomisation and robustness: pure functions over arrays."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from evalharness.lazy import LazyModule
from evalharness.records import FloatArray, IntArray, UInt8Array

integrate = LazyModule("scipy.integrate")

stats = LazyModule("scipy.stats")

Window = tuple[slice, slice]
"""Rows and columns of an image that its photo spans; the rest is padding."""
BASELINES = ("mean", "blur")
BLUR_SIGMA = 0.1


def rank_patches(density: FloatArray, seed: int | Sequence[int]) -> IntArray:
    """Patches from the highest density to the lowest; equal ones in a seeded random order.

    Args:
        density: (P,).
        seed: Of the order of ties, which a map of many zeros has.

    Returns:
        Indices (P,).
    """
    noise = np.random.default_rng(seed).random(len(density))
    order: IntArray = np.lexsort((noise, -np.asarray(density, np.float64)))
    return order


def group_patches(order: IntArray, num_steps: int) -> list[IntArray]:
    """Cuts ranked patches into groups of nearly equal size, the highest first."""
    return np.array_split(order, num_steps)


def baseline_image(image: UInt8Array, baseline: str) -> UInt8Array:
    """What stands for a missing part of an image: its mean colour, or the whole image blurred.

    Args:
        image: RGB (height, width, 3).
        baseline: `mean`, or `blur` (a Gaussian of 0.1 x the shorter side).
    """
    if baseline == "mean":
        return np.broadcast_to(np.rint(image.mean(axis=(0, 1))).astype(np.uint8), image.shape).copy()
    sigma = BLUR_SIGMA * min(image.shape[:2])
    blurred: FloatArray = gaussian_filter(image.astype(np.float32), (sigma, sigma, 0), mode="nearest")
    return np.rint(blurred).astype(np.uint8)


def fill_photo(image: UInt8Array, window: Window, baseline: str) -> UInt8Array:
    """The image with all of its photo replaced by a baseline of the photo alone; padding stays.

    Args:
        image: RGB (height, width, 3).
        window: Of the photo.
        baseline: Of `BASELINES`.
    """
    filled = image.copy()
    filled[window] = baseline_image(image[window], baseline)
    return filled


def patches_of_photo(window: Window, image_size: tuple[int, int], grid_size: tuple[int, int]) -> IntArray:
    """Indices, row by row, of the patches that hold some of the photo, if only a pixel.

    Args:
        window: Of the photo.
        image_size: (height, width), a whole number of patches along each side.
        grid_size: Patch rows and columns.
    """
    rows, columns = grid_size
    pixels = np.zeros(image_size, bool)
    pixels[window] = True
    by_patch = pixels.reshape(rows, image_size[0] // rows, columns, image_size[1] // columns)
    return np.flatnonzero(by_patch.any(axis=(1, 3)))


def replace_patches(image: UInt8Array, other: UInt8Array, patches: IntArray, grid_size: tuple[int, int]) -> UInt8Array:
    """The image with some patches taken from another.

    Args:
        image: RGB (height, width, 3), a whole number of patches along each side.
        other: The same shape.
        patches: Indices of the patches to take, row by row.
        grid_size: Patch rows and columns.
    """
    rows, columns = grid_size
    chosen = np.zeros(rows * columns, bool)
    chosen[patches] = True
    patch_size = image.shape[0] // rows
    pixels = chosen.reshape(grid_size).repeat(patch_size, axis=0).repeat(patch_size, axis=1)
    return np.where(pixels[..., None], other, image)


def area_under_curve(values: FloatArray) -> float:
    """Area under values at equal steps of the fraction of patches from 0 to 1, by the trapezoid rule."""
    return float(integrate.trapezoid(values, dx=1 / (len(values) - 1)))


def saco(saliences: FloatArray, drops: FloatArray) -> float:
    """Salience-guided faithfulness coefficient: do more salient groups of patches matter more?

    Wu, Kang, Tang, Hong and Yan, "On the Faithfulness of Vision Transformer Explanations", CVPR 2024: over all pairs of
    groups, the difference of salience counts as positive where the more salient one lowers the probability at least as
    much when it is taken away, else as negative; divided by the sum of their absolute values.

    Args:
        saliences: Sum of density of each group (K,), from the highest to the lowest.
        drops: Probability of the image minus that without the group (K,).

    Returns:
        -1 to 1, higher is better; NaN where all groups are equally salient.
    """
    first, second = np.triu_indices(len(saliences), k=1)
    differences = np.asarray(saliences)[first] - np.asarray(saliences)[second]
    agrees = np.asarray(drops)[first] >= np.asarray(drops)[second]
    total = np.abs(differences).sum()
    return float(np.where(agrees, differences, -differences).sum() / total) if total > 0 else float("nan")


def rank_correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Spearman's correlation of two maps; NaN where one is constant or not finite."""
    pair = np.stack([np.ravel(first), np.ravel(second)]).astype(np.float64)
    if not np.isfinite(pair).all():
        return float("nan")
    ranks = stats.rankdata(pair, axis=1)
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    norms = np.sqrt((centred**2).sum(axis=1))
    return float(centred[0] @ centred[1] / norms.prod()) if norms.all() else float("nan")


def perturbed_copies(
    image: UInt8Array, order: IntArray, grid_size: tuple[int, int], num_steps: int, fillings: Sequence[UInt8Array]
) -> list[UInt8Array]:
    """All copies of an image that deletion, insertion and SaCo need of one map.

    Args:
        image: RGB (height, width, 3).
        order: Ranked patches; those that are only padding left out.
        grid_size: Patch rows and columns.
        num_steps: S, steps of the curves and groups of SaCo.
        fillings: The image under each of `BASELINES`, with its own padding.

    Returns:
        For each baseline: S deletions (1/S … 1 of the patches taken away), then S - 1 insertions (1/S … (S-1)/S of the
        patches shown); then S copies with one group replaced by the mean colour.
    """
    groups = group_patches(order, num_steps)
    leading = [np.concatenate(groups[: step + 1]) for step in range(num_steps)]
    copies = []
    for filling in fillings:
        copies += [replace_patches(image, filling, part, grid_size) for part in leading]
        copies += [replace_patches(filling, image, part, grid_size) for part in leading[:-1]]
    return copies + [replace_patches(image, fillings[0], group, grid_size) for group in groups]


def curves_of(prob: float, probs: FloatArray, num_steps: int) -> dict[str, FloatArray]:
    """Deletion and insertion curves from the probabilities of `perturbed_copies`.

    Args:
        prob: Of the image itself.
        probs: (copies,), in their order.
        num_steps: S.

    Returns:
        `deletion_<baseline>` and `insertion_<baseline>`, each (S + 1,): the probability of the verdict against the
        fraction of patches taken away or shown, from 0 to 1.
    """
    curves = {}
    for index, baseline in enumerate(BASELINES):
        part = probs[index * (2 * num_steps - 1) :][: 2 * num_steps - 1]
        deletion, insertion = part[:num_steps], part[num_steps:]
        curves[f"deletion_{baseline}"] = np.concatenate([[prob], deletion])
        curves[f"insertion_{baseline}"] = np.concatenate([[deletion[-1]], insertion, [prob]])
    return curves
