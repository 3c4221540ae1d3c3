"""What a stored evaluation tells of a new image: how far its confidence can be trusted, and how ordinary it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalharness.audit import NOISE_MEASURES
from evalharness.audit.noise import RANKED_BY
from evalharness.audit.novelty import MIN_IMAGES, Neighbourhood, place_among
from evalharness.metrics.temperature import Temperature, cross_fit_temperature
from evalharness.records import BatchOutput, FloatArray
from evalharness.results import StoredResult

UNLIKE_FROM = 0.99
"""An image is unlike the evaluated ones if it is farther from them than this part of them are from each other."""
NOISY_FROM = 0.95


@dataclass(frozen=True, slots=True)
class PlaceAmong:
    """One image beside the evaluated ones; None where that cannot be told."""

    calibrated_confidence: float | None
    novelty: float | None
    """Part of the evaluated images that are nearer to the others than this one is, 0 to 1."""
    noise: float | None
    """Part of the evaluated maps that are less noisy, 0 to 1."""

    @property
    def is_unlike(self) -> bool:
        """Whether the model was never evaluated on anything like it."""
        return self.novelty is not None and self.novelty >= UNLIKE_FROM

    @property
    def is_noisy(self) -> bool:
        """Whether the map is more scattered than nearly all."""
        return self.noise is not None and self.noise >= NOISY_FROM

    @property
    def warnings(self) -> tuple[str, ...]:
        """For a person."""
        found = []
        if self.is_unlike:
            found.append(
                f"unlike the evaluated images: farther from them than {self.novelty:.0%} of them are from each other"
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
            values |= {"novelty": self.novelty, "is_unlike": self.is_unlike}
        if self.noise is not None:
            values |= {"noise": self.noise, "is_noisy": self.is_noisy}
        return values


@dataclass(frozen=True)
class EvaluatedImages:
    """The evaluated images as a yardstick."""

    digests: dict[str, int]
    """Position by SHA-256 of the image file."""
    written_paths: dict[str, str]
    """Path as in the CSV, by the same."""
    temperature: Temperature | None
    neighbourhood: Neighbourhood | None
    map_id: str | None
    maps_noise: dict[str, FloatArray]
    """By measure, of the evaluated maps that are defined."""
    notes: tuple[str, ...]
    """What can be told and what cannot, as sentences."""

    @classmethod
    def of(cls, stored: StoredResult, map_id: str | None) -> "EvaluatedImages":
        """Measures a stored evaluation.

        Args:
            stored: The evaluation.
            map_id: The map that new images get.
        """
        num_images, digests = len(stored.samples), stored.samples["sha256"]
        places = {digest: position for position, digest in enumerate(digests)}
        written = dict(zip(digests, stored.samples["path"], strict=True))
        if num_images < MIN_IMAGES:
            reason = f"{num_images} evaluated images are too few to calibrate by, or to tell what is unusual"
            return cls(places, written, None, None, None, {}, (f"{reason} ({MIN_IMAGES} are needed)",))
        labels = np.array([stored.classes.index(label) for label in stored.samples["label"]])
        seed = int(stored.recipe["seed"])
        temperature = cross_fit_temperature(stored.logits, labels, list(stored.samples["group"]), seed=seed)
        noise: dict[str, FloatArray] = {}
        if map_id is not None and map_id in stored.map_ids:
            noise = _noise(np.asarray(stored.maps(map_id), np.float32))
            is_defined = ~np.isnan(noise[RANKED_BY[0]])
            noise = {name: values[is_defined] for name, values in noise.items()} if is_defined.any() else {}
        neighbourhood = Neighbourhood.of(np.asarray(stored.features, np.float32))
        return cls(places, written, temperature, neighbourhood, map_id, noise, (_describe(temperature),))

    def place(self, output: BatchOutput, digests: Sequence[str]) -> list[PlaceAmong]:
        """Places images among the evaluated ones.

        Args:
            output: Of the model.
            digests: SHA-256 of each file; an evaluated image is placed among the others, not beside itself.
        """
        confidences = novelties = noises = None
        if self.temperature is not None and self.temperature.helps:
            confidences = self.temperature.apply(output.logits).max(axis=1)
        if self.neighbourhood is not None:
            # As the stored features are rounded.
            scores = self.neighbourhood.score(output.features.astype(np.float16))
            known = [self.digests.get(digest) for digest in digests]
            for index, position in enumerate(known):
                if position is not None:
                    scores[index] = self.neighbourhood.scores[position]
            novelties = place_among(self.neighbourhood.scores, scores)
        if self.maps_noise and self.map_id is not None:
            noises = self._place_noise(_noise(output.densities[self.map_id]))
        return [
            PlaceAmong(*(None if values is None or np.isnan(values[index]) else float(values[index])
                     for values in (confidences, novelties, noises)))
            for index in range(len(digests))
        ]  # fmt: skip

    def _place_noise(self, noise: dict[str, FloatArray]) -> FloatArray:
        """The mean place of each map in the measures of noise, placed among those of the evaluated maps."""
        stored = np.mean([_mid_places(values, values) for values in self.maps_noise.values()], axis=0)
        new = np.mean([_mid_places(values, noise[name]) for name, values in self.maps_noise.items()], axis=0)
        return place_among(stored, new)


def _noise(maps: FloatArray) -> dict[str, FloatArray]:
    return {name: NOISE_MEASURES[name](maps) for name in RANKED_BY}


def _mid_places(stored: FloatArray, values: FloatArray) -> FloatArray:
    """The part of the stored values below each value, those that tie counting half; NaN for NaN."""
    ordered = np.sort(stored)
    below, up_to = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return np.where(np.isnan(values), np.nan, (below + up_to) / (2 * len(stored)))


def _describe(temperature: Temperature) -> str:
    counted = f"{temperature.num_rows} evaluated images, each under a temperature fitted without it"
    if not temperature.helps:
        return f"confidences are not scaled: on {counted}, no temperature makes the labels more likely"
    return (
        f"confidences are calibrated with temperature {temperature.value:.2f}: on {counted}, the calibration error "
        f"goes from {temperature.ece_before:.3f} to {temperature.ece_after:.3f}, log loss from "
        f"{temperature.log_loss_before:.3f} to {temperature.log_loss_after:.3f}"
    )
