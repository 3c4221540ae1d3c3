"""What a stored evaluation tells of a new image: how far its confidence can be trusted, and how ordinary it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalharness.audit import NOISE_MEASURES
from evalharness.audit.noise import RANKED_BY
from evalharness.audit.novelty import MIN_IMAGES, Neighbourhood, conformal_p_values, num_to_tell
from evalharness.believing import FittedJudge
from evalharness.metrics.temperature import Temperature, cross_fit_temperature
from evalharness.records import BatchOutput, FloatArray, IntArray
from evalharness.results import StoredResult
from evalharness.statistics import resampling_units

UNLIKE_FROM = 0.99
"""An image is unlike the evaluated ones if of images like them a part of 1 - this at most is as far from them."""
NOISY_FROM = 0.95
"""A map is noisy if of maps like the evaluated ones a part of 1 - this at most is as scattered."""
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class PlaceAmong:
    """One image beside the evaluated ones; None where that cannot be told."""

    calibrated_confidence: float | None
    novelty: float | None
    """1 - the conformal p-value of its distance: the part of images like the evaluated ones that are nearer, 0 to 1."""
    noise: float | None
    """The same of the map: the part of maps like the evaluated ones that are less noisy."""
    num_groups: int
    """Evaluated images, or groups of images, that it is placed among: few cannot tell what is rare."""

    @property
    def is_unlike(self) -> bool | None:
        """Whether the model was never evaluated on anything like it."""
        return self._is_beyond(self.novelty, UNLIKE_FROM)

    @property
    def is_noisy(self) -> bool | None:
        """Whether the map is more scattered than nearly all."""
        return self._is_beyond(self.noise, NOISY_FROM)

    def _is_beyond(self, place: float | None, limit: float) -> bool | None:
        if place is None or self.num_groups < num_to_tell(1 - limit):
            return None
        return place >= limit - ROUNDING

    @property
    def warnings(self) -> tuple[str, ...]:
        """For a person."""
        found = []
        if self.is_unlike:
            found.append(
                f"unlike the evaluated images: farther from them than {self.novelty:.1%} of images like them would be"
            )
        if self.is_noisy:
            found.append(f"noisy map: more scattered than {self.noise:.0%} of the evaluated maps")
        return tuple(found)

    @property
    def plain(self) -> dict[str, Any]:
        """For machines; what is not known is left out."""
        values: dict[str, Any] = {}
        if self.calibrated_confidence is not None:
            values["calibrated_confidence"] = self.calibrated_confidence
        if self.novelty is not None:
            values["novelty"] = self.novelty
        if self.noise is not None:
            values["noise"] = self.noise
        told = {"is_unlike": self.is_unlike, "is_noisy": self.is_noisy}
        return values | {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True)
class EvaluatedImages:
    """The evaluated images as a yardstick."""

    digests: dict[str, int]
    """Position by SHA-256 of the image file."""
    units: IntArray
    """Number of each image's group, from 0 without gaps."""
    temperature: Temperature | None
    neighbourhood: Neighbourhood | None
    map_id: str | None
    maps_noise: dict[str, FloatArray]
    """By measure, of all evaluated maps; NaN where one is not defined."""
    notes: tuple[str, ...]
    """What can be told and what cannot, as sentences."""

    @classmethod
    def of(
        cls,
        stored: StoredResult,
        map_id: str | None,
        judge: FittedJudge | None = None,
        temperature: Temperature | None = None,
    ) -> "EvaluatedImages":
        """Measures a stored evaluation.

        Args:
            stored: The evaluation.
            map_id: The map that new images get.
            temperature: Of the confidences, where it is stored.
            judge: Tells how unlike an image is; None: told by the features alone.
        """
        num_images, digests = len(stored.samples), stored.samples["sha256"]
        places = {digest: position for position, digest in enumerate(digests)}
        groups = list(stored.samples["group"])
        units = resampling_units(groups, num_images)
        if num_images < MIN_IMAGES:
            reason = f"{num_images} evaluated images are too few to calibrate by, or to tell what is unusual"
            return cls(places, units, None, None, None, {}, (f"{reason} ({MIN_IMAGES} are needed)",))
        labels = np.array([stored.classes.index(label) for label in stored.samples["label"]])
        seed = int(stored.recipe["seed"])
        temperature = temperature or cross_fit_temperature(stored.logits, labels, groups, seed=seed)
        noise: dict[str, FloatArray] = {}
        if map_id is not None and map_id in stored.map_ids:
            noise = _noise(np.asarray(stored.maps(map_id), np.float32))
            noise = noise if np.isfinite(noise[RANKED_BY[0]]).any() else {}
        neighbourhood = None if judge else Neighbourhood.of(np.asarray(stored.features, np.float32), groups)
        places_among = judge.novelty if judge else neighbourhood
        notes = (_describe(temperature), *_describe_places(int(units.max()) + 1, num_images, places_among))
        return cls(places, units, temperature, neighbourhood, map_id, noise, notes)

    def place(self, output: BatchOutput, digests: Sequence[str]) -> list[PlaceAmong]:
        """Places images among the evaluated ones.

        Args:
            output: Of the model.
            digests: SHA-256 of each file; an evaluated image is placed among the others, not beside itself.
        """
        confidences = novelties = noises = None
        known = [self.digests.get(digest) for digest in digests]
        own_units = [None if position is None else int(self.units[position]) for position in known]
        if self.temperature is not None and self.temperature.helps:
            confidences = self.temperature.apply(output.logits).max(axis=1)
        if self.neighbourhood is not None:
            # As the stored features are rounded.
            scores = self.neighbourhood.score(output.features.astype(np.float16))
            for index, position in enumerate(known):
                if position is not None:
                    scores[index] = self.neighbourhood.scores[position]
            novelties = 1 - conformal_p_values(self.neighbourhood.scores, self.units, scores, own_units)
        if self.maps_noise and self.map_id is not None:
            noises = self._place_noise(_noise(output.densities[self.map_id]), own_units)
        num_groups = int(self.units.max()) + 1
        columns = [_known(values, len(digests)) for values in (confidences, novelties, noises)]
        return [
            PlaceAmong(confidence, novelty, noise, num_groups)
            for confidence, novelty, noise in zip(*columns, strict=True)
        ]

    def _place_noise(self, noise: dict[str, FloatArray], own_units: Sequence[int | None]) -> FloatArray:
        """The mean place of each map in the measures of noise, placed among those of the evaluated maps."""
        is_defined = ~np.isnan(self.maps_noise[RANKED_BY[0]])
        measures = {name: values[is_defined] for name, values in self.maps_noise.items()}
        stored = np.mean([_mid_places(values, values) for values in measures.values()], axis=0)
        new = np.mean([_mid_places(values, noise[name]) for name, values in measures.items()], axis=0)
        kept, units = np.unique(self.units[is_defined], return_inverse=True)
        numbers = {int(unit): number for number, unit in enumerate(kept)}
        own = [None if unit is None else numbers.get(unit) for unit in own_units]
        return 1 - conformal_p_values(stored, units, new, own)


def _known(values: FloatArray | None, num_images: int) -> list[float | None]:
    """A number per image, None where it is not known."""
    if values is None:
        return [None] * num_images
    return [None if np.isnan(value) else float(value) for value in values]


def _noise(maps: FloatArray) -> dict[str, FloatArray]:
    return {name: NOISE_MEASURES[name](maps) for name in RANKED_BY}


def _mid_places(stored: FloatArray, values: FloatArray) -> FloatArray:
    """The part of the stored values below each value, those that tie counting half; NaN for NaN."""
    ordered = np.sort(stored)
    below, up_to = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return np.where(np.isnan(values), np.nan, (below + up_to) / (2 * len(stored)))


def _describe_places(num_groups: int, num_images: int, neighbourhood: object | None) -> list[str]:
    """What cannot be told of unusual images, if anything."""
    counted = f"{num_images} evaluated images"
    if num_groups < num_images:
        counted += f" of {num_groups} groups (dataset.group), which count as one each,"
    if neighbourhood is None:
        return [f"how unlike an image is cannot be told: {counted} have too few others outside their own group"]
    level, wanted = f"{1 - UNLIKE_FROM:.0%}", num_to_tell(1 - UNLIKE_FROM)
    if num_groups >= wanted:
        return []
    cannot = "whether an image is unlike the evaluated ones cannot be told"
    return [f"{cannot}: {counted} are too few to say what is as rare as {level} ({wanted} are needed)"]


def _describe(temperature: Temperature) -> str:
    counted = f"{temperature.num_rows} evaluated images, each under a temperature fitted without it"
    if not temperature.helps:
        return f"confidences are not scaled: on {counted}, no temperature makes the labels more likely"
    return (
        f"confidences are calibrated with temperature {temperature.value:.2f}: on {counted}, the calibration error "
        f"goes from {temperature.ece_before:.3f} to {temperature.ece_after:.3f}, log loss from "
        f"{temperature.log_loss_before:.3f} to {temperature.log_loss_after:.3f}"
    )
