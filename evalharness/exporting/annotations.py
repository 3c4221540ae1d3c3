"""Annotated regions of an evaluation as a COCO file."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from evalharness.annotations import Annotations, load_configured_annotations
from evalharness.config import RunConfig
from evalharness.dataset import list_rows
from evalharness.dataset.decode import read_orientation
from evalharness.errors import EvalHarnessError
from evalharness.records import ImageInfo, Sample
from evalharness.results import StageTables, StoredResult


def write_annotations(result: StoredResult, folder: Path) -> tuple[str, ...]:
    """Writes `annotations.json`, if the evaluation had annotations; returns what a user should know.

    Args:
        result: The evaluation.
        folder: Where to.
    """
    config = RunConfig.model_validate(result.manifest["config"])
    source = config.dataset.annotations
    if source is None:
        return ()
    if not source.exists():
        return (f"annotations were not exported: {source} is gone",)
    root = Path(result.manifest["provenance"]["dataset"]["root"])
    samples, images = _rows(result, root)
    try:
        annotations = load_configured_annotations(
            config,
            source,
            samples=samples,
            images=images,
            classes=result.classes,
            left_out=list_rows(config.dataset, root),
        )
    except EvalHarnessError as error:
        return (f"annotations were not exported: {error}",)
    key = None if result.manifest["num_skipped"] else StageTables(result.folder).key("erasures")
    if key is not None and key["annotations"] != annotations.digest:
        return (f"annotations were not exported: {source} no longer holds the regions that were evaluated",)
    by_row = {sample.row_id: (sample.relative_path, images[sample.row_id]) for sample in samples}
    document = json.dumps(to_coco(annotations, by_row), ensure_ascii=False)
    (folder / "annotations.json").write_text(document, encoding="utf-8")
    return ()


def _rows(result: StoredResult, root: Path) -> tuple[list[Sample], dict[str, ImageInfo]]:
    samples, images = [], {}
    for number, row in enumerate(result.samples.to_dict("records")):
        row_id, path = str(row["row_id"]), str(row["path"])
        file = Path(os.path.normpath(root / path))
        samples.append(Sample(row_id, file, path, str(row["label"]), number, str(row["group"])))
        # Older results do not say how photos are stored.
        orientation = int(row["exif_orientation"]) if "exif_orientation" in row else _orientation(file)
        images[row_id] = ImageInfo(
            str(row["sha256"]), int(row["width"]), int(row["height"]), "RGB", "", orientation, num_frames=1
        )
    return samples, images


def _orientation(path: Path) -> int:
    """The EXIF orientation of a photo; upright where it is gone."""
    try:
        with Image.open(path) as image:
            return read_orientation(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 1


def to_coco(annotations: Annotations, images: Mapping[str, tuple[str, ImageInfo]]) -> dict[str, Any]:
    """Annotated regions as a COCO document.

    Args:
        annotations: By row id.
        images: Path as in the CSV and size of every row, by row id.
    """
    from pycocotools import mask as coco_mask

    categories = {name: number for number, name in enumerate(sorted(annotations.roles), start=1)}
    entries: list[dict[str, Any]] = []
    numbers = {row_id: number for number, row_id in enumerate(images, start=1)}
    for row_id, regions in annotations.regions.items():
        for region in regions:
            runs = {"size": list(region.runs.size), "counts": region.runs.counts}
            entries.append(
                {
                    "id": len(entries) + 1,
                    "image_id": numbers[row_id],
                    "category_id": categories[region.category],
                    "segmentation": {"size": list(region.runs.size), "counts": region.runs.counts.decode("ascii")},
                    "bbox": [float(value) for value in coco_mask.toBbox(runs)],
                    "area": int(coco_mask.area(runs)),
                    "iscrowd": 0,
                }
            )
    return {
        "images": [
            {"id": numbers[row_id], "file_name": path, "width": info.width, "height": info.height}
            for row_id, (path, info) in images.items()
        ],
        "annotations": entries,
        "categories": [
            {"id": number, "name": name, "supercategory": annotations.roles[name]}
            for name, number in categories.items()
        ],
    }
