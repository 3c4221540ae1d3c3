"""Four small photos with a region each, and those regions in the formats that annotation tools write."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 40, 32
REGIONS = {
    "photos/daisy/1.jpg": ("dog", (4, 6, 14, 10)),
    "photos/daisy/2.jpg": ("cat", (20, 2, 12, 14)),
    "photos/roses/3.jpg": ("dog", (12, 10, 16, 10)),
    "photos/roses/4.jpg": ("cat", (2, 16, 18, 12)),
}
"""By path: the category, and x, y, width, height. All differ, so that a wrong photo or pixel is noticed."""
CATEGORIES = ("dog", "cat")
COLOURS = {"background": (0, 0, 0), "dog": (50, 183, 250), "cat": (250, 50, 83)}


def write_photos(folder: Path, paths=tuple(REGIONS), *, orientation=1) -> Path:
    """Photos of WIDTH x HEIGHT pixels when they are upright, and `few.csv`, which lists them; returns the CSV."""
    turn = {1: None, 6: Image.Transpose.ROTATE_90, 3: Image.Transpose.ROTATE_180}[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    for number, path in enumerate(paths):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        photo = Image.fromarray(pixels)
        (photo if turn is None else photo.transpose(turn)).save(folder / path, exif=exif)
    return write_csv(folder / "few.csv", [(path, Path(path).parent.name) for path in paths])


def write_csv(path: Path, rows, *, header=("path", "label"), separator=",") -> Path:
    path.write_text("\n".join(separator.join(row) for row in [header, *rows]) + "\n", encoding="utf-8")
    return path


def coco(*, name=lambda path: path) -> dict:
    """The regions as COCO; `name` is what a tool makes of a path."""
    images = [
        {"id": number, "file_name": name(path), "width": WIDTH, "height": HEIGHT}
        for number, path in enumerate(REGIONS, start=1)
    ]
    annotations = [
        {"id": number, "image_id": number, "category_id": 1 + CATEGORIES.index(category), "bbox": list(box)}
        for number, (category, box) in enumerate(REGIONS.values(), start=1)
    ]
    categories = [{"id": number, "name": name} for number, name in enumerate(CATEGORIES, start=1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_coco(path: Path, content: dict) -> Path:
    path.write_text(json.dumps(content))
    return path


def yolo_line(path: str, more: str = "") -> str:
    """The line of a photo: the number of the category, the centre and the sides in parts of the photo."""
    category, (x, y, width, height) = REGIONS[path]
    centre = (x + width / 2) / WIDTH, (y + height / 2) / HEIGHT
    numbers = " ".join(f"{number:.6f}" for number in (*centre, width / WIDTH, height / HEIGHT))
    return f"{CATEGORIES.index(category)} {numbers}{more}\n"


def write_yolo(folder: Path, names=("classes.txt", "dog\ncat\n"), *, labels="labels", more="") -> Path:
    """A label file per photo, and the file that names the categories."""
    for path in REGIONS:
        file = folder / labels / Path(path).with_suffix(".txt")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yolo_line(path, more))
    (folder / names[0]).write_text(names[1])
    return folder


def write_voc(folder: Path, *, tag=lambda path: Path(path).name, paths=tuple(REGIONS)) -> Path:
    """An XML file per photo; `tag` is what its `filename` says."""
    for path, (category, (x, y, width, height)) in zip(paths, REGIONS.values(), strict=True):
        file = folder / Path(path).parent / f"{Path(path).stem}.xml"
        file.parent.mkdir(parents=True, exist_ok=True)
        corners = {"xmin": x + 1, "ymin": y + 1, "xmax": x + width, "ymax": y + height}
        box = "".join(f"<{side}>{value}</{side}>" for side, value in corners.items())
        file.write_text(
            f"<annotation><filename>{tag(path)}</filename>"
            f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
            f"<object><name>{category}</name><bndbox>{box}</bndbox></object></annotation>"
        )
    return folder


def write_class_masks(folder: Path, *, mode: str) -> Path:
    """`SegmentationClass` as CVAT writes it: `mode` RGB, or P with a palette of the same colours."""
    masks = folder / "SegmentationClass"
    masks.mkdir(parents=True)
    (folder / "SegmentationObject").mkdir()
    for path, (category, (x, y, width, height)) in REGIONS.items():
        numbers = np.zeros((HEIGHT, WIDTH), np.uint8)
        numbers[y : y + height, x : x + width] = list(COLOURS).index(category)
        mask = Image.fromarray(numbers, "P")
        mask.putpalette(bytes(value for colour in COLOURS.values() for value in colour))
        mask.convert(mode).save(masks / f"{Path(path).stem}.png")
        Image.fromarray(np.minimum(numbers, 1) * 200).save(folder / "SegmentationObject" / f"{Path(path).stem}.png")
    lines = [f"{name}:{','.join(map(str, colour))}::" for name, colour in COLOURS.items()]
    (folder / "labelmap.txt").write_text("\n".join(["# label:color_rgb:parts:actions", *lines]))
    return folder
