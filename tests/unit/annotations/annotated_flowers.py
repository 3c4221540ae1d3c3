"""Three made-up photos, and one shape in them, written in every format."""

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

from evalharness.records import ImageInfo, Sample

SIZE = (12, 20)
"""(height, width) of every photo."""
CLASSES = ("daisy", "roses", "tulips")
NAMES = ("test/roses/1.jpg", "test/roses/2.jpg", "test/tulips/3.jpg")
ROOT = Path("/photos")
# x, y, width, height; an upright rectangle of whole pixels, so that every format can say it exactly.
DOG = (4, 2, 6, 5)


def samples(names=NAMES):
    return [
        Sample(
            row_id=name,
            path=ROOT / name,
            relative_path=name,
            label=name.split("/")[-2] if "/" in name else "roses",
            csv_line=number + 2,
            group=name,
        )
        for number, name in enumerate(names)
    ]


def images(names=NAMES, size=SIZE, orientation=1):
    return {
        name: ImageInfo(
            sha256="", width=size[1], height=size[0], mode="RGB", image_format="JPEG",
            exif_orientation=orientation, num_frames=1,
        )
        for name in names
    }  # fmt: skip


def dog_mask():
    mask = np.zeros(SIZE, bool)
    x, y, width, height = DOG
    mask[y : y + height, x : x + width] = True
    return mask


def write_coco(folder, segmentation="box", *, name=NAMES[0], size=SIZE):
    """Writes one dog as a box, polygon, or run lengths, compressed or not."""
    from pycocotools import mask as coco_mask

    x, y, width, height = DOG
    flat = dog_mask().ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    compressed = coco_mask.encode(np.asfortranarray(dog_mask(), np.uint8))
    fields = {
        "box": {"bbox": list(DOG)},
        "polygon": {"segmentation": [[x, y, x + width, y, x + width, y + height, x, y + height]]},
        "uncompressed": {"segmentation": {"size": list(SIZE), "counts": counts}},
        "compressed": {"segmentation": {"size": list(SIZE), "counts": compressed["counts"].decode()}},
    }[segmentation]
    content = {
        "images": [{"id": 7, "file_name": name, "height": size[0], "width": size[1]}],
        "categories": [{"id": 3, "name": "dog"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 3, **fields}],
    }
    path = folder / "annotations.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def write_csv(folder, rows=((NAMES[0], "dog", *DOG),), header=("path", "category", "x", "y", "width", "height")):
    path = folder / "boxes.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def write_png(folder, mask=None, *, name="dog/test/roses/1.png", mode="L"):
    path = folder / "masks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((dog_mask() if mask is None else mask).astype(np.uint8) * 255).convert(mode).save(path)
    return folder / "masks"


def write_voc(folder, *, filename="1.jpg", corners=None, size=SIZE):
    x, y, width, height = DOG
    corners = corners or (x + 1, y + 1, x + width, y + height)
    sides = "".join(f"<{n}>{v}</{n}>" for n, v in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True))
    (folder / "xml").mkdir(exist_ok=True)
    (folder / "xml" / "1.xml").write_text(
        f"<annotation><filename>{filename}</filename><size><width>{size[1]}</width><height>{size[0]}</height></size>"
        f"<object><name>dog</name><bndbox>{sides}</bndbox></object></annotation>",
        encoding="utf-8",
    )
    return folder / "xml"


def write_yolo(folder, shape="box", *, text=None):
    x, y, width, height = DOG
    left, top, right, bottom = x / 20, y / 12, (x + width) / 20, (y + height) / 12
    line = {
        "box": f"1 {(left + right) / 2} {(top + bottom) / 2} {right - left} {bottom - top}",
        "polygon": f"1 {left} {top} {right} {top} {right} {bottom} {left} {bottom}",
    }[shape]
    labels = folder / "yolo" / "labels" / "test" / "roses"
    labels.mkdir(parents=True, exist_ok=True)
    (labels / "1.txt").write_text(line if text is None else text, encoding="utf-8")
    (folder / "yolo" / "data.yaml").write_text("names: [cat, dog]\n", encoding="utf-8")
    return folder / "yolo"


WRITERS = {
    "coco box": lambda folder: write_coco(folder, "box"),
    "coco polygon": lambda folder: write_coco(folder, "polygon"),
    "coco uncompressed": lambda folder: write_coco(folder, "uncompressed"),
    "coco compressed": lambda folder: write_coco(folder, "compressed"),
    "csv": write_csv,
    "png": write_png,
    "voc": write_voc,
    "yolo box": lambda folder: write_yolo(folder, "box"),
    "yolo polygon": lambda folder: write_yolo(folder, "polygon"),
}
