"""Tables, embeddings and maps of an evaluation, each in formats that other tools read."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from evalharness.results import StoredResult
from evalharness.slugs import file_slugs

PLAIN_TABLES = ("per_class.csv", "confusion_matrix.csv", "skipped.csv", "manifest.json")
NOT_FOR_CSV = ("samples.parquet", "concept_regions.parquet")
"""The first is written apart; the second holds features that nobody reads as text."""
NESTED = (list, np.ndarray)


def write_tables(result: StoredResult, folder: Path) -> None:
    """Writes the samples and every table of a stage as CSV."""
    result.samples.to_csv(folder / "samples.csv", index=False)
    result.samples.to_parquet(folder / "samples.parquet", index=False)
    for path in sorted(result.folder.glob("*.parquet")):
        if path.name not in NOT_FOR_CSV:
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


def write_embeddings(result: StoredResult, folder: Path) -> None:
    """Writes logits and features as `embeddings.npz`."""
    arrays = {"logits": np.asarray(result.logits, np.float32)}
    if (result.folder / "features.npy").is_file():
        arrays["features"] = np.asarray(result.features, np.float32)
    row_ids = result.samples["row_id"].to_numpy(np.str_)
    np.savez_compressed(folder / "embeddings.npz", row_ids=row_ids, classes=np.array(result.classes), **arrays)


def write_maps(result: StoredResult, map_id: str, folder: Path, map_format: str) -> None:
    """Writes one map of every image: one `npz`, or a `tiff` an image and an index."""
    maps, row_ids = result.maps(map_id), result.samples["row_id"].tolist()
    folder.mkdir(exist_ok=True)
    if map_format == "npz":
        np.savez_compressed(
            folder / f"{map_id}.npz", row_ids=np.array(row_ids, np.str_), density=np.asarray(maps, np.float32)
        )
        return
    (folder / map_id).mkdir()
    slugs = file_slugs(row_ids)
    names = [f"{slugs[row_id]}.tiff" for row_id in row_ids]
    for name, density in zip(names, maps, strict=True):
        Image.fromarray(np.asarray(density, np.float32)).save(folder / map_id / name)
    pd.DataFrame({"row_id": row_ids, "file": names}).to_csv(folder / map_id / "index.csv", index=False)
