"""How alike the maps of two runs are, image by image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.audit import Resampling, stability
from evalharness.audit.geometry import resample
from evalharness.audit.intervals import mean_interval
from evalharness.comparison.alignment import ComparedRun
from evalharness.records import FloatArray, IntArray, Interval

CLASS_AGNOSTIC = ("rollout", "last_attention")
"""Methods that never see the head: their maps follow from the backbone and the input alone."""
BASELINES = ("random", "center")
"""Methods that see nothing of the model."""
INPUT = (
    "input.image_size",
    "input.preprocessing",
    "input.resize",
    "input.resize_size",
    "input.filter",
    "input.exif",
    "model.precision",
)


@dataclass(frozen=True, slots=True)
class MapSimilarity:
    """One map of a run beside that of the reference."""

    map_id: str
    name: str
    """Of the run."""
    grid_size: tuple[int, int]
    """Patch rows and columns on which the maps were compared: the coarser of both."""
    similarity: FloatArray
    """Spearman's rank correlation over patches, (images,), -1 to 1; NaN where a map is not defined or even."""
    mean: Interval
    mean_flipped: float
    """Over the images of which exactly one run is right."""
    mean_others: float
    num_undefined: int
    same_by_construction: str | None
    """Why the maps could not differ; None if they could."""


def coarser_grid(grids: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The fewest patch rows and the fewest patch columns of all grids."""
    return min(rows for rows, _ in grids), min(columns for _, columns in grids)


def to_grid(maps: FloatArray, grid_size: tuple[int, int]) -> FloatArray:
    """Averages densities over areas onto a coarser grid: 1 stays an average patch; a map with a NaN is all NaN.

    Args:
        maps: (images, grid rows, grid columns).
        grid_size: Patch rows and columns, at most those of the maps.

    Returns:
        (images, *grid_size) float64.
    """
    values = np.asarray(maps, np.float64)
    if values.shape[1:] == tuple(grid_size) or not len(values):
        return values
    is_defined = np.isfinite(values).all(axis=(1, 2))
    averaged = np.full((len(values), *grid_size), np.nan)
    if is_defined.any():
        averaged[is_defined] = resample(values[is_defined].transpose(1, 2, 0), grid_size).transpose(2, 0, 1)
    return averaged


def compare_maps(
    map_id: str,
    reference: FloatArray,
    maps: FloatArray,
    *,
    name: str,
    flipped: IntArray,
    groups: Sequence[str] | None,
    resampling: Resampling,
    same_by_construction: str | None = None,
) -> MapSimilarity:
    """Correlates the maps of a run with those of the reference.

    Args:
        map_id: Of the map.
        reference: (images, grid rows, grid columns).
        maps: Of the same images in the run; its grid may be another.
        name: Of the run.
        flipped: Images of which exactly one run is right.
        groups: The group of each image.
        resampling: How to draw the interval.
        same_by_construction: Of `why_same`.
    """
    grid_size = coarser_grid([(each.shape[1], each.shape[2]) for each in (reference, maps)])
    similarity = stability(to_grid(reference, grid_size), to_grid(maps, grid_size))
    is_flipped = np.zeros(len(similarity), np.bool_)
    is_flipped[flipped] = True
    return MapSimilarity(
        map_id=map_id,
        name=name,
        grid_size=grid_size,
        similarity=similarity,
        mean=mean_interval(similarity, groups, resampling),
        mean_flipped=_mean(similarity[is_flipped]),
        mean_others=_mean(similarity[~is_flipped]),
        num_undefined=int(np.isnan(similarity).sum()),
        same_by_construction=same_by_construction,
    )


def why_same(method: str, first: ComparedRun, second: ComparedRun) -> str | None:
    """Why a method gives both runs the same maps, whatever their heads; None if it need not."""
    if method in BASELINES:
        return f"`{method}` sees nothing of the model: its maps are the same in every run"
    is_same_backbone = bool(first.backbone_sha256) and first.backbone_sha256 == second.backbone_sha256
    if method not in CLASS_AGNOSTIC or not is_same_backbone or _input(first) != _input(second):
        return None
    return (
        f"`{method}` never sees the head, and {first.name} and {second.name} have the same backbone: their maps are "
        "identical by construction"
    )


def _input(run: ComparedRun) -> Mapping[str, object]:
    return {name: run.settings.get(name) for name in INPUT}


def _mean(values: FloatArray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
