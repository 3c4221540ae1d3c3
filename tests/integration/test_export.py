"""`evalharness export`: what other tools read must say what the results say."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from tracking_results import write_results

from evalharness.cli.main import main
from evalharness.manifest import write_json
from evalharness.results import StoredResult


@pytest.fixture
def result(tmp_path):
    """A finished evaluation of 12 photos of 40 x 30 pixels, with box annotations and a nested table."""
    folder = write_results(tmp_path / "run", seed=1)
    maps = np.random.default_rng(0).random((12, 4, 4)).astype(np.float16)
    maps[3] = np.nan
    np.save(folder / "maps" / "rollout.npy", maps)
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("path,category,x,y,width,height\ndaisy/000.jpg,daisy,4,6,10,8\ndaisy/000.jpg,dog,20,0,20,30\n")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["config"]["dataset"]["annotations"] = str(boxes)
    write_json(folder / "manifest.json", manifest)
    nested = pd.DataFrame({"row_id": ["daisy/000.jpg"], "logits": [[1.0, 2.5]], "share": [0.25]})
    nested.to_parquet(folder / "stress.parquet", index=False)
    return StoredResult(folder)


def export(result, folder, *arguments):
    assert main(["export", str(result.folder), "--to", str(folder), *arguments]) == 0
    return folder


def test_tables_and_maps_say_what_the_results_say(result, tmp_path):
    out = export(result, tmp_path / "out")
    csv = pd.read_csv(out / "samples.csv", dtype={"row_id": str})
    pd.testing.assert_frame_equal(csv, result.samples, check_dtype=False)
    pd.testing.assert_frame_equal(pd.read_parquet(out / "samples.parquet"), result.samples)
    with np.load(out / "maps" / "rollout.npz") as maps:
        assert maps["row_ids"].tolist() == result.samples["row_id"].tolist()
        np.testing.assert_array_equal(maps["density"], result.maps("rollout"))
        assert maps["density"].dtype == np.float32
    with np.load(out / "embeddings.npz") as arrays:
        np.testing.assert_array_equal(arrays["logits"], result.logits)
        assert arrays["classes"].tolist() == list(result.classes)
    stress = pd.read_csv(out / "stress.csv")
    assert json.loads(stress["logits"][0]) == [1.0, 2.5]


def test_annotations_become_coco_that_pycocotools_reads(result, tmp_path):
    document = json.loads((export(result, tmp_path / "out") / "annotations.json").read_text())
    assert len(document["images"]) == 12
    names = {category["id"]: (category["name"], category["supercategory"]) for category in document["categories"]}
    image_id = next(image["id"] for image in document["images"] if image["file_name"] == "daisy/000.jpg")
    found = {names[entry["category_id"]]: entry for entry in document["annotations"]}
    assert set(found) == {("daisy", "object"), ("dog", "distractor")}
    daisy = found["daisy", "object"]
    assert daisy["image_id"] == image_id
    assert daisy["bbox"] == [4, 6, 10, 8]
    assert daisy["area"] == 80
    mask = coco_mask.decode(daisy["segmentation"])
    assert mask.shape == (30, 40)
    assert mask[6:14, 4:14].all()
    assert mask.sum() == 80


def test_maps_can_be_float_images(result, tmp_path):
    out = export(result, tmp_path / "out", "maps=tiff")
    index = pd.read_csv(out / "maps" / "rollout" / "index.csv", dtype=str)
    assert index["row_id"].tolist() == result.samples["row_id"].tolist()
    for position in (0, 3):
        with Image.open(out / "maps" / "rollout" / index["file"][position]) as image:
            np.testing.assert_array_equal(np.asarray(image), np.asarray(result.maps("rollout")[position], np.float32))


def test_an_earlier_export_is_replaced_and_nothing_else_is(result, tmp_path, capsys):
    out = export(result, tmp_path / "out")
    export(result, out, "maps=none")
    assert not (out / "maps").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.txt").write_text("my own photos")
    assert main(["export", str(result.folder), "--to", str(tmp_path / "mine")]) == 2
    assert "other files" in capsys.readouterr().err
    assert (tmp_path / "mine" / "README.txt").read_text() == "my own photos"


def test_annotations_that_are_gone_are_told(result, tmp_path, capsys):
    (tmp_path / "boxes.csv").unlink()
    out = export(result, tmp_path / "out")
    # The console breaks a long path anywhere.
    assert "boxes.csvisgone" in "".join(capsys.readouterr().err.split())
    assert not (out / "annotations.json").exists()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["run"], "--to"),
        (["--to", "out"], "0 results"),
        (["run", "--to", "out", "maps=jpeg"], "npz, tiff, none"),
        (["nowhere", "--to", "out"], "nowhere"),
    ],
)
def test_mistakes_end_in_one_message(result, tmp_path, monkeypatch, capsys, arguments, part):
    monkeypatch.chdir(tmp_path)
    assert main(["export", *arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert part in message
    assert not (tmp_path / "out").exists()
