"""The hot regions of the photos: found on the stored map, described by the model's tokens, and erased."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evalharness.audit import BoolArray, erase, find_photo, plan_erasure
from evalharness.audit.hot_regions import find_regions, spread_patches
from evalharness.config import ConceptsConfig
from evalharness.console import progress_bar, tell_cost
from evalharness.evaluating.session import EvaluatedRows, Session
from evalharness.evaluating.stages.concepts.views import view_regions
from evalharness.records import FloatArray, UInt8Array

VERSION = 1
"""Of the stored features and logits."""
REGIONS, ERASURES = "concept_regions", "concept_erasures"
COLUMNS = ["row_id", "region", "share", "mean_density", "patches", "features"]
ERASED_COLUMNS = ["row_id", "region", "erased_logits", "control_logits"]


@dataclass(frozen=True)
class RegionSource:
    """Where regions come from."""

    rows: EvaluatedRows
    map_id: str
    row_ids: Sequence[str]
    """Photos whose map is read."""

    @property
    def config(self) -> ConceptsConfig:
        """The `concepts` section."""
        return self.rows.session.inputs.config.concepts

    @property
    def block(self) -> int:
        """Whose tokens describe a region, from 1."""
        return self.config.block or self.rows.session.model_properties.num_layers

    @property
    def key(self) -> dict[str, Any]:
        """What regions and their features depend on."""
        names = ("threshold", "min_share", "num_images", "views")
        return {
            "version": VERSION,
            "fingerprint": self.rows.session.inputs.fingerprint,
            "map_id": self.map_id,
            "block": self.block,
            **{name: getattr(self.config, name) for name in names},
        }


def describe_regions(source: RegionSource) -> pd.DataFrame:
    """A row per hot region, the strongest of a photo first: its patches along the grid, and its features.

    Returns:
        `row_id, region, share, mean_density, patches, features`; stored as `concept_regions.parquet`.
    """
    return source.rows.stored_table(REGIONS, source.key, lambda: _describe_all(source))


def erase_regions(source: RegionSource, regions: pd.DataFrame) -> pd.DataFrame:
    """Logits with each region erased, and with the same shape erased off the hot patches.

    Args:
        source: Of the regions.
        regions: Of `describe_regions`.

    Returns:
        `row_id, region, erased_logits, control_logits`, NaN where nothing could be erased; stored as
        `concept_erasures.parquet`.
    """
    key = {
        **source.key,
        "fill": source.rows.session.inputs.config.audit.fill,
        "num_controls": source.config.num_controls,
    }
    return source.rows.stored_table(ERASURES, key, lambda: _erase_all(source, regions))


def patches_of(row: Any, grid_size: tuple[int, int]) -> BoolArray:
    """The patches of a stored region, (grid rows, grid columns)."""
    mask = np.zeros(grid_size[0] * grid_size[1], np.bool_)
    mask[np.asarray(row["patches"], int)] = True
    return mask.reshape(grid_size)


def _describe_all(source: RegionSource) -> pd.DataFrame:
    session, config = source.rows.session, source.config
    found = {}
    for row_id in source.row_ids:
        density = source.rows.density(row_id, source.map_id)
        if regions := find_regions(density, threshold=config.threshold, min_share=config.min_share):
            found[row_id] = regions
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    num_regions = sum(map(len, found.values()))
    num_views = {"photo": len(found), "alone": num_regions, "crop": num_regions}
    num_passes = sum(num_views[view] for view in config.views)
    _tell(session, f"describing {num_regions} hot regions", num_passes)
    features = view_regions(session, found, source.block, config.views)
    listed = [(row_id, number, region) for row_id, own in found.items() for number, region in enumerate(own)]
    return pd.DataFrame(
        [
            (
                row_id, number, region.share, region.share / float(region.patches.mean()),
                np.flatnonzero(region.patches).tolist(), values.tolist(),
            )
            for (row_id, number, region), values in zip(listed, features, strict=True)
        ],
        columns=COLUMNS,
    )  # fmt: skip


def _erase_all(source: RegionSource, regions: pd.DataFrame) -> pd.DataFrame:
    session, num_controls = source.rows.session, source.config.num_controls
    by_row = {str(row_id): own for row_id, own in regions.groupby("row_id", sort=False)}
    _tell(session, f"erasing {len(regions)} hot regions", len(regions) * (1 + num_controls))
    erased: list[tuple[Any, ...]] = []
    with progress_bar("Erasing hot regions", len(by_row)) as advance:
        for row_id, own in by_row.items():
            logits = _erase_one(source, row_id, own.to_dict("records"))
            erased += [
                (row_id, number, parts[0].tolist(), parts[1:].ravel().tolist())
                for number, parts in zip(own["region"], logits, strict=True)
            ]
            advance(1)
    return pd.DataFrame(erased, columns=ERASED_COLUMNS)


def _erase_one(source: RegionSource, row_id: str, regions: Sequence[Any]) -> FloatArray:
    """Logits without each region of a photo and without its controls, (regions, 1 + controls, classes)."""
    session, config = source.rows.session, source.config
    fill, grid_size = session.inputs.config.audit.fill, session.model_properties.grid_size
    image = session.photos.load_input(row_id)
    photo_pixels = find_photo(session.photos.placement(row_id))
    hot = spread_patches(source.rows.density(row_id, source.map_id) > config.threshold, image) > 0
    copies: list[UInt8Array] = []
    places: list[tuple[int, int]] = []
    for place, region in enumerate(regions):
        coverage = spread_patches(patches_of(region, grid_size), image) * photo_pixels
        plan = plan_erasure(
            coverage, hot, row_id=row_id, category=f"concepts {region['region']}", photo_pixels=photo_pixels,
            num_controls=config.num_controls,
        )  # fmt: skip
        if plan.status not in ("ok", "no_control"):
            continue
        chosen = [plan.pixels, *(plan.control(index) for index in range(len(plan.offsets)))]
        copies += [erase(image, pixels, fill, photo_pixels=photo_pixels) for pixels in chosen]
        places += [(place, index) for index in range(len(chosen))]
    logits = np.full((len(regions), 1 + config.num_controls, len(session.inputs.classes)), np.nan)
    if copies:
        logits[tuple(np.transpose(places))] = session.forward.logits(np.stack(copies))
    return logits


def _tell(session: Session, what: str, num_passes: int) -> None:
    blank: UInt8Array = np.zeros((8, *session.inputs.config.model.image_size, 3), np.uint8)
    tell_cost(what, num_passes=num_passes, run_once=lambda: session.forward.logits(blank), passes_per_run=len(blank))
