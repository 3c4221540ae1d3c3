"""A finished evaluation in the formats of other tools: CSV and Parquet tables, NumPy or TIFF maps, COCO annotations."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from evalharness.annotations import Annotations, load_annotations
from evalharness.config import RunConfig
from evalharness.errors import ConfigError
from evalharness.records import ImageInfo, Sample
from evalharness.results import StoredResult
from evalharness.slugs import slug

MAP_FORMATS = ("npz", "tiff", "none")
PLAIN_TABLES = ("per_class.csv", "confusion_matrix.csv", "skipped.csv", "manifest.json")
OWN = "README.txt"
NESTED = (list, np.ndarray)
MARK = "Exported by evalharness"
README = """\
{mark} {version} from "{name}" ({num_images} images).

samples.csv, samples.parquet  a row per image: label, verdict, probabilities; everything is keyed by row_id
embeddings.npz                row_ids, features (class token after the final norm), logits, classes
maps/                         attention density over the patch grid, rows from the top: 1 is an average patch, NaN
                              where a map is not defined. npz: row_ids and density (images, rows, columns) of each map;
                              tiff: a 32-bit float image per row, listed in maps/<map>/index.csv
audit.csv and other tables    of the stages that ran
annotations.json              COCO with run-length masks, in pixels of the files as stored (if there were annotations)
manifest.json                 recipe, metrics and findings
"""


@dataclass(frozen=True)
class Exported:
    """What was written, and what could not be."""

    folder: Path
    files: tuple[str, ...]
    notes: tuple[str, ...]


def export_result(result: StoredResult, folder: Path, *, map_format: str = "npz") -> Exported:
    """Writes everything that other tools may want of an evaluation.

    Args:
        result: The evaluation.
        folder: New or empty, or written by an earlier export, whose files are replaced.
        map_format: `npz` (one file a map), `tiff` (one file an image) or `none`.

    Raises:
        ConfigError: The folder holds something else, or another format.
    """
    if map_format not in MAP_FORMATS:
        raise ConfigError("unknown map format", expected=", ".join(MAP_FORMATS), got=map_format, where="maps")
    if folder.exists() and not _is_ours(folder):
        raise ConfigError(
            "export would mix with other files", expected="a new or empty folder", got=folder, where="--to",
            fix="Name another folder",
        )  # fmt: skip
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    readme = README.format(
        mark=MARK,
        version=result.manifest["package_version"],
        name=result.manifest["name"],
        num_images=len(result.samples),
    )
    (folder / OWN).write_text(readme, encoding="utf-8")
    _write_tables(result, folder)
    _write_embeddings(result, folder)
    if map_format != "none":
        for map_id in result.map_ids:
            _write_maps(result, map_id, folder / "maps", map_format)
    notes = _write_annotations(result, folder)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return Exported(folder, tuple(files), notes)


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


def _is_ours(folder: Path) -> bool:
    """Whether the folder is empty, or holds an earlier export and may be replaced."""
    if not folder.is_dir():
        return False
    readme = folder / OWN
    is_export = readme.is_file() and readme.read_text(encoding="utf-8", errors="replace").startswith(MARK)
    return is_export or not any(folder.iterdir())


def _write_tables(result: StoredResult, folder: Path) -> None:
    result.samples.to_csv(folder / "samples.csv", index=False)
    result.samples.to_parquet(folder / "samples.parquet", index=False)
    for path in sorted(result.folder.glob("*.parquet")):
        if path.name != "samples.parquet":
            table = pd.read_parquet(path)
            # What CSV cannot hold is written as JSON.
            for name in table.columns:
                if table[name].map(lambda value: isinstance(value, NESTED)).any():
                    table[name] = table[name].map(_as_json)
            table.to_csv(folder / f"{path.stem}.csv", index=False)
    for name in PLAIN_TABLES:
        if (result.folder / name).is_file():
            shutil.copyfile(result.folder / name, folder / name)


def _as_json(value: object) -> object:
    return json.dumps(np.asarray(value).tolist()) if isinstance(value, NESTED) else value


def _write_embeddings(result: StoredResult, folder: Path) -> None:
    arrays = {"logits": np.asarray(result.logits, np.float32)}
    if (result.folder / "features.npy").is_file():
        arrays["features"] = np.asarray(result.features, np.float32)
    row_ids = result.samples["row_id"].to_numpy(np.str_)
    np.savez_compressed(folder / "embeddings.npz", row_ids=row_ids, classes=np.array(result.classes), **arrays)


def _write_maps(result: StoredResult, map_id: str, folder: Path, map_format: str) -> None:
    maps, row_ids = result.maps(map_id), result.samples["row_id"].tolist()
    folder.mkdir(exist_ok=True)
    if map_format == "npz":
        np.savez_compressed(
            folder / f"{map_id}.npz", row_ids=np.array(row_ids, np.str_), density=np.asarray(maps, np.float32)
        )
        return
    (folder / map_id).mkdir()
    names = [f"{slug(row_id)}.tiff" for row_id in row_ids]
    for name, density in zip(names, maps, strict=True):
        Image.fromarray(np.asarray(density, np.float32)).save(folder / map_id / name)
    pd.DataFrame({"row_id": row_ids, "file": names}).to_csv(folder / map_id / "index.csv", index=False)


def _write_annotations(result: StoredResult, folder: Path) -> tuple[str, ...]:
    config = RunConfig.model_validate(result.manifest["config"])
    source = config.dataset.annotations
    if source is None:
        return ()
    if not source.exists():
        return (f"annotations were not exported: {source} is gone",)
    root = Path(result.manifest["provenance"]["dataset"]["root"])
    samples, images = [], {}
    for number, row in enumerate(result.samples.to_dict("records")):
        row_id, path = str(row["row_id"]), str(row["path"])
        samples.append(Sample(row_id, root / path, path, str(row["label"]), number, str(row["group"])))
        images[row_id] = ImageInfo(str(row["sha256"]), int(row["width"]), int(row["height"]), "RGB", "", 1, 1)
    annotations = load_annotations(
        source,
        samples=samples,
        images=images,
        classes=result.classes,
        roles=config.audit.roles,
        annotations_format=config.dataset.annotations_format,
    )
    by_row = {sample.row_id: (sample.relative_path, images[sample.row_id]) for sample in samples}
    document = json.dumps(to_coco(annotations, by_row), ensure_ascii=False)
    (folder / "annotations.json").write_text(document, encoding="utf-8")
    return ()
