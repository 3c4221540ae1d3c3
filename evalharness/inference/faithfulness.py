"""Runs the model on perturbed images, under a randomised head and under small changes, to see whether maps hold."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from evalharness.attention.baselines import seed_of
from evalharness.attention.faithfulness_measures import (
    BASELINES,
    Window,
    area_under_curve,
    curves_of,
    fill_photo,
    group_patches,
    patches_of_photo,
    perturbed_copies,
    rank_correlation,
    rank_patches,
    saco,
)
from evalharness.console import progress_bar, tell_cost
from evalharness.inference.forward import ForwardPass
from evalharness.records import FloatArray, IntArray, UInt8Array

BRIGHTER = 1.1
TIES = 1
"""Tells the seed of equal patches' order from that of the `random` map of the same row."""
FIXED_TARGET = "true"
"""The target that names a class by image: here the class of the verdict, held fixed under every perturbation."""


@dataclass(frozen=True, slots=True)
class MapRow:
    """What was measured of one map of one image."""

    row_id: str
    map_id: str
    measures: dict[str, float]
    """By name in `attention.faithfulness_verdict.MEASURES`."""
    curves: dict[str, FloatArray]
    """`deletion_<baseline>`, `insertion_<baseline>`: (steps + 1,) probabilities of the verdict."""


@dataclass(frozen=True, slots=True)
class Subset:
    """Images to measure on, a few at a time."""

    images: UInt8Array
    """(n, height, width, 3)."""
    row_ids: Sequence[str]
    windows: Sequence[Window]
    """Where the photo of each image is; padding is neither ranked nor changed."""


def measure_faithfulness(
    forward: ForwardPass,
    batches: Sequence[Subset],
    *,
    num_steps: int,
    num_random_heads: int,
    randomised_head: Callable[[int], AbstractContextManager[None]],
) -> Iterator[MapRow]:
    """Deletion, insertion, SaCo, head randomisation and stability of every map of a compiled model.

    Says how many forward passes it will take, and how long.

    Args:
        forward: Its maps explain `FIXED_TARGET`, so that labels choose the class.
        batches: The images.
        num_steps: Steps of the curves, groups of SaCo.
        num_random_heads: Randomised heads that each map is compared under.
        randomised_head: Gives the head new weights from a seed while the context lasts.

    Yields:
        A row per image and map.
    """
    num_images = sum(len(batch.row_ids) for batch in batches)
    map_ids = forward.map_ids
    num_passes = num_images * (len(map_ids) * (len(BASELINES) * (2 * num_steps - 1) + num_steps)
                               + (3 + num_random_heads) * forward.num_forward_passes + 1)  # fmt: skip
    first = batches[0].images
    tell_cost(
        f"testing {len(map_ids)} maps on {num_images} images",
        num_passes=num_passes,
        run_once=lambda: forward.logits(first),
        passes_per_run=len(first),
    )
    with progress_bar("Testing maps", num_images) as advance:
        for batch in batches:
            logits = forward.logits(batch.images)
            probs, verdicts = softmax(logits, axis=1), logits.argmax(axis=1)
            maps = forward(batch.images, verdicts, batch.row_ids).densities
            similarity = _similarities(
                forward, batch, verdicts, maps, num_random_heads=num_random_heads, randomised_head=randomised_head
            )
            for index, (row_id, image) in enumerate(zip(batch.row_ids, batch.images, strict=True)):
                densities = {map_id: maps[map_id][index] for map_id in map_ids}
                rows = _perturb(
                    forward, image, batch.windows[index], densities, row_id=row_id,
                    num_steps=num_steps, verdict=verdicts[index], probs=probs[index],
                )  # fmt: skip
                for map_id, (measures, curves) in rows.items():
                    found = {name: float(values[map_id][index]) for name, values in similarity.items()}
                    yield MapRow(row_id, map_id, measures | found, curves)
                advance(1)


def _similarities(
    forward: ForwardPass,
    batch: Subset,
    verdicts: IntArray,
    maps: dict[str, FloatArray],
    *,
    num_random_heads: int,
    randomised_head: Callable[[int], AbstractContextManager[None]],
) -> dict[str, dict[str, FloatArray]]:
    """Rank correlation of every map with itself under a randomised head, a flip, and a little more light."""
    flipped = forward(batch.images[:, :, ::-1], verdicts, batch.row_ids).densities
    brighter = np.clip(np.rint(batch.images * BRIGHTER), 0, 255).astype(np.uint8)
    brightened = forward(brighter, verdicts, batch.row_ids).densities
    under_heads = []
    for seed in range(num_random_heads):
        with randomised_head(seed):
            under_heads.append(forward(batch.images, verdicts, batch.row_ids).densities)

    ranked = [_ranked(forward, window) for window in batch.windows]

    def correlations(others: dict[str, FloatArray], map_id: str) -> FloatArray:
        pairs = zip(maps[map_id], others[map_id], ranked, strict=True)
        return np.array([rank_correlation(first.ravel()[kept], second.ravel()[kept]) for first, second, kept in pairs])

    return {
        "head_similarity": {
            map_id: np.mean([correlations(others, map_id) for others in under_heads], axis=0) for map_id in maps
        },
        "flip_stability": {
            map_id: correlations({map_id: flipped[map_id][:, :, ::-1]}, map_id) for map_id in maps
        },
        "brightness_stability": {map_id: correlations(brightened, map_id) for map_id in maps},
    }  # fmt: skip


def _ranked(forward: ForwardPass, window: Window) -> IntArray:
    """The patches of an image that count."""
    return patches_of_photo(window, forward.model.image_size, forward.model.grid_size)


def _perturb(
    forward: ForwardPass,
    image: UInt8Array,
    window: Window,
    densities: dict[str, FloatArray],
    *,
    row_id: str,
    num_steps: int,
    verdict: int,
    probs: FloatArray,
) -> dict[str, tuple[dict[str, float], dict[str, FloatArray]]]:
    """Measures and curves of one image, by map id."""
    grid_size = forward.model.grid_size
    seed = (seed_of(row_id), TIES)
    ranked = _ranked(forward, window)
    orders = {map_id: ranked[rank_patches(density.ravel()[ranked], seed)] for map_id, density in densities.items()}
    fillings = [fill_photo(image, window, baseline) for baseline in BASELINES]
    found = {}
    for map_id, order in orders.items():
        if not np.isfinite(densities[map_id]).all():
            found[map_id] = _undefined(num_steps)
            continue
        copies = perturbed_copies(image, order, grid_size, num_steps, fillings)
        perturbed = softmax(forward.logits(np.stack(copies)), axis=1)[:, verdict]
        curves = curves_of(float(probs[verdict]), perturbed, num_steps)
        measures = {name: area_under_curve(curve) for name, curve in curves.items()}
        measures["faithfulness"] = float(
            np.mean([measures[f"insertion_{name}"] - measures[f"deletion_{name}"] for name in BASELINES])
        )
        saliences = [densities[map_id].ravel()[group].sum() for group in group_patches(order, num_steps)]
        measures["saco"] = saco(np.array(saliences), probs[verdict] - perturbed[-num_steps:])
        found[map_id] = (measures, curves)
    return found


def _undefined(num_steps: int) -> tuple[dict[str, float], dict[str, FloatArray]]:
    names = [f"{kind}_{baseline}" for baseline in BASELINES for kind in ("deletion", "insertion")]
    nothing = dict.fromkeys([*names, "faithfulness", "saco"], float("nan"))
    return nothing, {name: np.full(num_steps + 1, np.nan) for name in names}
