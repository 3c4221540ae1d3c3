"""The part of `evalharness check` that looks at annotated regions, so that a person can."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.console import note, warn
from evalharness.slugs import slug

if TYPE_CHECKING:
    from evalharness.annotations import Annotations, Doubt
    from evalharness.config import RunConfig
    from evalharness.records import Dataset

NUM_DRAWN = 12
MAX_DOUBTFUL = 24


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
    from evalharness.audit.geometry import turn_upright
    from evalharness.dataset import Photos
    from evalharness.report import save_figure
    from evalharness.report.region_sheet import AnnotatedPhoto, draw_region_sheet

    remarks = {row_id: f"? {doubt.mark}" for doubt in reversed(doubts) for row_id in doubt.row_ids}
    annotated = [row_id for row_id, regions in annotations.regions.items() if regions]
    chosen = sorted(annotated, key=lambda row_id: hashlib.sha256(f"{config.seed}:{row_id}".encode()).hexdigest())
    doubtful = [row_id for row_id in remarks if row_id in annotations.regions][:MAX_DOUBTFUL]
    shown = list(dict.fromkeys([*doubtful, *chosen[:NUM_DRAWN]]))
    if not shown:
        return None
    photos = Photos(dataset, config.dataset, config.model.image_size)
    entries = [
        AnnotatedPhoto(
            row_id,
            photos.load_photo(row_id),
            {
                category: turn_upright(mask, photos.orientation(row_id))
                for category, mask in annotations.masks(row_id).items()
            },
            remarks.get(row_id, ""),
        )
        for row_id in shown
    ]
    folder = config.runs_dir / "check"
    folder.mkdir(parents=True, exist_ok=True)
    title = f"{dataset.name}: {len(shown)} of {len(annotated)} annotated photos with their regions"
    figure = draw_region_sheet(entries, annotations.roles, title=title)
    return save_figure(figure, folder / f"regions-{slug(dataset.name)}.png")
