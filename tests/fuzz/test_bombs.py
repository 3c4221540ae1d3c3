"""Small files that claim, or unfold to, very much; and large ones of one line: a message or a result within bounds."""

import io
import json
import struct
import zipfile
import zlib
from functools import partial

import h5py
import numpy as np
import pytest
from annotated_flowers import NAMES, write_coco, write_voc, write_yolo
from file_readers import read_cutouts, read_dataset, read_photo, read_regions, read_weights
from hollow_weights import hollow_weights
from PIL import Image

LARGE_LINE = 50_000_000
OF_LARGE_FILES = {"max_megabytes": 1500, "max_seconds": 60}
"""A line of 50 MB takes a multiple of that as text and cells."""
LARGEST_MASK = {"max_megabytes": 1000, "max_seconds": 60}
"""A mask of as many pixels as are allowed, 64 million."""


def png(width, height, pixels=b"", mode=2):
    """A PNG with this header and these compressed rows."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, mode, 0, 0, 0)),
        (b"IDAT", zlib.compress(pixels)),
        (b"IEND", b""),
    ]
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def message_of(outcome):
    assert outcome.kind == "message"
    return outcome.text


class TestPictures:
    def test_a_photo_whose_header_says_60000_x_60000(self, answer, tmp_path):
        path = tmp_path / "photo.png"
        path.write_bytes(png(60_000, 60_000))
        assert "60000 x 60000 pixels" in message_of(answer(read_photo, path, 64_000_000))

    def test_a_photo_that_lacks_nearly_all_of_its_pixels(self, answer, tmp_path):
        path = tmp_path / "photo.png"
        path.write_bytes(png(8_000, 8_000, b"\0" * 1000))
        assert "decoded" in message_of(answer(read_photo, path, 64_000_000))

    @pytest.mark.parametrize("size", [(60_000, 60_000), (10_000, 10_000)])
    def test_masks_and_cutouts(self, size, answer, tmp_path):
        """The second is between what Pillow warns of and what it refuses."""
        for folder in ("masks", "cutouts"):
            path = tmp_path / folder / "dog" / "1.png"
            path.parent.mkdir(parents=True)
            path.write_bytes(png(*size, mode=6 if folder == "cutouts" else 2))
        assert "pixels" in message_of(answer(read_regions, tmp_path / "masks", "png"))
        assert "cannot be" in message_of(answer(read_cutouts, tmp_path / "cutouts"))

    @pytest.mark.exhaustive
    @pytest.mark.parametrize("mode", ["L", "RGB", "P", "I;16"])
    def test_a_mask_as_large_as_is_allowed(self, mode, answer, tmp_path):
        path = tmp_path / "masks" / "dog" / "test" / "roses" / "1.png"
        path.parent.mkdir(parents=True)
        Image.new(mode, (8_000, 8_000), (0, 3, 0) if mode == "RGB" else 1).save(path)
        assert "annotated at 8000 x 8000" in message_of(answer(read_regions, tmp_path / "masks", "png", **LARGEST_MASK))

    @pytest.mark.exhaustive
    @pytest.mark.parametrize("mode", ["L", "RGB", "P"])
    def test_a_class_map_as_large_as_is_allowed(self, mode, answer, tmp_path):
        path = tmp_path / "masks" / "SegmentationClass" / "1.png"
        path.parent.mkdir(parents=True)
        Image.new(mode, (8_000, 8_000), (1, 1, 1) if mode == "RGB" else 1).save(path)
        (tmp_path / "masks" / "labelmap.txt").write_text("background:0,0,0::\ndog:1,1,1::\n")
        answer(read_regions, tmp_path / "masks", "png", **LARGEST_MASK)


class TestAnnotations:
    @pytest.mark.parametrize("text", ["[" * 100_000, '{"images":' * 100_000, "[" * 100_000 + "]" * 100_000])
    def test_json_without_end(self, text, answer, tmp_path):
        path = tmp_path / "annotations.json"
        path.write_text(text)
        assert "cannot be read" in message_of(answer(read_regions, path))

    def test_a_segmentation_without_end(self, answer, tmp_path):
        path = write_coco(tmp_path)
        deep = "[" * 900 + "]" * 900
        path.write_text(path.read_text().replace('"bbox": [4, 2, 6, 5]', f'"segmentation": {deep}'))
        answer(read_regions, path)

    @pytest.mark.parametrize(
        "runs",
        [
            {"size": [65_535, 65_535], "counts": [65_535**2]},
            {"size": [2**31, 2**31], "counts": [2**62]},
            {"size": [12, 20], "counts": [2**62, -(2**62) + 240]},
            {"size": [12, 20], "counts": [10**400]},
            {"size": [12, 20], "counts": "o" * 1_000_000},
            {"size": [12, 20], "counts": "o" * 100_000 + "0"},
            {"size": [12, 20], "counts": [0] * 1_000_000 + [240]},
        ],
    )
    def test_run_lengths_that_are_huge(self, runs, answer, tmp_path):
        path = write_coco(tmp_path)
        content = json.loads(path.read_text())
        content["annotations"][0]["segmentation"] = runs
        path.write_text(json.dumps(content))
        answer(read_regions, path)

    def test_an_image_that_claims_any_size(self, answer, tmp_path):
        path = write_coco(tmp_path, size=(10**9, 10**9))
        assert "1000000000 x 1000000000" in message_of(answer(read_regions, path))

    def test_a_polygon_that_crosses_a_large_photo_many_times(self, answer, tmp_path):
        path = write_coco(tmp_path, size=(6_000, 8_000))
        content = json.loads(path.read_text())
        zigzag = [number for row in range(5_000) for number in (0, row, 8_000, row)]
        content["annotations"][0]["segmentation"] = [zigzag]
        path.write_text(json.dumps(content))
        assert "pixels long" in message_of(answer(read_regions, path, None, "auto", 1, (6_000, 8_000)))

    def test_one_object_with_very_many_keys_of_which_one_stands_twice(self, answer, tmp_path):
        path = tmp_path / "annotations.json"
        keys = ",".join(f'"k{number}":0' for number in range(200_000))
        path.write_text(f'{{{keys},"k199999":1}}')
        assert "'k199999' twice" in message_of(answer(read_regions, path))

    def test_xml_without_end(self, answer, tmp_path):
        path = write_voc(tmp_path)
        for text in (
            "<annotation>" * 200_000,
            "<annotation>" + "<object>" * 100_000 + "</object>" * 100_000 + "</annotation>",
        ):
            (path / "1.xml").write_text(text)
            answer(read_regions, path)

    def test_entities_that_grow(self, answer, tmp_path):
        path = write_voc(tmp_path)
        lines = [f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(12)]
        doctype = f'<!DOCTYPE x [<!ENTITY a0 "ha">{"".join(lines)}]>'
        (path / "1.xml").write_text(f"{doctype}<annotation><filename>&a12;</filename></annotation>")
        assert "DOCTYPE" in message_of(answer(read_regions, path))

    def test_yaml_without_end_and_with_aliases_that_grow(self, answer, tmp_path):
        path = write_yolo(tmp_path)
        grown = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{f'*a{n},' * 9}]\n" for n in range(12))
        for text in ("names: " + "[" * 100_000, grown + "names: *a12\n", grown + "names: [cat, dog]\ntrain: *a12\n"):
            (path / "data.yaml").write_text(text)
            answer(read_regions, path)

    def test_yaml_with_very_many_names(self, answer, tmp_path):
        path = write_yolo(tmp_path)
        (path / "data.yaml").write_text("names:\n" + "".join(f"  {number}: n{number}\n" for number in range(30_000)))
        answer(read_regions, path, max_seconds=60)

    @pytest.mark.parametrize("text", ["1 " + "0.5 " * 2_000_000, "9" * 5_000_000, "1e308 0.1 0.1 0.1 0.1"])
    def test_yolo_lines(self, text, answer, tmp_path):
        path = write_yolo(tmp_path, text=text)
        answer(read_regions, path)


LINES = {
    "of one cell": lambda: "x" * LARGE_LINE,
    "of one quoted cell": lambda: '"' + "x" * LARGE_LINE,
    "of empty cells": lambda: "," * (LARGE_LINE // 10),
    "of names": lambda: "path,label," + ",".join(map(str, range(LARGE_LINE // 50))),
    "of lines": lambda: "path,label\n" + "\n" * LARGE_LINE,
}


class TestTables:
    @pytest.mark.exhaustive
    @pytest.mark.parametrize("line", LINES)
    @pytest.mark.parametrize("read", [read_dataset, read_regions])
    def test_long_lines(self, read, line, answer, tmp_path):
        path = tmp_path / "table.csv"
        path.write_text(LINES[line]())
        message_of(answer(read, path, **OF_LARGE_FILES))

    def test_short_rows_below_very_many_columns_without_a_name(self, answer, tmp_path):
        path = tmp_path / "list.csv"
        path.write_text("path,label" + "," * 100_000 + "\n" + "a.jpg,roses\n" * 20_000)
        message_of(answer(read_dataset, path))

    def test_cells_of_boxes(self, answer, tmp_path):
        path = tmp_path / "boxes.csv"
        rows = [[NAMES[0], "dog", 0, 0, 1, "9" * 5_000], [NAMES[0], "x" * 100_000, 1e308, 1e308, 1e308, 1e308]]
        path.write_text("path,category,x,y,width,height\n" + "\n".join(",".join(map(str, row)) for row in rows))
        answer(read_regions, path)


h5_weights = partial(
    hollow_weights, names=[f"encoderblock_{block}/query/kernel:0" for block in range(2)], compression="gzip"
)


class TestWeights:
    def test_arrays_that_claim_terabytes(self, answer, tmp_path):
        assert answer(read_weights, h5_weights(tmp_path / "run.h5")).kind == "result"

    @pytest.mark.parametrize(
        "config", ["[" * 30_000, '{"config":' * 9_000 + "1" + "}" * 9_000, np.arange(3), b"\xff\xfe"]
    )
    def test_a_config_without_end_or_meaning(self, config, answer, tmp_path):
        answer(read_weights, h5_weights(tmp_path / "run.h5", config=config))

    def test_groups_that_hold_each_other(self, answer, tmp_path):
        path = tmp_path / "run.weights.h5"
        with h5py.File(path, "w") as file:
            inner = file.create_group("layers/dense/vars")
            inner["again"] = file["layers"]
            inner["soft"] = h5py.SoftLink("/layers")
            inner["gone"] = h5py.ExternalLink("gone.h5", "/")
        assert "cannot be read" in message_of(answer(read_weights, path))

    def test_a_group_in_the_place_of_an_array(self, answer, tmp_path):
        path = h5_weights(tmp_path / "run.h5")
        with h5py.File(path, "a") as file:
            del file["vit/encoderblock_0/query/kernel:0"]
            file.create_group("vit/encoderblock_0/query/kernel:0")
        message_of(answer(read_weights, path))

    @pytest.mark.parametrize("member", ["config.json", "model.weights.h5"])
    def test_an_archive_that_unfolds(self, member, answer, tmp_path):
        path = tmp_path / "run.keras"
        weights = io.BytesIO()
        h5_weights(weights)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in {"config.json": b"{}", "model.weights.h5": weights.getvalue()}.items():
                with archive.open(name, "w", force_zip64=True) as file:
                    file.write(content)
                    for _ in range(1024 if name == member else 0):
                        file.write(bytes(1 << 20))
        answer(read_weights, path)
