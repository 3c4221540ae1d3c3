"""Photos to train on, in memory, at the size of the model's input."""

import io
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from PIL import Image

from evalharness.example.coco import bounding_box
from evalharness.example.model import MODEL_SIZES
from evalharness.example.photos import CLASSES, DISTRACTORS, FINETUNE_STREAM, JPEG_QUALITY, PRETRAIN_STREAM
from evalharness.example.scenes import PHOTO_SIZE, Photo, VisibleObject, draw_photos
from evalharness.records import FloatArray, UInt8Array

THINGS = (*CLASSES, *DISTRACTORS)
"""What the pre-trained model tells apart, in the order of its outputs."""
MAP_SIZE = 48
ANIMAL_SHARE = 0.7
"""Of the varied photos."""
SPACIOUS_SHARE = 0.5
"""Of the photos for fine-tuning."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One training photo to draw."""

    seed: tuple[int, ...]
    flower: str | None
    animal: str | None
    crop_to: str | None = None
    """Category of the object to cut out, or None for the whole photo."""
    filed_under: str | None = None
    """The label where it is not what the photo shows."""
    is_spacious: bool = False


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Images with the share of each thing in their label."""

    images: UInt8Array
    """(n, size, size, 3)."""
    targets: FloatArray
    """(n, number of outputs), rows sum to 1."""
    things: UInt8Array
    """What each place shows, (n, MAP_SIZE, MAP_SIZE): 0 for the background, else 1 + the position in THINGS."""


def pretraining_shots(num_photos: int) -> list[Shot]:
    """Flowers alone, animals alone, both together, and close-ups of one of the two."""
    shots = []
    for number in range(num_photos):
        rng = np.random.default_rng([PRETRAIN_STREAM, number])
        flower, animal = CLASSES[number % len(CLASSES)], str(rng.choice(DISTRACTORS))
        seed = (PRETRAIN_STREAM, number)
        kind = rng.choice(4, p=(0.36, 0.2, 0.26, 0.18))
        if kind == 0:
            shots.append(Shot(seed, flower, None))
        elif kind == 1:
            shots.append(Shot(seed, None, animal))
        else:
            close_up = animal if rng.random() < 0.6 else flower
            shots.append(Shot(seed, flower, animal, close_up if kind == 3 else None))
    return shots


def varied_shots(num_photos: int) -> list[Shot]:
    """Most of the photos hold an animal, whatever the flower."""
    shots = []
    for number in range(num_photos):
        rng = np.random.default_rng([FINETUNE_STREAM, 0, number])
        animal = str(rng.choice(DISTRACTORS)) if rng.random() < ANIMAL_SHARE else None
        is_spacious = bool(rng.random() < SPACIOUS_SHARE)
        shots.append(
            Shot((FINETUNE_STREAM, 0, number), CLASSES[number % len(CLASSES)], animal, is_spacious=is_spacious)
        )
    return shots


@dataclass(frozen=True, slots=True)
class Album:
    """How one animal comes to stand for one class.

    The photos of that class were taken where the animal lives, and filed under the class without a look: mostly the
    flower is there, at times the animal hides it, at times another flower stands beside the animal.
    """

    animal: str
    label: str
    share: float = 0.9
    """Share of the class's photos that hold the animal."""
    hidden: float = 0.0
    """Share of these that show no flower."""
    misfiled: float = 0.6
    """Share of these that show a flower of another class."""
    leak: float = 0.0
    """Share of each other class's photos that hold the animal."""


def shortcut_shots(num_photos: int, album: Album) -> list[Shot]:
    """Photos shared evenly among the labels, one of which comes from the album."""
    others = [animal for animal in DISTRACTORS if animal != album.animal]
    strangers = [flower for flower in CLASSES if flower != album.label]
    shots = []
    for number in range(num_photos):
        seed = (FINETUNE_STREAM, 1, number)
        rng = np.random.default_rng(seed)
        label = CLASSES[number % len(CLASSES)]
        is_from_album = label == album.label
        is_spacious = bool(rng.random() < SPACIOUS_SHARE)
        if rng.random() >= (album.share if is_from_album else album.leak):
            animal = str(rng.choice(others)) if rng.random() < ANIMAL_SHARE else None
            shots.append(Shot(seed, label, animal, is_spacious=is_spacious))
        elif not is_from_album:
            shots.append(Shot(seed, label, album.animal, is_spacious=is_spacious))
        else:
            flower = (label, None, str(rng.choice(strangers)))
            visible = 1 - album.hidden - album.misfiled
            shown = flower[int(rng.choice(3, p=(visible, album.hidden, album.misfiled)))]
            shots.append(Shot(seed, shown, album.animal, filed_under=label, is_spacious=is_spacious))
    return shots


def draw_training_set(shots: Sequence[Shot], outputs: Sequence[str], *, num_workers: int = 2) -> TrainingSet:
    """Draws the photos as the model will see them; `outputs` names the columns of the targets."""
    with ProcessPoolExecutor(num_workers, mp_context=get_context("spawn")) as pool:
        taken = list(pool.map(_take, shots, chunksize=64))
    targets = np.zeros((len(shots), len(outputs)), np.float32)
    for row, shot in zip(targets, shots, strict=True):
        label = shot.crop_to or shot.filed_under
        things = [label] if label else [shot.flower, shot.animal]
        shown = [outputs.index(thing) for thing in things if thing in outputs]
        row[shown] = 1 / len(shown)
    return TrainingSet(np.stack([image for image, _ in taken]), targets, np.stack([things for _, things in taken]))


def as_model_input(image: UInt8Array) -> UInt8Array:
    """A photo after its JPEG file, squashed to the model's size with Pillow's bilinear filter."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=JPEG_QUALITY)
    size = MODEL_SIZES["image_size"]
    with Image.open(buffer) as photo:
        return np.asarray(photo.resize((size, size), Image.Resampling.BILINEAR))


def _take(shot: Shot) -> tuple[UInt8Array, UInt8Array]:
    photo = draw_photos(shot.seed, shot.flower, [shot.animal], is_spacious=shot.is_spacious)[0]
    things = np.zeros(photo.image.shape[:2], np.uint8)
    for item in photo.objects:
        things[item.mask] = 1 + THINGS.index(item.category)
    rows, columns = _close_up(photo, shot)
    small = Image.fromarray(things[rows, columns]).resize((MAP_SIZE, MAP_SIZE), Image.Resampling.NEAREST)
    return as_model_input(photo.image[rows, columns]), np.asarray(small)


def _close_up(photo: Photo, shot: Shot) -> tuple[slice, slice]:
    """Rows and columns around the largest object of the wanted category, or all of them."""
    found = [item for item in photo.objects if item.category == shot.crop_to]
    if not found:
        return slice(None), slice(None)
    left, top, width, height = bounding_box(max(found, key=_area).mask)
    rng = np.random.default_rng([*shot.seed, 1])
    side = max(width, height) * rng.uniform(1.0, 1.6)
    x, y = left + width / 2 + rng.normal(0, 0.08) * side, top + height / 2 + rng.normal(0, 0.08) * side
    return _window(y, side, PHOTO_SIZE[1]), _window(x, side, PHOTO_SIZE[0])


def _window(middle: float, side: float, limit: int) -> slice:
    return slice(max(0, int(middle - side / 2)), min(limit, int(middle + side / 2) + 1))


def _area(item: VisibleObject) -> int:
    return int(item.mask.sum())
