"""How many verdicts can be believed at which error: the risk-coverage curve (El-Yaniv & Wiener 2010, JMLR 11)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.audit import BoolArray, Resampling
from evalharness.records import FloatArray, Interval
from evalharness.statistics import percentile_interval, resample_counts, resampling_units


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """The error among the least risky photos, for every number of them; tied photos come together."""

    coverage: FloatArray
    """Part of the photos that are believed, rising to 1."""
    risk: FloatArray
    """Part of the believed verdicts that are wrong, 0 to 1."""


class Ranking:
    """Photos in the order of their risk, for the curve and its numbers in any resample.

    Args:
        scores: Risk of each photo, (N,); only their order counts.
        is_wrong: Whether its verdict is wrong, (N,).
    """

    def __init__(self, scores: FloatArray, is_wrong: BoolArray) -> None:
        self._order = np.argsort(scores, kind="stable")
        ordered = np.asarray(scores)[self._order]
        self._wrong = np.asarray(is_wrong, np.float64)[self._order]
        self._ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))

    def curve(self) -> RiskCoverage:
        """Of the photos themselves."""
        coverage, risk = self._resampled(np.ones((1, len(self._order))))
        return RiskCoverage(coverage[0], risk[0])

    def measure(self, counts: FloatArray, max_error: float) -> tuple[FloatArray, FloatArray]:
        """The curve's two numbers in each resample.

        Args:
            counts: How often each photo is in each resample, (R, N).
            max_error: Part of the believed verdicts that may be wrong.

        Returns:
            The largest part of the photos with at most this error among them, 0 where there is none, and the area under
            the curve, the mean of its risk over the photos (Geifman et al. 2019; lower is better), (R,) each.
        """
        coverage, risk = self._resampled(counts)
        steps = np.diff(coverage, prepend=0, axis=1)
        areas = np.where(steps > 0, steps * risk, 0).sum(axis=1)
        return np.asarray(np.where(risk <= max_error, coverage, 0).max(axis=1)), np.asarray(areas)

    def _resampled(self, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        ordered = counts[:, self._order]
        believed = np.cumsum(ordered, axis=1)[:, self._ends]
        wrong = np.cumsum(ordered * self._wrong, axis=1)[:, self._ends]
        risk = np.divide(wrong, believed, out=np.ones_like(wrong), where=believed > 0)
        return believed / believed[:, -1:], risk


def risk_coverage(scores: FloatArray, is_wrong: BoolArray) -> RiskCoverage:
    """The curve of scores, (N,), and of what is wrong, (N,)."""
    return Ranking(scores, is_wrong).curve()


def aurc(scores: FloatArray, is_wrong: BoolArray) -> float:
    """The area under the curve; see `Ranking`."""
    return float(Ranking(scores, is_wrong).measure(np.ones((1, len(scores))), 0)[1][0])


def coverage_at_risk(scores: FloatArray, is_wrong: BoolArray, max_error: float) -> float:
    """The largest coverage with at most this error; see `Ranking`."""
    return float(Ranking(scores, is_wrong).measure(np.ones((1, len(scores))), max_error)[0][0])


@dataclass(frozen=True, slots=True)
class CoverageMeasures:
    """The numbers of one curve with their intervals."""

    coverage_at_risk: Interval
    aurc: Interval


def measure_coverage(
    scores: FloatArray,
    is_wrong: BoolArray,
    *,
    max_error: float,
    groups: Sequence[str] | None,
    resampling: Resampling,
) -> CoverageMeasures:
    """Coverage at an error and the area under the curve, with bootstrap intervals over groups.

    Args:
        scores: Risk of each photo, (N,).
        is_wrong: (N,).
        max_error: Part of the believed verdicts that may be wrong.
        groups: What is drawn together.
        resampling: How to draw; the same seed and groups draw the same resamples.
    """
    coverages, areas = resample_measures(scores, is_wrong, max_error=max_error, groups=groups, resampling=resampling)
    confidence = resampling.confidence
    return CoverageMeasures(
        percentile_interval(coverage_at_risk(scores, is_wrong, max_error), coverages, confidence),
        percentile_interval(aurc(scores, is_wrong), areas, confidence),
    )


def resample_measures(
    scores: FloatArray,
    is_wrong: BoolArray,
    *,
    max_error: float,
    groups: Sequence[str] | None,
    resampling: Resampling,
) -> tuple[FloatArray, FloatArray]:
    """`coverage_at_risk` and `aurc` in every resample, (R,) each; arguments as `measure_coverage`."""
    ranking, units = Ranking(scores, is_wrong), resampling_units(groups, len(scores))
    drawn = resample_counts(units, num_resamples=resampling.num_resamples, seed=resampling.seed)
    coverages, areas = zip(*(ranking.measure(counts, max_error) for counts in drawn), strict=True)
    return np.concatenate(coverages), np.concatenate(areas)
