"""The verdict on each map of a run: does it beat noise and a blob at the centre, and does it notice the head?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.records import FloatArray, Interval
from evalharness.statistics import paired_bootstrap, select_groups

MEASURES: Mapping[str, bool | None] = {
    "deletion_mean": False,
    "deletion_blur": False,
    "insertion_mean": True,
    "insertion_blur": True,
    "faithfulness": True,
    "saco": True,
    "head_similarity": False,
    "flip_stability": True,
    "brightness_stability": True,
}
"""Every measure and whether higher is better. `faithfulness` is insertion minus deletion, mean of both baselines."""
RIVALS = ("random", "center")
MIN_IMAGES = 10
"""With fewer images, or groups of images, that have the map, nothing is said of it."""


@dataclass(frozen=True, slots=True)
class MapFaithfulness:
    """How far one map can be trusted, from a subset of the images."""

    map_id: str
    num_images: int
    num_units: int
    """Images, or groups of images, for which faithfulness is defined."""
    measures: Mapping[str, Interval]
    """By name in `MEASURES`; NaN where no image defines it."""
    leads: Mapping[str, Interval]
    """Faithfulness minus that of `random` and of `center` on the same images."""
    max_head_similarity: float
    """Rank correlation with the map under a randomised head, below which the map notices the head."""

    @property
    def notices_head(self) -> bool:
        """Whether the map surely changes when the head is randomised: the whole interval lies below the threshold."""
        return self.measures["head_similarity"].ci_high < self.max_head_similarity

    @property
    def is_trusted(self) -> bool:
        """Beats both rivals, and notices the head, on enough images."""
        return self.num_units >= MIN_IMAGES and self.notices_head and all(self.beats(rival) for rival in RIVALS)

    def beats(self, rival: str) -> bool:
        """Whether the paired interval of the lead lies above 0."""
        return rival in self.leads and self.leads[rival].ci_low > 0

    @property
    def verdict(self) -> str:
        """A plain sentence."""
        if self.map_id in RIVALS:
            return "a yardstick, blind to the model"
        if self.num_units < MIN_IMAGES:
            return f"cannot tell: {self.num_units} images that differ have this map, and it takes {MIN_IMAGES}"
        parts = [f"{'beats' if self.beats(rival) else 'does not beat'} {rival}" for rival in RIVALS]
        parts.append(self._on_the_head)
        return ("believe it: " if self.is_trusted else "do not rely on it: ") + ", ".join(parts)

    @property
    def _on_the_head(self) -> str:
        if self.notices_head:
            return "notices the head"
        if self.measures["head_similarity"].ci_low >= self.max_head_similarity:
            return "blind to the head: says nothing about the class"
        return "not shown to notice the head"


def judge_maps(
    values: Mapping[str, Mapping[str, FloatArray]],
    map_ids: Sequence[str],
    *,
    groups: Sequence[str],
    max_head_similarity: float,
    num_resamples: int,
    confidence: float,
    seed: int,
) -> tuple[MapFaithfulness, ...]:
    """Puts intervals on every measure and compares each map with the rivals, image by image.

    Args:
        values: By map id and measure, (images,); NaN where an image does not define it. Has `random` and `center`.
        map_ids: The maps to judge, in this order.
        groups: What the bootstrap draws together, per image.
        max_head_similarity: A map notices the head if the interval of its rank correlation with the map under a
            randomised head lies below this, and is blind to it if the interval lies at or above it.
        num_resamples: Of the bootstrap over images.
        confidence: Coverage of the intervals.
        seed: Of the bootstrap.
    """

    def interval(differences: FloatArray) -> Interval:
        is_defined = np.isfinite(differences)
        if not is_defined.any():
            return Interval(np.nan, np.nan, np.nan)
        return paired_bootstrap(
            differences[is_defined],
            groups=select_groups(groups, is_defined),
            num_resamples=num_resamples,
            confidence=confidence,
            seed=seed,
        )

    judged = []
    for map_id in map_ids:
        own = values[map_id]
        measures = {name: interval(np.asarray(own[name], np.float64)) for name in MEASURES}
        leads = {
            rival: interval(np.asarray(own["faithfulness"]) - np.asarray(values[rival]["faithfulness"]))
            for rival in RIVALS
            if rival != map_id
        }
        num_units = len(set(np.asarray(groups)[np.isfinite(own["faithfulness"])]))
        judged.append(MapFaithfulness(map_id, len(groups), num_units, measures, leads, max_head_similarity))
    return tuple(judged)
