"""May a verdict be believed? Risk, a limit with a guarantee, and what is unlike anything evaluated."""

from evalharness.believing.coverage import (
    Ranking,
    RiskCoverage,
    aurc,
    coverage_at_risk,
    measure_coverage,
    risk_coverage,
)
from evalharness.believing.evidence import Evidence
from evalharness.believing.judge import (
    JUDGE_VERSION,
    Belief,
    FittedEvaluation,
    FittedJudge,
    Guarantee,
    Judged,
    fit_judge,
)
from evalharness.believing.texture import measure_texture
from evalharness.believing.threshold import num_without_error

__all__ = [
    "JUDGE_VERSION",
    "Belief",
    "Evidence",
    "FittedEvaluation",
    "FittedJudge",
    "Guarantee",
    "Judged",
    "Ranking",
    "RiskCoverage",
    "aurc",
    "coverage_at_risk",
    "fit_judge",
    "measure_coverage",
    "measure_texture",
    "num_without_error",
    "risk_coverage",
]
