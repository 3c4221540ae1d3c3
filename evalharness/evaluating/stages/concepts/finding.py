"""What was found without annotations."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from evalharness.audit import PullCell, PullLead, rank_cells
from evalharness.audit.pull import MIN_IMAGES
from evalharness.concepts import Concept
from evalharness.evaluating.album import Album
from evalharness.evaluating.stage import Finding
from evalharness.evaluating.stages.concepts.sheet import draw_cards
from evalharness.records import Interval


@dataclass(frozen=True)
class MeasuredConcept:
    """A concept with what is told of it; everything is measured on the claiming half."""

    concept: Concept
    num_regions: int
    frequency: float
    """Part of the photos that hold it."""
    lift: Interval
    """Part of the map on its regions, divided by their part of the photo."""
    delta_prob: Interval
    """What erasing a region takes from the probability of the verdict."""
    flips: Interval
    """Part of the verdicts that change then."""
    lies_on: Mapping[str, float]
    """Part of its regions by the annotated category that covers most of each; empty without annotations."""

    @property
    def plain(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        concept = self.concept
        return {
            **asdict(concept),
            "is_harmful": concept.is_harmful,
            "num_regions": self.num_regions,
            "frequency": self.frequency,
            "lift": asdict(self.lift),
            "delta_prob": asdict(self.delta_prob),
            "flips": asdict(self.flips),
            "lies_on": dict(self.lies_on),
        }


@dataclass(frozen=True)
class ConceptsFinding(Finding):
    """Everything that concepts tell of a run."""

    map_id: str
    block: int
    """Whose tokens tell regions apart, from 1."""
    num_fit_photos: int
    num_claim_photos: int
    num_fit_regions: int
    num_claim_regions: int
    num_without_control: int
    """Regions of the claiming half that cannot tell: no place off the hot patches was found for their shape."""
    concepts: tuple[MeasuredConcept, ...]
    """Harmful ones first, objects last; none where regions are too few to be grouped."""
    cells: tuple[PullCell, ...]
    """By number of the concept, then class."""
    lead: PullLead | None
    pull_sentence: str
    num_photos_wanted: int | None
    """What it would take to test half of the concepts; None where so many are at hand."""
    table: pd.DataFrame
    """A row a region: `concepts.parquet`."""

    @property
    def title(self) -> str:
        """Of the stage."""
        return "Discover"

    @property
    def was_tested(self) -> bool:
        """Whether any concept is in enough photos; those whose pull the fitting half rules out count as tested."""
        return any(cell.num_images >= MIN_IMAGES for cell in self.cells)

    @property
    def significant(self) -> tuple[PullCell, ...]:
        """The significant cells of distractors, strongest pull first."""
        told = {entry.concept.name for entry in self.concepts if entry.concept.role == "distractor"}
        return rank_cells([cell for cell in self.cells if cell.category in told])

    @property
    def harmful(self) -> tuple[MeasuredConcept, ...]:
        """Strongest pull first."""
        return tuple(entry for entry in self.concepts if entry.concept.is_harmful)

    @property
    def shortage(self) -> str:
        """What is missing, and how many photos would do; empty where nothing is."""
        if self.num_photos_wanted is None:
            return "" if self.concepts else f"No map of {self.map_id} has a hot region."
        num_photos = self.num_fit_photos + self.num_claim_photos
        would_do = f"about {_rounded(self.num_photos_wanted):,} photos would do"
        if not self.concepts:
            return f"Too few photos: {self.num_fit_regions} hot regions in {num_photos:,} photos; {would_do}."
        untested = sum(entry.concept.strongest is None for entry in self.concepts)
        return (
            f"Few photos: {untested} of {len(self.concepts)} concepts are in too few photos of other classes to be "
            f"tested; to find a pull in half of them {would_do}."
        )

    @property
    def sentence(self) -> str:
        """What was found, and on how many photos."""
        if not self.concepts:
            return self.shortage
        halves = (
            f"{len(self.concepts)} concepts were made from {self.num_fit_regions:,} hot regions of {self.map_id} in "
            f"{self.num_fit_photos:,} photos; everything is measured on {self.num_claim_photos:,} other photos."
        )
        return " ".join(filter(None, (self.pull_sentence, halves, self.shortage)))

    @property
    def measures(self) -> dict[str, float]:
        """How many concepts are harmful, and the largest pull of any but objects: 0 where none is significant."""
        if not self.was_tested:
            return {}
        largest = self.significant[0].pull.value if self.significant else 0.0
        return {"concepts/num_harmful": float(len(self.harmful)), "concepts/max_pull": largest}

    @property
    def row_columns(self) -> dict[str, pd.Series]:
        """`looks_at.<map_id>`: the concept that most of the map lies on."""
        if self.table.empty:
            return {}
        names = {entry.concept.number: entry.concept for entry in self.concepts}
        rows = self.table[self.table["is_assigned"] & self.table["concept"].isin(list(names))]
        most = rows.sort_values(["share", "concept"], ascending=[False, True]).drop_duplicates("row_id")
        told = []
        for row in most.to_dict("records"):
            concept = names[row["concept"]]
            kind = "harmful" if concept.is_harmful else concept.role
            told.append(f"{row['share']:.0%} on {concept.name} ({kind})")
        return {f"looks_at.{self.map_id}": pd.Series(told, index=most["row_id"], dtype=object)}

    @property
    def plain(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        names = (
            "map_id", "block", "num_fit_photos", "num_claim_photos", "num_fit_regions", "num_claim_regions",
            "num_without_control", "sentence", "shortage",
        )  # fmt: skip
        return {
            **{name: getattr(self, name) for name in names},
            "concepts": [entry.plain for entry in self.concepts],
            "pull": [asdict(cell) for cell in self.cells],
            "lead": asdict(self.lead) if self.lead else None,
        }

    def draw(self, album: Album) -> None:
        """`concepts.png`, and a strip of crops of every concept in `concepts/`."""
        draw_cards(album, self.map_id, self.table, [entry.plain for entry in self.concepts])


def _rounded(number: int) -> int:
    """Two digits: it is an estimate."""
    size = int(10 ** max(0, len(str(number)) - 2))
    return -(-number // size) * size
