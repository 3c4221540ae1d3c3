"""Where the harmful categories lie on the evaluated photos: annotated, or discovered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalharness import dataset as datasets
from evalharness.annotations import load_configured_annotations
from evalharness.audit import BoolArray, ImageRegions, Role, place_regions
from evalharness.audit.geometry import turn_upright
from evalharness.errors import ResultsError
from evalharness.repairing.evaluation import Evaluation
from evalharness.repairing.harm import Harm, concept_names

CONCEPTS = "concepts.parquet"


@dataclass(frozen=True)
class Regions:
    """The regions of the evaluated rows, by category."""

    roles: Mapping[str, Role]
    by_row: Mapping[str, frozenset[str]]
    """The categories that lie on each row's photo."""
    masks: Callable[[str], Mapping[str, BoolArray]]
    """Of a row id: each category's pixels on the upright photo, (height, width)."""
    known_from: frozenset[str] = frozenset()
    """Rows that the categories were found by, which therefore prove nothing; cut-outs come from these."""

    @property
    def distractors(self) -> tuple[str, ...]:
        """Categories of this role."""
        return tuple(sorted(name for name, role in self.roles.items() if role == "distractor"))

    def on_input(self, row_id: str, photos: datasets.Photos) -> ImageRegions:
        """A row's regions on the model's input."""
        return place_regions(dict(self.masks(row_id)), dict(self.roles), photos.placement(row_id))


NO_REGIONS = Regions({}, {}, lambda _: {})


def read_regions(evaluation: Evaluation, harm: Harm) -> Regions:
    """The regions that the harmful categories were found by: annotated, or discovered.

    Raises:
        EvalHarnessError: They are gone, or have changed so that a harmful category is no longer among them.
    """
    found = _read_concepts(evaluation, harm) if harm.source == "concepts" else _read_annotations(evaluation)
    missing = [name for name in harm.categories if found.roles.get(name) != "distractor"]
    if missing:
        raise ResultsError(
            "regions are not those that the run was audited with",
            expected=f"distractors {', '.join(harm.categories)}",
            got=", ".join(found.distractors) or "none",
            where=evaluation.run.result.folder,
            fix="Evaluate again, and repair that run",
        )
    return found


def _read_annotations(evaluation: Evaluation) -> Regions:
    config, dataset = evaluation.config, evaluation.dataset
    if config.dataset.annotations is None:
        raise ResultsError(
            "the run was audited with regions that its config does not name", where=evaluation.run.result.folder,
            fix="Evaluate again, and repair that run",
        )  # fmt: skip
    found = load_configured_annotations(
        config,
        config.dataset.annotations,
        samples=dataset.samples,
        images=dataset.images,
        classes=evaluation.classes,
        left_out=dataset.left_out,
    )

    def masks(row_id: str) -> dict[str, BoolArray]:
        orientation = evaluation.photos.orientation(row_id)
        return {name: turn_upright(mask, orientation) for name, mask in found.masks(row_id).items()}

    by_row = {row_id: frozenset(region.category for region in regions) for row_id, regions in found.regions.items()}
    return Regions(dict(found.roles), by_row, masks)


def _read_concepts(evaluation: Evaluation, harm: Harm) -> Regions:
    """The boxes of discovered regions; concepts that do no harm count as objects, which controls avoid."""
    path = evaluation.run.result.folder / CONCEPTS
    if not path.is_file():
        raise ResultsError("results are damaged", expected=CONCEPTS, got="missing", where=path, fix="Evaluate again")
    names = concept_names(evaluation.run.result.manifest)
    table = pd.read_parquet(path)
    table = table.assign(concept=[names.get(str(number), str(number)) for number in table["concept"]])
    table = table[table["is_assigned"]]
    parts = {str(row_id): rows for row_id, rows in table.groupby("row_id")}

    def masks(row_id: str) -> dict[str, BoolArray]:
        size = evaluation.photos.placement(row_id).photo_size
        found: dict[str, BoolArray] = {}
        for row in parts[row_id].to_dict("records"):
            mask = found.setdefault(str(row["concept"]), np.zeros(size, np.bool_))
            mask |= box_mask(row["top"], row["bottom"], row["left"], row["right"], size)
        return found

    by_row = {row_id: frozenset(rows["concept"]) for row_id, rows in parts.items()}
    roles: dict[str, Role] = {
        name: "distractor" if name in harm.categories else "object" for name in sorted(set(table["concept"]))
    }
    known_from = frozenset(map(str, table.loc[table["split"] == "fit", "row_id"]))
    return Regions(roles, by_row, masks, known_from)


def box_mask(top: float, bottom: float, left: float, right: float, size: tuple[int, int]) -> BoolArray:
    """A box in parts of the photo as pixels of a photo of (height, width); at least one."""
    height, width = size
    mask = np.zeros(size, np.bool_)
    first_row, first_column = min(round(top * height), height - 1), min(round(left * width), width - 1)
    last_row, last_column = max(round(bottom * height), first_row + 1), max(round(right * width), first_column + 1)
    mask[first_row:last_row, first_column:last_column] = True
    return mask
