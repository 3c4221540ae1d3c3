"""What a run relies on, as its stages judged it: the shortcut that they named, or what was looked for and not found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from evalharness.audit import PullCell, name_shortcut
from evalharness.manifest import found_concepts, name_classes
from evalharness.records import Interval
from evalharness.report.html.wording import number

Outcome = Literal["shortcut", "none found", "cannot tell", "nobody looked"]
Source = Literal["regions", "concepts", "stress"]
SOURCES: tuple[Source, ...] = ("regions", "concepts", "stress")
"""Stages that look for shortcuts, by their name in the manifest."""
HOW_TO_LOOK = (
    "To look for them, name annotated regions with dataset.annotations=PATH, or set concepts.num_images=all, and "
    "evaluate again: what was predicted is kept."
)


@dataclass(frozen=True, slots=True)
class Reliance:
    """What a run relies on."""

    outcome: Outcome
    headline: str
    sentence: str
    """With the numbers; never more than the stage itself says."""
    source: Source | None = None
    """Where a shortcut was found."""
    category: str = ""
    """Of the shortcut: an annotated category, or the name of a concept."""
    class_name: str = ""
    """That it pulls to."""
    concept: int | None = None
    """Number of the concept."""


def find_reliance(manifest: Mapping[str, Any], audit: pd.DataFrame | None) -> Reliance:
    """The shortcut of the annotated audit, else a harmful concept, else one of pasted cut-outs; else what was tested.

    Args:
        manifest: Of an evaluation.
        audit: Its table of annotated regions, if there are any.
    """
    findings = manifest["findings"]
    # Before there was a least pull, every significant pull was called a shortcut.
    min_pull = manifest["config"]["audit"].get("min_pull", 0.0)
    regions, cutouts = (_cells(findings.get(source)) for source in ("regions", "stress"))
    concepts = found_concepts(manifest)
    if shortcut := name_shortcut(regions, min_pull):
        return _of_shortcut("regions", shortcut)
    if harmful := next((concept for concept in concepts if concept["is_harmful"]), None):
        shortcut = _cell({**harmful["shortcut"], "category": harmful["name"]})
        return _of_shortcut("concepts", shortcut, harmful["number"])
    if shortcut := name_shortcut(cutouts, min_pull):
        return _of_shortcut("stress", shortcut)
    # The others' sentences are in the summary.
    sentence = next((findings[source]["sentence"] for source in SOURCES if findings.get(source)), "")
    if not sentence:
        return Reliance("nobody looked", "Nobody looked for shortcuts", HOW_TO_LOOK)
    tested = list(filter(None, (_of_regions(regions, audit), _of_concepts(findings), _of_cutouts(cutouts))))
    if not tested:
        return Reliance("cannot tell", "Cannot tell what it relies on: too few photos to test for shortcuts", sentence)
    first, *others = tested
    nor = "".join(f" Nor was one found among {other}." for other in others)
    return Reliance("none found", f"No shortcut found among {first}", f"{sentence}{nor}")


def _of_shortcut(source: Source, cell: PullCell, concept: int | None = None) -> Reliance:
    pull = cell.pull
    where = "photos of other classes with a pasted cut-out," if source == "stress" else "photos of other classes"
    return Reliance(
        outcome="shortcut",
        headline=f"Relies on {cell.category}: pulls verdicts to {cell.class_name}",
        sentence=f"In {cell.num_images} {where} {cell.category} adds {number(pull.value)} "
        f"({number(pull.ci_low)} to {number(pull.ci_high)}) to the probability of {cell.class_name} "
        f"(p = {cell.p_value:.2g}, corrected).",
        source=source,
        category=cell.category,
        class_name=cell.class_name,
        concept=concept,
    )


def _of_regions(cells: Sequence[PullCell], audit: pd.DataFrame | None) -> str:
    names = _tested(cells)
    if not names or audit is None:
        return ""
    num_photos = audit.loc[audit["category"].isin(names), "row_id"].nunique()
    return f"{name_classes(names)} in {num_photos:,} photos"


def _of_concepts(findings: Mapping[str, Any]) -> str:
    found = findings.get("concepts") or {"concepts": ()}
    # Only these are in enough photos of other classes.
    num_tested = sum(concept["role"] == "distractor" and bool(concept["strongest"]) for concept in found["concepts"])
    if not num_tested:
        return ""
    num_photos = found["num_fit_photos"] + found["num_claim_photos"]
    return f"{num_tested} discovered concept{'s' * (num_tested > 1)} in {num_photos:,} photos"


def _of_cutouts(cells: Sequence[PullCell]) -> str:
    names = _tested(cells)
    return f"pasted cut-outs of {name_classes(names)}" if names else ""


def _tested(cells: Sequence[PullCell]) -> list[str]:
    return list(dict.fromkeys(cell.category for cell in cells if cell.is_significant is not None))


def _cells(found: Mapping[str, Any] | None) -> list[PullCell]:
    return [_cell(entry) for entry in (found or {}).get("pull", ())]


def _cell(entry: Mapping[str, Any]) -> PullCell:
    return PullCell(**{**entry, "pull": Interval(**entry["pull"])})
