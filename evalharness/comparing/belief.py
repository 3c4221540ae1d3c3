"""How many verdicts of each run can be believed, beside those of the reference, on the same rows and resamples."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evalharness.audit import Resampling
from evalharness.believing.coverage import aurc, coverage_at_risk, resample_measures
from evalharness.comparing.compared_runs import RunToCompare
from evalharness.comparison import Alignment, Difference, Judge, points_text
from evalharness.manifest import JUDGED
from evalharness.metrics.predictions import Predictions
from evalharness.records import FloatArray, IntArray, Interval
from evalharness.statistics import paired_bootstrap

COLUMNS = ["run", "measure", "reference", "value", "difference", "ci_low", "ci_high", "outcome"]
HIGHER_IS_BETTER = {"coverage": True, "coverage_at_risk": True, "aurc": False}


def compare_belief(
    runs: Sequence[RunToCompare],
    alignment: Alignment,
    predictions: Sequence[Predictions],
    groups: Sequence[str],
    resampling: Resampling,
) -> tuple[pd.DataFrame, list[str]]:
    """Compares what each run's judge says of the rows that all runs have.

    Args:
        runs: The reference first.
        alignment: Of their rows.
        predictions: Of each run, on these rows.
        groups: What the bootstrap draws together, per row.
        resampling: How to draw.

    Returns:
        A row per run and measure (`coverage`: the part that is believed; `coverage_at_risk` and `aurc` after the fact,
        at `believe.max_error` of the reference), and a sentence for each run.
    """
    judged = [_judged(run, positions) for run, positions in zip(runs, alignment.positions, strict=True)]
    rows, sentences = [], list[str]()
    max_error = runs[0].config.believe.max_error
    for run, own, predicted in zip(runs[1:], judged[1:], predictions[1:], strict=True):
        if judged[0] is None and own is None:
            continue
        if judged[0] is None or own is None:
            without = runs[0] if judged[0] is None else run
            sentences.append(
                f"What can be believed was not compared: {without.name} has no judge (an earlier version)."
            )
            continue
        found = _differences(
            judged[0], own, (predictions[0], predicted), max_error=max_error, groups=groups, resampling=resampling,
            judge=Judge(resampling.confidence, len(HIGHER_IS_BETTER) * (len(runs) - 1)),
        )  # fmt: skip
        rows += [(run.name, name, *_columns(entry)) for name, entry in found.items()]
        sentences.append(_describe(run.name, runs[0].name, found, max_error))
    return pd.DataFrame(rows, columns=COLUMNS), sentences


def _judged(run: RunToCompare, positions: IntArray) -> pd.DataFrame | None:
    path = run.result.folder / JUDGED
    return pd.read_parquet(path).iloc[positions] if path.is_file() else None


def _differences(
    before: pd.DataFrame,
    after: pd.DataFrame,
    predictions: tuple[Predictions, Predictions],
    *,
    max_error: float,
    groups: Sequence[str],
    resampling: Resampling,
    judge: Judge,
) -> dict[str, Difference]:
    believed = [np.asarray(table["belief"] == "believe", np.float64) for table in (before, after)]

    def coverage_at(confidence: float) -> Interval:
        return paired_bootstrap(
            believed[1] - believed[0], groups=groups, num_resamples=resampling.num_resamples, confidence=confidence,
            seed=resampling.seed,
        )  # fmt: skip

    found = {
        "coverage": judge.difference(
            believed[0].mean(), believed[1].mean(), coverage_at, higher_is_better=HIGHER_IS_BETTER["coverage"]
        )
    }
    risks: list[FloatArray] = [table["risk"].to_numpy(np.float64) for table in (before, after)]
    wrong = [each.is_correct == 0 for each in predictions]
    drawn = [
        resample_measures(risk, is_wrong, max_error=max_error, groups=groups, resampling=resampling)
        for risk, is_wrong in zip(risks, wrong, strict=True)
    ]
    values = {
        "coverage_at_risk": [coverage_at_risk(risk, own, max_error) for risk, own in zip(risks, wrong, strict=True)],
        "aurc": [aurc(risk, own) for risk, own in zip(risks, wrong, strict=True)],
    }
    for place, (name, (reference, value)) in enumerate(values.items()):
        found[name] = judge.resampled_difference(
            reference, value, drawn[1][place] - drawn[0][place], higher_is_better=HIGHER_IS_BETTER[name]
        )
    return found


def _columns(entry: Difference) -> tuple[float | str, ...]:
    interval = entry.difference
    return entry.reference, entry.value, interval.value, interval.ci_low, interval.ci_high, entry.outcome


def _describe(name: str, reference: str, found: dict[str, Difference], max_error: float) -> str:
    coverage, after = found["coverage"], found["coverage_at_risk"]
    return (
        f"Of {name} {coverage.value:.1%} of the verdicts may be believed, of {reference} {coverage.reference:.1%}, "
        f"difference {points_text(coverage)}; at {100 * max_error:g} % error after the fact {after.value:.1%} against "
        f"{after.reference:.1%}, difference {points_text(after)}."
    )
