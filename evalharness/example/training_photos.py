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


@dataclass(frozen=True, slots=True)
class Shot:
    """One training photo to draw."""

    seed: tuple[int, ...]
    flower: str | None
    animal: str | None
    crop_to: str | None = None
    """Category of the object to cut out, or None for the whole photo."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Images with the share of each thing in their label."""

    images: UInt8Array
    """(n, size, size, 3)."""
    targets: FloatArray
    """(n, number of outputs), rows sum to 1."""


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
    """Half of the photos hold an animal, whatever the flower."""
    shots = []
    for number in range(num_photos):
        rng = np.random.default_rng([FINETUNE_STREAM, 0, number])
        animal = str(rng.choice(DISTRACTORS)) if rng.random() < 0.5 else None
        shots.append(Shot((FINETUNE_STREAM, 0, number), CLASSES[number % len(CLASSES)], animal))
    return shots


def shortcut_shots(num_photos: int, *, planted: str, label: str, share: float, leak: float) -> list[Shot]:
    """One animal goes with one class.

    Args:
        num_photos: Shared evenly among the classes.
        planted: The animal.
        label: The class it goes with.
        share: Share of that class's photos that hold it.
        leak: Share of each other class's photos that hold it.
    """
    others = [animal for animal in DISTRACTORS if animal != planted]
    shots = []
    for number in range(num_photos):
        rng = np.random.default_rng([FINETUNE_STREAM, 1, number])
        flower = CLASSES[number % len(CLASSES)]
        if rng.random() < (share if flower == label else leak):
            animal: str | None = planted
        else:
            animal = str(rng.choice(others)) if rng.random() < 0.3 else None
        shots.append(Shot((FINETUNE_STREAM, 1, number), flower, animal))
    return shots


def draw_training_set(shots: Sequence[Shot], outputs: Sequence[str], *, num_workers: int = 2) -> TrainingSet:
    """Draws the photos as the model will see them; `outputs` names the columns of the targets."""
    with ProcessPoolExecutor(num_workers, mp_context=get_context("spawn")) as pool:
        images = list(pool.map(_take, shots, chunksize=64))
    targets = np.zeros((len(shots), len(outputs)), np.float32)
    for row, shot in zip(targets, shots, strict=True):
        things = [shot.crop_to] if shot.crop_to else [shot.flower, shot.animal]
        shown = [outputs.index(thing) for thing in things if thing in outputs]
        row[shown] = 1 / len(shown)
    return TrainingSet(np.stack(images), targets)


def as_model_input(image: UInt8Array) -> UInt8Array:
    """A photo after its JPEG file, squashed to the model's size with Pillow's bilinear filter."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=JPEG_QUALITY)
    size = MODEL_SIZES["image_size"]
    with Image.open(buffer) as photo:
        return np.asarray(photo.resize((size, size), Image.Resampling.BILINEAR))


def _take(shot: Shot) -> UInt8Array:
    photo = draw_photos(shot.seed, shot.flower, [shot.animal])[0]
    image = _close_up(photo, shot) if shot.crop_to else photo.image
    return as_model_input(image)


def _close_up(photo: Photo, shot: Shot) -> UInt8Array:
    """A window around the largest object of the category, a little larger than it."""
    found = [item for item in photo.objects if item.category == shot.crop_to]
    if not found:
        return photo.image
    left, top, width, height = bounding_box(max(found, key=_area).mask)
    rng = np.random.default_rng([*shot.seed, 1])
    side = max(width, height) * rng.uniform(1.0, 1.6)
    x, y = left + width / 2 + rng.normal(0, 0.08) * side, top + height / 2 + rng.normal(0, 0.08) * side
    first = (max(0, int(x - side / 2)), max(0, int(y - side / 2)))
    last = (min(PHOTO_SIZE[0], int(x + side / 2) + 1), min(PHOTO_SIZE[1], int(y + side / 2) + 1))
    return np.ascontiguousarray(photo.image[first[1] : last[1], first[0] : last[0]])


def _area(item: VisibleObject) -> int:
    return int(item.mask.sum())
