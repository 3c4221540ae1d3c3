"""What the judge says of the run."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from evalharness.audit import BoolArray
from evalharness.audit.novelty import num_to_tell
from evalharness.believing import FittedEvaluation, risk_coverage
from evalharness.believing.coverage import CoverageMeasures
from evalharness.believing.judge import UNKNOWN_LEVEL
from evalharness.evaluating.album import Album
from evalharness.evaluating.stage import Finding
from evalharness.records import FloatArray
from evalharness.report.risk_coverage import draw_risk_coverage

WORDS = {
    "logit_confidence": "confidence",
    "margin": "margin to the second class",
    "agreement": "whether the nearest evaluated photos are of the class",
    "distance": "distance to the evaluated photos",
    "noise": "noise of the map",
    "harmful_share": "share of the map on harmful concepts",
    "harmful_gain": "what erasing harmful concepts takes from the verdict",
}
"""Features of the risk."""


@dataclass(frozen=True)
class BelieveFinding(Finding):
    """Which verdicts may be believed, each photo judged as if it were new."""

    fitted: FittedEvaluation
    is_wrong: BoolArray
    """Of every evaluated photo."""
    confidence_risks: FloatArray
    """What the confidence alone ranks by."""
    by_risk: CoverageMeasures
    by_confidence: CoverageMeasures
    num_groups: int

    @property
    def title(self) -> str:
        """Of the stage."""
        return "May it be believed?"

    @property
    def counts(self) -> Counter[str]:
        """Photos by belief."""
        return Counter(self.fitted.judged.beliefs)

    @property
    def coverage(self) -> float:
        """Part of the verdicts that may be believed, 0 where none may."""
        return self.counts["believe"] / len(self.is_wrong)

    @property
    def shortage(self) -> str:
        """What is missing for a guarantee or for telling what is unknown; empty where nothing is."""
        guarantee, threshold, texts = self.fitted.judge.guarantee, self.fitted.judge.threshold, []
        if threshold.limit is None:
            needed = threshold.num_needed
            alone = self.num_groups == len(self.is_wrong)
            counted = "photos" if alone else "groups of photos (dataset.group)"
            promise = f"an error of at most {100 * guarantee.max_error:g} % with {guarantee.confidence:.0%} confidence"
            texts.append(
                f"{promise} takes {needed:,} believed {counted} without a single mistake, or more with some; "
                + (
                    f"there are {self.num_groups:,}."
                    if self.num_groups < needed
                    else f"among the least risky of the {self.num_groups:,} there are too many mistakes."
                )
            )
        if not self.fitted.judge.can_tell_unknown:
            texts.append(
                f"What is unlike the evaluated photos cannot be told: that takes {num_to_tell(UNKNOWN_LEVEL)} of them "
                "(or groups)."
            )
        return " ".join(text[0].upper() + text[1:] for text in texts)

    @property
    def sentence(self) -> str:
        """How many may be believed, and what that rests on."""
        guarantee, threshold = self.fitted.judge.guarantee, self.fitted.judge.threshold
        if threshold.limit is None:
            return f"No verdict can be believed. {self.shortage}"
        names = self.fitted.judge.risk.names
        based = "the confidence alone; nothing else helps" if len(names) == 1 else " and ".join(WORDS[n] for n in names)
        counts = self.counts
        unlike = f"{counts['unknown']:,} {'photo is' if counts['unknown'] == 1 else 'photos are'} unlike the others"
        return (
            f"{counts['believe']:,} of {len(self.is_wrong):,} verdicts may be believed ({self.coverage:.1%}), "
            f"{counts['check']:,} are to be checked, {unlike}. Of believed "
            f"ones at most {100 * guarantee.max_error:g} % are wrong, with {guarantee.confidence:.0%} confidence, for "
            f"photos like these ({threshold.num_wrong} of {threshold.num_believed:,} were). The risk is judged by "
            f"{based}. "
            f"{self.shortage}"
        ).strip()

    @property
    def measures(self) -> dict[str, float]:
        """What runs are compared by, by MLflow name."""
        return {
            "believe/coverage": self.coverage,
            "believe/coverage_at_risk": self.by_risk.coverage_at_risk.value,
            "believe/aurc": self.by_risk.aurc.value,
            "believe/confidence_coverage_at_risk": self.by_confidence.coverage_at_risk.value,
            "believe/confidence_aurc": self.by_confidence.aurc.value,
        }

    @property
    def plain(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        judge = self.fitted.judge
        return {
            "sentence": self.sentence,
            "shortage": self.shortage,
            "coverage": self.coverage,
            "counts": {name: self.counts[name] for name in ("believe", "check", "unknown")},
            "guarantee": asdict(judge.guarantee),
            "threshold": asdict(judge.threshold),
            "features": {name: WORDS[name] for name in judge.risk.names},
            "gains": {name: {"in_words": WORDS[name], "gain": gain} for name, gain in self.fitted.gains.items()},
            "by_risk": asdict(self.by_risk),
            "by_confidence": asdict(self.by_confidence),
        }

    @property
    def row_columns(self) -> Mapping[str, Any]:
        """None: figures are chosen by other columns."""
        return {}

    def draw(self, album: Album) -> None:
        """`risk_coverage.png`."""
        figure = draw_risk_coverage(
            risk_coverage(self.fitted.judged.risks, self.is_wrong),
            risk_coverage(self.confidence_risks, self.is_wrong),
            max_error=self.fitted.judge.guarantee.max_error,
            coverage=self.coverage,
            num_photos=len(self.is_wrong),
        )
        album.save("risk_coverage", figure)
