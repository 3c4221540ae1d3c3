"""What is it? Names what the noisiest maps light up, by classifying its crop with a pre-trained model."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from evalharness import model as models
from evalharness import results
from evalharness.audit import BoolArray, grid_coverage, grid_mask
from evalharness.audit.hot_regions import HotRegion, crop_box, hottest_region
from evalharness.config.schema import RunConfig
from evalharness.errors import EvalHarnessError
from evalharness.evaluating.inputs import Inputs, timed
from evalharness.evaluating.other_inputs import Extras, name_namer_keys
from evalharness.evaluating.stages.noise.stage import Noise
from evalharness.records import FloatArray, Sample, UInt8Array

VERSION = 2
"""Of the stored table's numbers."""
SMALLEST_CROP = 0.3
"""Least side of a crop, as part of the photo's shorter side: a patch alone shows nothing."""
COLUMNS = ["row_id", "map_id", "top", "bottom", "left", "right", "share", "name", "confidence", "second", "off_object"]


@dataclass(frozen=True)
class NamedRegions:
    """What the noisiest maps light up."""

    map_id: str
    off_object: bool
    """The object is annotated and was left out; else the hottest region may be the object itself."""
    table: pd.DataFrame
    """A row per image that has a hot region: `what_is_it.parquet`; boxes as parts of the photo."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Images by name, the most frequent first."""
        return dict(Counter(self.table["name"]).most_common())

    @property
    def sentence(self) -> str:
        """What was found, in plain words."""
        where = "off the object " if self.off_object else ""
        if self.table.empty:
            return f"No map of {self.map_id} has a hot region {where}to be named."
        listed = ", ".join(f"{name} ({count})" for name, count in list(self.counts.items())[:5])
        return (
            f"The hottest regions {where}in the {len(self.table)} noisiest maps of {self.map_id} look to the "
            f"pre-trained model like: {listed}; mean confidence {self.table['confidence'].mean():.2f}."
        )

    @property
    def measures(self) -> dict[str, float]:
        """None: names are not numbers to compare runs by."""
        return {}

    @property
    def plain(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        return {
            "map_id": self.map_id,
            "off_object": self.off_object,
            "sentence": self.sentence,
            "counts": dict(self.counts),
            "regions": self.table.to_dict("records"),
        }


def name_regions(
    inputs: Inputs,
    samples: Sequence[Sample],
    writer: results.ResultsWriter,
    stages: results.Stages,
    noise: Noise | None,
) -> NamedRegions | None:
    """Crops and names the hottest region of the first map in the noisiest images; None where that is off.

    Patches of annotated objects do not count. Images without a hot region are passed over.

    Args:
        inputs: The evaluation.
        samples: The evaluated rows.
        writer: Their maps.
        stages: Where the table is kept.
        noise: Which images are the noisiest.
    """
    config = inputs.config.what_is_it
    if not config.num_images or noise is None:
        return None
    map_id = noise.maps[0].map_id
    annotations = inputs.annotations
    key = {
        "version": VERSION,
        "fingerprint": inputs.fingerprint,
        "settings": config.model_dump(mode="json"),
        "weights": inputs.extras.namer.sha256 if inputs.extras.namer else None,
        "annotations": [annotations.digest, dict(annotations.roles)] if annotations else None,
    }
    table = stages.read("what_is_it", key)
    if table is None:
        with timed("what_is_it", inputs.durations_s):
            table = _name_all(inputs, samples, np.asarray(writer.maps()[map_id], np.float32), noise)
        stages.write("what_is_it", key, table)
    return NamedRegions(map_id, _has_objects(inputs), table)


def crop_of(inputs: Inputs, row_id: str, box: Sequence[float]) -> UInt8Array:
    """A part of the row's photo.

    Args:
        inputs: The evaluation.
        row_id: Of the row.
        box: Top, bottom, left and right as parts of the photo's height and width.
    """
    photo = inputs.load_photo(row_id)
    height, width = photo.shape[:2]
    top, bottom, left, right = (
        round(edge * side) for edge, side in zip(box, (height, height, width, width), strict=True)
    )
    return photo[top:bottom, left:right]


def load_namer(
    config: RunConfig, extras: Extras
) -> tuple[Callable[[UInt8Array], FloatArray], tuple[str, ...], tuple[int, int]]:
    """The pre-trained model: probabilities of images, the names of its outputs, and the size of its input.

    Raises:
        EvalHarnessError: The weights do not fit, or cannot be fetched.
    """
    source, namer = extras.namer, extras.namer_config
    if source is None or namer is None:
        size = config.model.image_size
        return models.load_published(config.model.backbone, size), models.imagenet_classes(), size
    classes = namer.classes or ()
    try:
        model = models.load_model(namer, classes=classes, source=source)
    except EvalHarnessError as error:
        raise type(error)(f"what_is_it: {name_namer_keys(str(error))}") from error

    def probs_of(images: UInt8Array) -> FloatArray:
        return np.asarray(model.predict_probs(np.asarray(images, np.float32)), np.float32)

    return probs_of, classes, namer.image_size


def _name_all(inputs: Inputs, samples: Sequence[Sample], maps: FloatArray, noise: Noise) -> pd.DataFrame:
    map_id = noise.maps[0].map_id
    found = _find_regions(inputs, samples, maps, noise.ranked(map_id))
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    predict, classes, size = load_namer(inputs.config, inputs.extras)
    crops = [Image.fromarray(crop_of(inputs, row_id, box)) for row_id, _, box in found]
    resized = [crop.resize((size[1], size[0]), Image.Resampling.BILINEAR) for crop in crops]
    probs = predict(np.stack([np.asarray(crop, np.uint8) for crop in resized]))
    order = np.argsort(-probs, axis=1, kind="stable")
    rows = [
        (row_id, map_id, *box, region.share, classes[best], float(row[best]), classes[second], _has_objects(inputs))
        for (row_id, region, box), row, (best, second) in zip(found, probs, order[:, :2], strict=True)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _find_regions(
    inputs: Inputs, samples: Sequence[Sample], maps: FloatArray, ranked: Sequence[str]
) -> list[tuple[str, HotRegion, tuple[float, ...]]]:
    """Row id, hottest region and crop of the noisiest images that have a hot region.

    Where objects are annotated, the noisiest are those with most of the map on one region off the object.
    """
    num_images = inputs.config.what_is_it.num_images
    position_of = {sample.row_id: position for position, sample in enumerate(samples)}
    found: list[tuple[str, HotRegion]] = []
    for row_id in ranked:
        position = position_of[row_id]
        region = hottest_region(maps[position], _object_patches(inputs, samples[position]))
        if region is not None:
            found.append((row_id, region))
        if len(found) == num_images and not _has_objects(inputs):
            break
    if _has_objects(inputs):
        found.sort(key=lambda entry: -entry[1].share)
    return [(row_id, region, _crop(inputs, row_id, region)) for row_id, region in found[:num_images]]


def _crop(inputs: Inputs, row_id: str, region: HotRegion) -> tuple[float, ...]:
    """The crop as parts of the photo: the map covers the model's input, of which the photo may be a part."""
    extent = inputs.photo_extent(row_id)
    height, width = inputs.load_photo(row_id).shape[:2]
    top, bottom, left, right = region.box
    rows = [(edge - extent.top) / (extent.bottom - extent.top) for edge in (top, bottom)]
    columns = [(edge - extent.left) / (extent.right - extent.left) for edge in (left, right)]
    pixels = crop_box(
        (rows[0], rows[1], columns[0], columns[1]),
        (height, width),
        margin=inputs.config.what_is_it.margin,
        smallest=SMALLEST_CROP,
    )
    return tuple(edge / side for edge, side in zip(pixels, (height, height, width, width), strict=True))


def _object_patches(inputs: Inputs, sample: Sample) -> BoolArray | None:
    regions = inputs.regions_on_input(sample) if inputs.regions(sample) else None
    if regions is None:
        return None
    rows, columns = inputs.facts["grid_size"]
    excluded: BoolArray = np.zeros((rows, columns), np.bool_)
    for category, coverage in regions.coverage.items():
        if inputs.required_annotations.roles[category] == "object":
            excluded |= grid_mask(grid_coverage(coverage, (rows, columns))[None])[0]
    return excluded


def _has_objects(inputs: Inputs) -> bool:
    return inputs.annotations is not None and "object" in inputs.annotations.roles.values()
