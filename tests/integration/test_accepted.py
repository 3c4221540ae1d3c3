"""Annotations that people bring, as their tools write them, and what `check` makes of them: see `docs/accepted.md`.

Regions are looked at where they matter: on which photo, and on which pixels.
"""

from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from brought_regions import (
    HEIGHT,
    REGIONS,
    WIDTH,
    coco,
    write_class_masks,
    write_coco,
    write_csv,
    write_photos,
    write_voc,
    write_yolo,
    yolo_line,
)
from in_process import run_here
from tiny_vit import CLASSES

from evalharness.annotations import Annotations
from evalharness.cli import check as check_command
from evalharness.config.compose import overrides_from
from evalharness.report import region_sheet

RIGHT = {path: {region} for path, region in REGIONS.items()}


@dataclass
class Checked:
    """How a check ended."""

    code: int
    told: str
    """All that was printed, on one line."""
    regions: dict[str, set]
    """By path: category and box of each region; a region that does not fill its box is told as its pixels."""

    @property
    def is_right(self) -> bool:
        return self.code == 0 and self.regions == RIGHT

    def refuses(self, *words: str) -> bool:
        return self.code == 1 and not self.regions and all(word in self.told for word in words)


def _as_box(region):
    rows, columns = np.nonzero(region.decode())
    y, x = rows.min(), columns.min()
    height, width = rows.max() + 1 - y, columns.max() + 1 - x
    return (region.category, (x, y, width, height) if len(rows) == height * width else len(rows))


@pytest.fixture
def check(tiny_run, tmp_path, monkeypatch):
    """Checks annotations of `few.csv`, which lists four photos."""
    write_photos(tmp_path)
    seen: list[Annotations] = []

    def look(_config, _dataset, annotations, _grid_size):
        # Drawing is tested in test_check.py.
        seen.append(annotations)
        return len(annotations.doubts)

    monkeypatch.setattr(check_command, "look_at_regions", look)

    def run(annotations: Path, *, csv: str = "few.csv", **settings) -> Checked:
        given = tiny_run.overrides(
            tmp_path / "runs",
            dataset__csv=str(tmp_path / csv),
            dataset__annotations=str(annotations),
            model__classes=list(CLASSES),
            **settings,
        )
        seen.clear()
        ended = run_here("check", *overrides_from(given), cwd=tmp_path)
        regions = {row: {*map(_as_box, found)} for found_in in seen for row, found in found_in.regions.items()}
        return Checked(ended.returncode, " ".join((ended.stdout + ended.stderr).split()), regions)

    return run


# Wrong without a word


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda images, _: [image.update(id=1 + number % 2) for number, image in enumerate(images)],
            ["image id 1: 'photos/daisy/1.jpg' and 'photos/roses/3.jpg'", "image id 2: 'photos/daisy/2.jpg'"],
        ),
        (
            lambda images, _: images[1].update(id="1"),
            ["image ids 1 and '1', apart only by type: 'photos/daisy/1.jpg' and 'photos/daisy/2.jpg'"],
        ),
        (
            lambda _, entries: [entry.update(id=1 + number % 2) for number, entry in enumerate(entries)],
            ["annotation id 1: entries 1 and 3 of the list", "annotation id 2: entries 2 and 4"],
        ),
    ],
)
def test_ids_that_start_again_are_refused(check, tmp_path, change, words):
    content = coco()
    change(content["images"], content["annotations"])
    assert check(write_coco(tmp_path / "merged.json", content)).refuses(
        "ids that stand for more than one thing", *words
    )


@pytest.mark.parametrize("settings", [{}, {"limit": 1}, {"limit": 2}, {"dataset__exclude": ["roses"]}])
def test_a_name_that_fits_two_rows_does_so_whichever_are_evaluated(check, tmp_path, settings):
    write_photos(tmp_path, ["photos/daisy/1.jpg", "photos/roses/1.jpg", "photos/roses/2.jpg"])
    content = coco(name=lambda path: Path(path).name)
    found = check(write_coco(tmp_path / "flat.json", content), **settings)
    assert found.refuses("'1.jpg' (image 1) fits 2 files: 'photos/daisy/1.jpg', 'photos/roses/1.jpg'")


def test_names_without_folders_that_fit_one_row_each_are_right_under_a_limit(check, tmp_path):
    content = coco(name=lambda path: Path(path).name)
    found = check(write_coco(tmp_path / "flat.json", content), limit=2)
    assert found.code == 0
    assert len(found.regions) == 2
    assert found.regions.items() <= RIGHT.items()


@pytest.mark.parametrize(
    "segmentation",
    [
        lambda _: [],
        lambda _: [[]],
        lambda _: {},
        lambda _: None,
        lambda box: [list(box)],
        lambda _: [[8.0, 9.0]],
        lambda _: [[1, 1, 9, 9, 5, 5]],
        lambda _: {"size": [HEIGHT, WIDTH], "counts": []},
    ],
    ids=["none", "empty ring", "empty mapping", "null", "the box", "point", "on a line", "empty counts"],
)
def test_a_good_box_beside_a_segmentation_that_is_no_area_is_the_region(check, tmp_path, segmentation):
    content = coco()
    for entry in content["annotations"]:
        entry["segmentation"] = segmentation(entry["bbox"])
    found = check(write_coco(tmp_path / "regions.json", content))
    assert found.is_right
    assert found.told.count("4 annotations taken by the bbox") == 1


def _turned(box):
    """A box of the upright photo, in the pixels of a file that is stored turned (EXIF 6)."""
    x, y, width, height = box
    return (y, WIDTH - x - width, height, width)


UPRIGHT = {path: {(category, _turned(box))} for path, (category, box) in REGIONS.items()}


@pytest.mark.parametrize("exif", ["ignore", "apply"])
def test_sizes_tell_that_turned_photos_were_annotated_upright(check, tmp_path, exif):
    write_photos(tmp_path, orientation=6)
    found = check(write_coco(tmp_path / "upright.json", coco()), dataset__exif=exif)
    assert (found.code, found.regions) == (0, UPRIGHT)
    assert "4 photos are stored turned (EXIF) and were annotated upright" in found.told
    assert found.told.endswith("no problem found")


def test_sizes_tell_that_turned_photos_were_annotated_as_stored(check, tmp_path):
    write_photos(tmp_path, orientation=6)
    content = coco()
    for image, entry in zip(content["images"], content["annotations"], strict=True):
        image.update(width=HEIGHT, height=WIDTH)
        entry["bbox"] = _turned(entry["bbox"])
    found = check(write_coco(tmp_path / "stored.json", content))
    assert (found.code, found.regions) == (0, UPRIGHT)
    wrong = check(tmp_path / "stored.json", dataset__annotations_frame="upright")
    assert wrong.refuses("'photos/daisy/1.jpg' (image 1): annotated at 32 x 40 pixels", "annotations_frame=upright")


@pytest.mark.parametrize("exif", ["ignore", "apply"])
def test_turned_photos_where_nothing_tells_are_warned_of(check, tmp_path, exif):
    write_photos(tmp_path, orientation=6)
    labels = write_yolo(tmp_path / "yolo")
    doubtful = check(labels, dataset__exif=exif)
    assert doubtful.code == 0
    assert doubtful.regions != UPRIGHT
    assert "nothing tells whether their regions were drawn on the photo as it is stored or upright" in doubtful.told
    assert doubtful.told.endswith("1 warning found")
    settled = check(labels, dataset__exif=exif, dataset__annotations_frame="upright")
    assert settled.regions == UPRIGHT
    assert settled.told.endswith("no problem found")


def test_both_readings_of_photos_where_nothing_tells_are_drawn(tiny_run, tmp_path):
    write_photos(tmp_path, orientation=6)
    labels = write_yolo(tmp_path / "yolo")
    given = tiny_run.overrides(
        tmp_path / "runs",
        dataset__csv=str(tmp_path / "few.csv"),
        dataset__annotations=str(labels),
        dataset__exif="apply",
        model__classes=list(CLASSES),
    )
    with patch.object(region_sheet, "draw_region_sheet", wraps=region_sheet.draw_region_sheet) as draw:
        ended = run_here("check", *overrides_from(given), cwd=tmp_path)
    assert ended.returncode == 0
    assert (tmp_path / "runs" / "check" / "regions-few.png").is_file()
    drawn = {(entry.row_id, entry.remark): entry for entry in draw.call_args.args[0]}
    for path, (category, (x, y, width, height)) in REGIONS.items():
        upright = drawn[path, "? if drawn upright"]
        right = np.zeros((HEIGHT, WIDTH), bool)
        right[y : y + height, x : x + width] = True
        assert upright.photo.shape[:2] == right.shape
        np.testing.assert_array_equal(upright.masks[category], right)
        stored = drawn[path, "? if drawn as stored (assumed)"]
        assert not np.array_equal(stored.masks[category], right)


def test_a_tag_and_a_file_name_of_two_photos_are_refused_with_both(check, tmp_path):
    paths = list(REGIONS)
    before = dict(zip(paths, [paths[-1], *paths], strict=False))
    found = check(write_voc(tmp_path / "voc", tag=lambda path: Path(before[path]).name))
    assert found.refuses("the name in photos/daisy/2.xml, fits 'photos/daisy/1.jpg'", "fits 'photos/daisy/2.jpg'")
    assert check(write_voc(tmp_path / "voc")).is_right


@pytest.mark.parametrize("mode", ["RGB", "P"])
@pytest.mark.parametrize("settings", [{}, {"dataset__annotations_format": "png"}])
def test_masks_of_cvat_are_read_by_their_label_map(check, tmp_path, mode, settings):
    found = check(write_class_masks(tmp_path / "masks", mode=mode), **settings)
    assert found.is_right
    assert "Masks were read by labelmap.txt" in found.told
    assert "the background is no category" in found.told


def test_masks_without_their_label_map_are_refused(check, tmp_path):
    write_class_masks(tmp_path / "masks", mode="RGB")
    (tmp_path / "masks" / "labelmap.txt").unlink()
    assert check(tmp_path / "masks").refuses("labelmap.txt")


@pytest.mark.parametrize("points", [" 0.2 0.3 2", " 0.2 0.3 2 0.5 0.5 1", " 0 0 0 0.5 0.5 1 0.1 0.1 2"])
def test_key_points_are_no_polygons(check, tmp_path, points):
    found = check(write_yolo(tmp_path / "yolo", more=points))
    assert found.is_right
    number = {3: "a key point", 6: "2 key points", 9: "3 key points"}[len(points.split())]
    assert f"4 lines with {number} behind the box, which is the region; key points are not read" in found.told


# Confusing, or refused without need


@pytest.mark.parametrize("side", ["images", "annotations"])
@pytest.mark.parametrize("write", ["{}", "{}.0", "0{}"])
def test_ids_are_one_as_text_and_as_number(check, tmp_path, side, write):
    content = coco()
    key = {"images": "id", "annotations": "image_id"}[side]
    for entry in content[side]:
        entry[key] = write.format(entry[key])
    found = check(write_coco(tmp_path / "regions.json", content))
    assert found.is_right
    assert "4 image_ids taken for the same id, one being a number and the other text" in found.told


def _orphan(content):
    content["annotations"].append({**content["annotations"][0], "id": 9, "image_id": 99})


def _twice(content):
    content["images"].append({**content["images"][0], "id": 99})


def _tag(content):
    content["annotations"].append({"id": 9, "image_id": 1, "category_id": 1})


def _category(content):
    content["annotations"].append({**content["annotations"][0], "id": 9, "category_id": 99})


@pytest.mark.parametrize(
    ("add", "told"),
    [
        (_orphan, "1 annotation left out: the image_id is not among the images: annotation 9 (99)"),
        (_twice, "1 photo listed more than once"),
        (_tag, "1 annotation left out: neither a segmentation that is an area nor a bbox: annotation 9"),
        (_category, "1 annotation left out: the category_id has no name among the categories: annotation 9 (99)"),
    ],
)
def test_what_can_be_used_is_used_and_the_rest_is_counted(check, tmp_path, add, told):
    content = coco()
    add(content)
    found = check(write_coco(tmp_path / "regions.json", content))
    assert found.is_right
    assert told in found.told


HASH = "e5bb520ff079ca4c27a2e3900297216c"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (lambda path: f"{Path(path).stem}_jpg.rf.{HASH}.jpg", "Roboflow's ending .rf.<hash>"),
        (lambda path: f"{Path(path).stem}_JPG_jpg.rf.{HASH}.jpg", "Roboflow's ending .rf.<hash>"),
        (lambda path: f"images/e5bb520f-{Path(path).name}", "the hash that Label Studio puts before a name"),
        (lambda path: f"/data/local-files/?d={path.replace('/', '%2F')}", "an address"),
        (lambda path: f"https://host/data/{path.replace('/', '%2F')}?v=2", "an address"),
        (lambda path: path.replace(".jpg", ".png"), "another ending"),
        (lambda path: path.upper(), "the case of letters"),
    ],
)
def test_names_that_a_tool_has_changed_are_undone_and_told(check, tmp_path, name, told):
    found = check(write_coco(tmp_path / "regions.json", coco(name=name)))
    assert found.is_right
    assert "4 annotated images were found in spite of" in found.told
    assert told in found.told


def test_a_changed_name_that_fits_two_rows_is_refused_with_both(check, tmp_path):
    write_photos(tmp_path, ["photos/daisy/1.jpg", "photos/roses/1.jpg"])
    content = coco(name=lambda path: f"{Path(path).stem}_jpg.rf.{HASH}.jpg")
    assert check(write_coco(tmp_path / "r.json", content)).refuses("'photos/daisy/1.jpg', 'photos/roses/1.jpg'")


def test_an_export_of_cvat_for_yolo_is_read_as_it_is(check, tmp_path):
    folder = write_yolo(tmp_path / "yolo", ("obj.names", "dog\ncat\n"), labels="obj_train_data")
    (folder / "obj.data").write_text("classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n")
    (folder / "train.txt").write_text("".join(f"data/obj_train_data/{path}\n" for path in REGIONS))
    assert check(folder).is_right


@pytest.mark.parametrize(
    "names",
    [
        "names:\n  '0': dog\n  '1': cat\n",
        "names:\n  0: dog\n  1: 'cat'\n",
        'names: {"0": "dog", "1": "cat"}\n',
        "names: [dog, cat]\nnc: 2\n",
        "names:\n- dog\n- cat\n",
    ],
)
def test_names_of_yolo_in_every_form(check, tmp_path, names):
    assert check(write_yolo(tmp_path / "yolo", ("data.yaml", names))).is_right


def test_two_files_that_name_the_categories_differently_are_refused(check, tmp_path):
    folder = write_yolo(tmp_path / "yolo")
    (folder / "data.yaml").write_text("names: [cat, dog]\n")
    assert check(folder).refuses("classes.txt", "data.yaml")


@pytest.mark.parametrize("confidence", [" 0.93", " 1", " 1.5e-1"])
def test_a_confidence_is_skipped_and_told_once(check, tmp_path, confidence):
    found = check(write_yolo(tmp_path / "yolo", more=confidence))
    assert found.is_right
    assert found.told.count("4 lines with a confidence as last field, which is not read") == 1


@pytest.mark.parametrize("name", ["._1.txt", ".DS_Store", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints/1.txt"])
def test_files_of_the_system_are_passed_over(check, tmp_path, name):
    write_yolo(tmp_path / "yolo")
    file = tmp_path / "yolo" / "labels" / "photos" / "daisy" / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"\0\5\x16\7 no label")
    assert check(tmp_path / "yolo").is_right


def test_names_with_dots_and_without_an_ending(check, tmp_path):
    paths = [f"dots/scan.2021.{Path(path).stem}.jpg" for path in REGIONS]
    write_photos(tmp_path, paths)
    write_csv(tmp_path / "few.csv", [(path, "daisy") for path in paths])
    found = check(write_voc(tmp_path / "voc", tag=lambda path: Path(path).stem, paths=paths))
    assert found.code == 0
    assert found.regions == dict(zip(paths, RIGHT.values(), strict=True))


@pytest.mark.parametrize("separator", [", ", " , ", "; ", ";", "\t"])
def test_boxes_of_spreadsheets(check, tmp_path, separator):
    rows = [(path, category, *map(str, box)) for path, (category, box) in REGIONS.items()]
    header = ("path", "category", "x", "y", "width", "height")
    found = check(write_csv(tmp_path / "boxes.csv", rows, header=header, separator=separator))
    assert found.is_right
    assert ("were separated at" in found.told) == (separator.strip(" ") != ",")


def test_a_line_of_yolo_that_is_none_is_told_with_its_place(check, tmp_path):
    write_yolo(tmp_path / "yolo")
    (tmp_path / "yolo/labels/photos/daisy/1.txt").write_text(yolo_line("photos/daisy/1.jpg") + "0 0.5 0.5\n")
    assert check(tmp_path / "yolo").refuses("1.txt", "3 fields")
