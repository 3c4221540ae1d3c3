"""Annotations are exported as they were evaluated: on the same rows, in the same frame."""

import json

import numpy as np
import pandas as pd
import pytest
from pycocotools import mask as coco_mask
from tracking_results import write_results

from evalharness.exporting.annotations import write_annotations
from evalharness.manifest import write_json
from evalharness.results import StageTables, StoredResult


@pytest.fixture
def export(tmp_path):
    """Exports box annotations of 12 photos of 40 x 30 pixels; returns the notes and the COCO document."""
    folder = write_results(tmp_path / "run")

    def run(lines, *, orientation=1, csv=None, **settings):
        boxes = tmp_path / "boxes.csv"
        boxes.write_text("path,category,x,y,width,height\n" + "\n".join(lines))
        manifest = json.loads((folder / "manifest.json").read_text())
        dataset = manifest["config"]["dataset"]
        dataset |= {"annotations": str(boxes), **settings}
        manifest["provenance"]["dataset"]["root"] = str(tmp_path)
        if csv is not None:
            (tmp_path / "all.csv").write_text(csv)
            dataset["csv"] = str(tmp_path / "all.csv")
        write_json(folder / "manifest.json", manifest)
        table = pd.read_parquet(folder / "samples.parquet").assign(exif_orientation=orientation)
        table.to_parquet(folder / "samples.parquet", index=False)
        notes = write_annotations(StoredResult(folder), tmp_path)
        written = tmp_path / "annotations.json"
        return notes, json.loads(written.read_text()) if written.exists() else None

    run.folder = folder
    return run


def test_regions_drawn_upright_are_exported_in_the_pixels_of_the_file(export):
    notes, document = export(["daisy/000.jpg,dog,0,0,10,5"], orientation=6, annotations_frame="upright")
    assert notes == ()
    mask = coco_mask.decode(document["annotations"][0]["segmentation"])
    # Orientation 6 is shown turned clockwise: its top left corner is the bottom left one of the file.
    expected = np.zeros((30, 40), bool)
    expected[20:, :5] = True
    np.testing.assert_array_equal(mask, expected)


def test_a_name_means_what_it_meant_among_all_rows_of_the_csv(export):
    csv = "path,label\ndaisy/000.jpg,daisy\nelsewhere/000.jpg,daisy\n"
    (note,), document = export(["000.jpg,dog,0,0,10,5"], csv=csv)
    assert "annotations were not exported" in note
    assert "'daisy/000.jpg', 'elsewhere/000.jpg'" in note
    assert document is None


def test_other_regions_than_those_evaluated_are_not_exported(export):
    key = {"annotations": "0" * 64}
    StageTables(export.folder).write("erasures", key, pd.DataFrame({"row_id": []}))
    (note,), document = export(["daisy/000.jpg,dog,0,0,10,5"])
    assert "no longer holds the regions that were evaluated" in note
    assert document is None
