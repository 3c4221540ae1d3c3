"""The test photos of the bundled example: drawn once, then kept in a cache folder."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from PIL import Image

from evalharness.example.animals import ANIMALS
from evalharness.example.coco import coco_document
from evalharness.example.flowers import FLOWERS
from evalharness.example.scenes import PHOTO_SIZE, Photo, VisibleObject, draw_animal_cutout, draw_photos
from evalharness.records import UInt8Array

CLASSES = tuple(FLOWERS)
DISTRACTORS = tuple(ANIMALS)
VERSION = 2
"""Of the drawings: raise it with every change that alters a pixel, and train the weights again."""
TEST_SEED = 123
NUM_PHOTOS = 600
NUM_REPAIR_PHOTOS = 300
REPAIR_CSV = "repair_photos.csv"
JPEG_QUALITY = 92
TEST_STREAM, PRETRAIN_STREAM, FINETUNE_STREAM, REPAIR_STREAM = 0, 1, 2, 3
"""First number of every scene's seed: no training photo shares a scene with a test photo."""


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """Files of a complete set of photos."""

    root: Path
    csv: Path
    """The notebook's layout: `base_path,type_dir,file_name`, relative to the root."""
    table_csv: Path
    """`path,label,distractor,clean_path`: the animal in the photo, and the same scene without it."""
    annotations: Path
    """COCO masks of flowers and animals."""

    @classmethod
    def of(cls, root: Path) -> "PhotoSet":
        """The set whose files live in a folder."""
        return cls(root, root / "testing_files.csv", root / "test_photos.csv", root / "annotations.coco.json")


@dataclass(frozen=True, slots=True)
class DrawnPhoto:
    """A test photo before it is written."""

    path: str
    """`photos/<class>/<file>.jpg`."""
    label: str
    distractor: str
    """The animal in it, or empty."""
    clean_path: str
    """The same scene without the animal, or empty where there is none."""
    photo: Photo


def generate_photos(cache_dir: Path, *, num_photos: int = NUM_PHOTOS, seed: int = TEST_SEED) -> PhotoSet:
    """Draws the test photos, unless an earlier call with the same arguments has done so.

    Half of the photos show no animal. The other half are counterfactual: each of their scenes comes with a cat, with a
    dog, with a bird, and, in the first half, with none; animal and class are independent. These scenes are spacious, so
    that an animal's shape can be erased elsewhere too.

    Args:
        cache_dir: Where the set's own folder is; the folder's name holds the version, the seed and the number.
        num_photos: Rounded up to a multiple of 30.
        seed: Another seed gives other scenes.

    Returns:
        The files. A generation that was killed leaves no set behind.
    """
    num_scenes = -(-num_photos // 30)
    root = cache_dir / f"flowers-v{VERSION}-seed{seed}-{num_scenes * 30}"
    _draw_once(root, lambda folder: _write_photos(PhotoSet.of(folder), num_scenes, seed))
    return PhotoSet.of(root)


def generate_repair_photos(cache_dir: Path, *, num_photos: int = NUM_REPAIR_PHOTOS, seed: int = TEST_SEED) -> Path:
    """Draws photos without animals to repair a run with, unless an earlier call with the same arguments has done so.

    Args:
        cache_dir: Where the set's own folder is.
        num_photos: Rounded up to a multiple of the classes.
        seed: Another seed gives other scenes.

    Returns:
        A CSV with the columns `path,label`.
    """
    num_per_class = -(-num_photos // len(CLASSES))
    root = cache_dir / f"repair-v{VERSION}-seed{seed}-{num_per_class * len(CLASSES)}"
    _draw_once(root, lambda folder: _write_repair_photos(folder, num_per_class, seed))
    return root / REPAIR_CSV


def _draw_once(root: Path, write: Callable[[Path], None]) -> None:
    """Writes a set unless it is there; one that was killed leaves none behind, and processes wait for each other."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(root.with_name(f".{root.name}.lock")):
        if not root.is_dir():
            unfinished = root.with_name(f".{root.name}.partial")
            shutil.rmtree(unfinished, ignore_errors=True)
            write(unfinished)
            unfinished.rename(root)


def cutouts(num_per_animal: int = 6, *, height: int = 192, seed: int = 0) -> dict[str, tuple[UInt8Array, ...]]:
    """Animals on a transparent ground, to be pasted into other photos.

    Args:
        num_per_animal: Different ones of each animal, in more than one pose.
        height: Pixels from ears to feet, about.
        seed: Another seed gives other animals.

    Returns:
        For each animal, RGBA images of shape (rows, columns, 4), cropped, alpha not premultiplied.
    """
    return {
        animal: tuple(
            draw_animal_cutout(animal, seed=seed * 1000 + number, height=height) for number in range(num_per_animal)
        )
        for animal in DISTRACTORS
    }


def draw_test_photos(num_scenes: int, seed: int = TEST_SEED) -> Iterator[DrawnPhoto]:
    """Draws, for each class, `num_scenes` scenes with each animal and without, and twice as many without only."""
    for class_index, label in enumerate(CLASSES):
        for number in range(3 * num_scenes):
            animals = (None, *DISTRACTORS) if number < num_scenes else (None,)
            clean_path = f"photos/{label}/{number:04d}.jpg"
            scene = draw_photos([TEST_STREAM, seed, class_index, number], label, animals, is_spacious=len(animals) > 1)
            for animal, photo in zip(animals, scene, strict=True):
                if animal:
                    path = clean_path.replace(".jpg", f"-{animal}.jpg")
                    yield DrawnPhoto(path, label, animal, clean_path, photo)
                else:
                    yield DrawnPhoto(clean_path, label, "", "", photo)


def _write_repair_photos(root: Path, num_per_class: int, seed: int) -> None:
    rows = []
    for class_index, label in enumerate(CLASSES):
        (root / "photos" / label).mkdir(parents=True)
        for number in range(num_per_class):
            # As many of the spacious scenes as among the test photos without an animal.
            is_spacious = number % 3 == 0
            (photo,) = draw_photos([REPAIR_STREAM, seed, class_index, number], label, (None,), is_spacious=is_spacious)
            path = f"photos/{label}/{number:04d}.jpg"
            Image.fromarray(photo.image).save(root / path, quality=JPEG_QUALITY)
            rows.append([path, label])
    with (root / REPAIR_CSV).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "label"])
        writer.writerows(rows)


def _write_photos(files: PhotoSet, num_scenes: int, seed: int) -> None:
    for label in CLASSES:
        (files.root / "photos" / label).mkdir(parents=True)
    annotated: list[tuple[str, tuple[int, int], tuple[VisibleObject, ...]]] = []
    rows: list[DrawnPhoto] = []
    for drawn in draw_test_photos(num_scenes, seed):
        Image.fromarray(drawn.photo.image).save(files.root / drawn.path, quality=JPEG_QUALITY)
        annotated.append((drawn.path, PHOTO_SIZE, drawn.photo.objects))
        rows.append(drawn)
    document = coco_document(annotated, [*CLASSES, *DISTRACTORS])
    files.annotations.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
    with files.csv.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["base_path", "type_dir", "file_name"])
        writer.writerows(row.path.split("/") for row in rows)
    with files.table_csv.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "label", "distractor", "clean_path"])
        writer.writerows([row.path, row.label, row.distractor, row.clean_path] for row in rows)
