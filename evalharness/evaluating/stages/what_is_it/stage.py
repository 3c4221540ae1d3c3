"""What is it? Names what the noisiest maps light up, by classifying its crop with a pre-trained model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from PIL import Image
from rich.table import Table
from rich.text import Text

from evalharness.audit import BoolArray, grid_coverage, grid_mask
from evalharness.audit.hot_regions import HotRegion, hottest_region
from evalharness.config import RunConfig
from evalharness.evaluating.inputs import Inputs
from evalharness.evaluating.session import EvaluatedRows, Session
from evalharness.evaluating.stage import Findings, Stage
from evalharness.evaluating.stages.noise import NoiseFinding
from evalharness.evaluating.stages.what_is_it.crops import box_around, crop_of
from evalharness.evaluating.stages.what_is_it.finding import WhatIsItFinding, tell_what_is_it
from evalharness.evaluating.stages.what_is_it.pretrained import Namer, find_namer

VERSION = 2
"""Of the stored table's numbers."""
COLUMNS = ["row_id", "map_id", "top", "bottom", "left", "right", "share", "name", "confidence", "second", "off_object"]


@dataclass(frozen=True)
class WhatIsIt(Stage[WhatIsItFinding]):
    """Crops and names the hottest region of the first map in the noisiest images.

    Patches of annotated objects do not count. Images without a hot region are passed over.
    """

    namer: Namer | None
    """None: nothing is named."""

    name: ClassVar[str] = "what_is_it"
    section: ClassVar[str | None] = "what_is_it"

    @classmethod
    def prepare(cls, config: RunConfig) -> Self:
        """Finds the pre-trained model; refuses to name anything without a map."""
        return cls(find_namer(config))

    @property
    def digests(self) -> Mapping[str, str | None]:
        """Of the pre-trained model's weights."""
        weights = self.namer.weights if self.namer else None
        return {"namer": weights.sha256 if weights else None}

    @property
    def long_checks(self) -> Sequence[Callable[[], object]]:
        """Loading the pre-trained model; the published weights are not fetched for a check."""
        return (self.namer.load,) if self.namer is not None and self.namer.weights is not None else ()

    def examine(self, rows: EvaluatedRows, earlier: Findings) -> WhatIsItFinding | None:
        """Names the regions; None where that is off. Writes `what_is_it.parquet`."""
        namer, noise, inputs = self.namer, earlier.of(NoiseFinding), rows.session.inputs
        if namer is None or noise is None:
            return None
        map_id, annotations = noise.main_map, inputs.annotations
        key = {
            "version": VERSION,
            "fingerprint": inputs.fingerprint,
            "settings": inputs.config.what_is_it.model_dump(mode="json"),
            "weights": namer.weights.sha256 if namer.weights else None,
            "annotations": [annotations.digest, dict(annotations.roles)] if annotations else None,
        }
        table = rows.stored_table("what_is_it", key, lambda: _name_all(rows, namer, map_id, noise.ranked(map_id)))
        return WhatIsItFinding(map_id, has_objects(inputs), table)

    @staticmethod
    def tell(plain: Any) -> Iterator[Table | Text]:
        """What the hottest regions look like."""
        return tell_what_is_it(plain)


def _name_all(rows: EvaluatedRows, namer: Namer, map_id: str, ranked: Sequence[str]) -> pd.DataFrame:
    found = _find_regions(rows, map_id, ranked)
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    predict, classes, size = namer.load()
    crops = [Image.fromarray(crop_of(rows.session.photos.load_photo(row_id), box)) for row_id, _, box in found]
    resized = [crop.resize((size[1], size[0]), Image.Resampling.BILINEAR) for crop in crops]
    probs = predict(np.stack([np.asarray(crop, np.uint8) for crop in resized]))
    off_object = has_objects(rows.session.inputs)
    order = np.argsort(-probs, axis=1, kind="stable")
    named = [
        (row_id, map_id, *box, region.share, classes[best], float(row[best]), classes[second], off_object)
        for (row_id, region, box), row, (best, second) in zip(found, probs, order[:, :2], strict=True)
    ]
    return pd.DataFrame(named, columns=COLUMNS)


def _find_regions(
    rows: EvaluatedRows, map_id: str, ranked: Sequence[str]
) -> list[tuple[str, HotRegion, tuple[float, ...]]]:
    """Row id, hottest region and crop of the noisiest images that have a hot region.

    Where objects are annotated, the noisiest are those with most of the map on one region off the object.
    """
    config, photos = rows.session.inputs.config.what_is_it, rows.session.photos
    knows_objects = has_objects(rows.session.inputs)
    found: list[tuple[str, HotRegion]] = []
    for row_id in ranked:
        region = hottest_region(rows.density(row_id, map_id), _object_patches(rows.session, row_id))
        if region is not None:
            found.append((row_id, region))
        if len(found) == config.num_images and not knows_objects:
            break
    if knows_objects:
        found.sort(key=lambda entry: -entry[1].share)
    return [
        (row_id, region, box_around(region, photos.load_photo(row_id), photos.extent(row_id), margin=config.margin))
        for row_id, region in found[: config.num_images]
    ]


def _object_patches(session: Session, row_id: str) -> BoolArray | None:
    regions, annotations = session.regions_on_input(row_id), session.inputs.annotations
    if regions is None or annotations is None:
        return None
    grid_size = session.model_properties.grid_size
    excluded: BoolArray = np.zeros(grid_size, np.bool_)
    for category, coverage in regions.coverage.items():
        if annotations.roles[category] == "object":
            excluded |= grid_mask(grid_coverage(coverage, grid_size)[None])[0]
    return excluded


def has_objects(inputs: Inputs) -> bool:
    """Whether objects are annotated."""
    return inputs.annotations is not None and "object" in inputs.annotations.roles.values()
