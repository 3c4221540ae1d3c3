"""Names of concepts from the pre-trained model of `what_is_it`, where there is one."""

import numpy as np
import pandas as pd
from PIL import Image

from evalharness.audit.hot_regions import crop_box
from evalharness.evaluating.stages.concepts.regions import RegionSource
from evalharness.evaluating.stages.concepts.sheet import SMALLEST_CROP, choose_crops
from evalharness.evaluating.stages.what_is_it.pretrained import Namer
from evalharness.records import UInt8Array

COLUMNS = ["concept", "name", "confidence", "num_crops"]
VERSION = 1


def guess_names(source: RegionSource, namer: Namer, table: pd.DataFrame, num_concepts: int) -> dict[int, str]:
    """The class of the pre-trained model with the highest mean probability over the crops of each concept.

    Args:
        source: Of the regions.
        namer: The pre-trained model.
        table: `concepts.parquet`.
        num_concepts: K.

    Returns:
        By number; stored as `concept_names.parquet`, with the mean probability and the number of crops.
    """
    config = source.config
    key = {
        "naming": VERSION,
        **source.key,
        "num_concepts": num_concepts,
        "assign_quantile": config.assign_quantile,
        "groups": source.rows.session.inputs.config.dataset.group,
        "settings": source.rows.session.inputs.config.what_is_it.model_dump(mode="json"),
        "weights": namer.weights.sha256 if namer.weights else None,
    }
    named = source.rows.stored_table("concept_names", key, lambda: _name_all(source, namer, table, num_concepts))
    return {int(row["concept"]): f"{row['name']}?" for row in named.to_dict("records")}


def _name_all(source: RegionSource, namer: Namer, table: pd.DataFrame, num_concepts: int) -> pd.DataFrame:
    predict, classes, size = namer.load()
    named = []
    for number in range(1, num_concepts + 1):
        rows = choose_crops(table, number)
        if rows.empty:
            continue
        crops = [_crop(source, row, size) for row in rows.to_dict("records")]
        means = predict(np.stack(crops)).mean(axis=0)
        named.append((number, classes[int(means.argmax())], float(means.max()), len(crops)))
    return pd.DataFrame(named, columns=COLUMNS)


def _crop(source: RegionSource, row: dict[object, object], size: tuple[int, int]) -> UInt8Array:
    session = source.rows.session
    photo = session.photos.load_photo(str(row["row_id"]))
    top, bottom, left, right = (float(str(row[edge])) for edge in ("top", "bottom", "left", "right"))
    margin = session.inputs.config.what_is_it.margin
    box = crop_box((top, bottom, left, right), (photo.shape[0], photo.shape[1]), margin=margin, smallest=SMALLEST_CROP)
    crop = Image.fromarray(np.ascontiguousarray(photo[box[0] : box[1], box[2] : box[3]]))
    return np.asarray(crop.resize((size[1], size[0]), Image.Resampling.BILINEAR), np.uint8)
