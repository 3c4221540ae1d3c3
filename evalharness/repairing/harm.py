"""What harms a run: the categories that pull its verdicts to a class, as its audit or its discovered concepts say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from evalharness.audit import PullCell, rank_cells
from evalharness.errors import ResultsError
from evalharness.manifest import found_concepts
from evalharness.records import Interval
from evalharness.results import StoredResult

Source = Literal["regions", "concepts", "cutouts"]
TABLES: dict[Source, str] = {"regions": "audit_pull.parquet", "concepts": "concepts_pull.parquet"}
"""Where a results folder tells of pull; the first in which something harms is taken."""


@dataclass(frozen=True)
class Harm:
    """What is to be repaired."""

    source: Source
    """Annotated regions, discovered concepts, or cut-outs that were pasted to see."""
    cells: tuple[PullCell, ...]
    """The harmful ones, strongest pull first; at least one."""

    @property
    def categories(self) -> tuple[str, ...]:
        """Each once."""
        return tuple(dict.fromkeys(cell.category for cell in self.cells))


def harmful_cells(cells: Sequence[PullCell], min_pull: float) -> tuple[PullCell, ...]:
    """The significant cells whose whole interval lies above the least pull, as the audit names a shortcut."""
    return tuple(cell for cell in rank_cells(cells) if cell.pull.ci_low > min_pull)


def read_harm(result: StoredResult, min_pull: float) -> Harm | None:
    """What the stored tables of an evaluation find harmful; None where it has no such table.

    Args:
        result: The evaluation.
        min_pull: `audit.min_pull`.

    Raises:
        ResultsError: There are tables, and nothing in them is harmful.
    """
    folder = result.folder
    found: dict[Source, list[PullCell]] = {}
    for source, name in TABLES.items():
        if (folder / name).is_file():
            cells = [_cell(row) for row in pd.read_parquet(folder / name).to_dict("records")]
            found[source] = cells if source == "regions" else _of_harmful_concepts(cells, result.manifest)
            if harmful := harmful_cells(found[source], min_pull):
                return Harm(source, harmful)
    if found:
        raise nothing_to_repair([cell for cells in found.values() for cell in cells], min_pull, folder)
    return None


def concept_names(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What each discovered concept is called, by its number as text."""
    return {str(concept["number"]): str(concept["name"]) for concept in found_concepts(manifest)}


def _of_harmful_concepts(cells: Sequence[PullCell], manifest: Mapping[str, Any]) -> list[PullCell]:
    """The cells of concepts that are not the object, under the concepts' names."""
    told = [concept for concept in found_concepts(manifest) if concept["role"] == "distractor"]
    names = {str(concept["number"]): str(concept["name"]) for concept in told}
    return [replace(cell, category=names[cell.category]) for cell in cells if cell.category in names]


def nothing_to_repair(cells: Sequence[PullCell], min_pull: float, folder: Path) -> ResultsError:
    """What to say of a run that nothing harms."""
    tested = [cell for cell in cells if cell.is_significant is not None]
    strongest = max(tested, key=lambda cell: cell.pull.value, default=None)
    got = "no tested category" if strongest is None else f"at most {describe_cell(strongest)}"
    return ResultsError(
        "nothing to repair",
        expected=f"a category whose pull is surely above audit.min_pull ({min_pull:g})",
        got=got,
        where=folder,
    )


def describe_cell(cell: PullCell) -> str:
    """Category, class, and the number with its interval."""
    pull = cell.pull
    return (
        f"{cell.category} to {cell.class_name} {pull.value:+.3f} ({pull.ci_low:+.3f} to {pull.ci_high:+.3f}, "
        f"{cell.num_images} images)"
    )


def _cell(row: Any) -> PullCell:
    significant = row["significant"]
    return PullCell(
        category=str(row["category"]),
        class_name=str(row["class"]),
        num_images=int(row["n"]),
        pull=Interval(float(row["pull"]), float(row["ci_low"]), float(row["ci_high"])),
        p_value=float(row["p_value"]),
        is_significant=None if pd.isna(significant) else bool(significant),
        pull_own=float(row["pull_own"]),
    )
