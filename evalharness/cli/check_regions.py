"""The part of `evalharness check` that looks at annotated regions, so that a person can."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.console import note, warn
from evalharness.slugs import slug

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.annotations import Annotations, Doubt
    from evalharness.audit import BoolArray
    from evalharness.config import RunConfig
    from evalharness.records import Dataset

NUM_DRAWN = 12
MAX_DOUBTFUL = 24
MAX_COMPARED = 6
"""Photos that are drawn twice, where nothing tells what their regions were drawn on."""


def look_at_regions(
    config: "RunConfig", dataset: "Dataset", annotations: "Annotations", grid_size: tuple[int, int] | None
) -> int:
    """Warns of what is unlikely and draws a sheet of photos with their regions; returns the number of warnings.

    Args:
        config: Of the check.
        dataset: The rows.
        annotations: Of the rows.
        grid_size: Patch rows and columns of the model; None where it could not be loaded.
    """
    from evalharness.annotations import small_categories

    small = small_categories(annotations.areas, grid_size) if grid_size else ()
    for doubt in small:
        warn(f"annotations: {doubt.text}")
    doubts = [*annotations.doubts, *small]
    path = _draw(config, dataset, annotations, doubts)
    if path is not None:
        note(f"regions: look at {path}")
    return len(doubts)


def _draw(config: "RunConfig", dataset: "Dataset", annotations: "Annotations", doubts: "list[Doubt]") -> Path | None:
    from evalharness.annotations import unite
    from evalharness.audit.geometry import turn_upright
    from evalharness.dataset import Photos
    from evalharness.report import save_figure
    from evalharness.report.region_sheet import AnnotatedPhoto, draw_region_sheet

    remarks: dict[str, str] = {}
    for doubt in doubts:
        for row_id in doubt.row_ids:
            remarks.setdefault(row_id, f"? {doubt.mark}")
    annotated = [row_id for row_id, regions in annotations.regions.items() if regions]
    chosen = sorted(annotated, key=lambda row_id: hashlib.sha256(f"{config.seed}:{row_id}".encode()).hexdigest())
    doubtful = [row_id for row_id in remarks if row_id in annotations.regions][:MAX_DOUBTFUL]
    shown = list(dict.fromkeys([*doubtful, *chosen[:NUM_DRAWN]]))
    if not shown:
        return None
    photos = Photos(dataset, config.dataset, config.model.image_size)

    def entry(row_id: str, masks: "Mapping[str, BoolArray]", remark: str) -> AnnotatedPhoto:
        orientation = photos.orientation(row_id)
        turned = {category: turn_upright(mask, orientation) for category, mask in masks.items()}
        return AnnotatedPhoto(row_id, photos.load_photo(row_id), turned, remark)

    entries = []
    for number, row_id in enumerate(shown):
        is_compared = row_id in annotations.if_upright and number < MAX_COMPARED
        remark = "? if drawn as stored (assumed)" if is_compared else remarks.get(row_id, "")
        entries.append(entry(row_id, annotations.masks(row_id), remark))
        if is_compared:
            entries.append(entry(row_id, unite(annotations.if_upright[row_id]), "? if drawn upright"))
    folder = config.runs_dir / "check"
    folder.mkdir(parents=True, exist_ok=True)
    title = f"{dataset.name}: {len(shown)} of {len(annotated)} annotated photos with their regions"
    figure = draw_region_sheet(entries, annotations.roles, title=title)
    return save_figure(figure, folder / f"regions-{slug(dataset.name)}.png")
