"""How much of one verdict is owed to harmful concepts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from evalharness.records import FloatArray

LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class VerdictHarm:
    """Of one photo."""

    share: float
    """Part of the map on regions of concepts that pull to the verdict, 0 to 1."""
    gain: float
    """What the strongest of them adds to the logit of the verdict, as erasing it shows; 0 without any."""
    strongest: int | None
    """Its place among the regions."""


NO_HARM = VerdictHarm(0.0, 0.0, None)


def measure_verdict_harm(
    logits: FloatArray,
    shares: Sequence[float],
    concepts: Sequence[int | None],
    erased_logits: FloatArray,
    pulls: Mapping[int, int],
) -> VerdictHarm:
    """Looks for regions of concepts that pull to the very class that the photo was given.

    Args:
        logits: Of the photo, (C,).
        shares: Part of the map on each of r regions.
        concepts: Number of each region's concept; None where it belongs to none.
        erased_logits: Without each region, (r, C); NaN where it could not be erased.
        pulls: Class index that each harmful concept pulls to, by its number.
    """
    verdict = int(np.argmax(logits))
    own = [place for place, concept in enumerate(concepts) if concept is not None and pulls.get(concept) == verdict]
    if not own:
        return NO_HARM
    without = np.array([_logit(erased_logits[place], verdict) for place in own])
    gains = np.nan_to_num(_logit(logits, verdict) - without)
    strongest = int(gains.argmax())
    return VerdictHarm(float(sum(shares[place] for place in own)), float(max(gains[strongest], 0.0)), own[strongest])


def _logit(logits: FloatArray, verdict: int) -> float:
    probability = float(softmax(np.asarray(logits, np.float64))[verdict])
    bounded = probability if np.isnan(probability) else min(max(probability, LEAST), 1 - LEAST)
    return float(np.log(bounded / (1 - bounded)))
