"""Photos of flowers, with or without an animal, and the exact masks of what is visible in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from evalharness.example.animals import ANIMAL_EXTENT, ANIMALS
from evalharness.example.backgrounds import GREENS, draw_background, draw_foreground, draw_leaf
from evalharness.example.drawing import Pen, alpha_of, jitter, pick, shade
from evalharness.example.flowers import FLOWERS
from evalharness.records import FloatArray, UInt8Array

BoolArray = npt.NDArray[np.bool_]

PHOTO_SIZE = (160, 128)
"""(width, height) in pixels."""
SUPERSAMPLING = 2
CANVAS_SIZE = (PHOTO_SIZE[0] * SUPERSAMPLING, PHOTO_SIZE[1] * SUPERSAMPLING)
ASPECT = PHOTO_SIZE[0] / PHOTO_SIZE[1]
OPAQUE = 96
"""Alpha from which a pixel counts as covered."""


@dataclass(frozen=True, slots=True)
class VisibleObject:
    """One flower or animal, as far as nothing hides it."""

    category: str
    mask: BoolArray
    """Shape (height, width): pixels of which at least half show the object; masks of one photo do not overlap."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A drawn photo with its ground truth."""

    image: UInt8Array
    """RGB, shape (height, width, 3)."""
    objects: tuple[VisibleObject, ...]


@dataclass(frozen=True, slots=True)
class _Bloom:
    center: tuple[float, float]
    radius: float


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Of what stands in a photo, in units of its height."""

    num_blooms: tuple[float, ...]
    """Probability of one, two, ... flowers."""
    radii: tuple[tuple[float, float], ...]
    """Least and largest radius of a flower, for each number of flowers."""
    animal: tuple[float, float]
    """Least and largest half height of an animal."""


CROWDED = _Sizes((0.46, 0.3, 0.15, 0.09), ((0.24, 0.38), (0.2, 0.29), (0.16, 0.24), (0.16, 0.24)), (0.17, 0.28))
SPACIOUS = _Sizes((0.8, 0.2), ((0.2, 0.28), (0.16, 0.21)), (0.16, 0.21))


@dataclass(frozen=True, slots=True)
class _Layer:
    """A transparent picture over the background; one without a category hides what is behind it, nothing more."""

    image: Image.Image
    category: str | None


def draw_photos(
    seed: Sequence[int], flower: str | None, animals: Sequence[str | None], *, is_spacious: bool = False
) -> list[Photo]:
    """Draws one scene several times, with another animal each time.

    Everything but the animal is the same in all of them, down to the noise of the sensor.

    Args:
        seed: Names the scene.
        flower: A class of flowers, or None for a scene without any.
        animals: For each photo `cat`, `dog`, `bird`, or None for the scene without an animal.
        is_spacious: One or two small flowers and a small animal beside them: its shape fits elsewhere in the photo too,
            where nothing else is, as a control erasure needs it.
    """
    scene_rng, animal_seed, light_rng = (np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(3))
    sizes = SPACIOUS if is_spacious else CROWDED
    blooms = _place_blooms(scene_rng, sizes) if flower else []
    background = draw_background(scene_rng, CANVAS_SIZE)
    _draw_greenery(background, scene_rng, blooms, flower)
    flowers = [_Layer(_draw_bloom(scene_rng, flower, bloom), flower) for bloom in blooms if flower]
    front = Image.new("RGBA", CANVAS_SIZE)
    draw_foreground(front, scene_rng)
    depth = len(flowers) if animal_seed.random() < 0.7 else int(animal_seed.integers(len(flowers) + 1))
    light = _Light.draw(light_rng)
    base = int(animal_seed.integers(2**32))
    photos = []
    for animal in animals:
        layers = [*flowers, _Layer(front, None)]
        if animal:
            animal_rng = np.random.default_rng([base, list(ANIMALS).index(animal)])
            layers.insert(depth, _Layer(_draw_animal(animal_rng, animal, blooms, sizes), animal))
        photos.append(_develop(background, layers, light))
    return photos


def _place_blooms(rng: np.random.Generator, sizes: _Sizes) -> list[_Bloom]:
    """One large flower, or several smaller ones that overlap a little at most, in units of the photo's height."""
    num_blooms = int(rng.choice(np.arange(1, 1 + len(sizes.num_blooms)), p=sizes.num_blooms))
    low, high = sizes.radii[num_blooms - 1]
    blooms: list[_Bloom] = []
    for _ in range(6 * num_blooms):
        radius = float(rng.uniform(low, high))
        x = float(rng.uniform(radius * 0.7, ASPECT - radius * 0.7))
        y = float(rng.uniform(radius * 0.8, 0.95 - radius * 0.7))
        if all(np.hypot(x - b.center[0], y - b.center[1]) > 0.85 * (radius + b.radius) for b in blooms):
            blooms.append(_Bloom((x, y), radius))
        if len(blooms) == num_blooms:
            break
    return sorted(blooms, key=lambda bloom: bloom.radius)


def _draw_greenery(image: Image.Image, rng: np.random.Generator, blooms: list[_Bloom], flower: str | None) -> None:
    """Stems and leaves, straight onto the background: blooms always stand before them."""
    pen = Pen(image, (0, 0), CANVAS_SIZE[1])
    for bloom in blooms:
        color = pick(rng, GREENS)
        x, y = bloom.center
        foot = np.array([x + rng.normal(0, 0.12), 1.05])
        middle = (np.array([x, y]) + foot) / 2 + (rng.normal(0, 0.03), 0)
        stem = np.array([(x, y), middle, foot])
        width = bloom.radius * rng.uniform(0.1, 0.17)
        pen.stroke(stem, shade(color, 0.65), width=width + 0.008, is_smooth=True)
        pen.stroke(stem, color, width=width, is_smooth=True)
        narrow = 0.12 if flower == "tulips" else 0.26
        for _ in range(int(rng.integers(0, 4))):
            start = middle + (foot - middle) * rng.uniform(-0.3, 0.8)
            angle = -np.pi / 2 + rng.choice([-1, 1]) * rng.uniform(0.35, 1.2)
            length = bloom.radius * rng.uniform(0.7, 1.5)
            draw_leaf(pen, start, angle, length, shade(jitter(rng, color), rng.uniform(0.8, 1.15)), width=narrow)


def _draw_bloom(rng: np.random.Generator, flower: str, bloom: _Bloom) -> Image.Image:
    layer = Image.new("RGBA", CANVAS_SIZE)
    is_side_view = flower == "tulips"
    pen = Pen(
        layer,
        (bloom.center[0] * CANVAS_SIZE[1], bloom.center[1] * CANVAS_SIZE[1]),
        bloom.radius * CANVAS_SIZE[1],
        roll=float(rng.uniform(-0.45, 0.45)),
        squash=1.0 if is_side_view else float(rng.uniform(0.62, 1.0)),
    )
    FLOWERS[flower](pen, rng)
    return layer


def _draw_animal(rng: np.random.Generator, animal: str, blooms: list[_Bloom], sizes: _Sizes) -> Image.Image:
    """The animal, at the one of a few random places where it hides the least of the flowers."""
    size = float(rng.uniform(*sizes.animal))
    low, high = np.array([size * 1.2, size * 0.9]), np.array([ASPECT - size * 1.2, 1 - size * 0.95])
    if animal != "bird":
        low[1] = max(low[1], 0.4)
    places = rng.uniform(low, high, (10, 2))
    crowding = [sum(_overlap(place, size * 1.05, bloom) for bloom in blooms) for place in places]
    place = places[int(np.argmin(crowding))]
    layer = Image.new("RGBA", CANVAS_SIZE)
    is_flipped, roll = bool(rng.random() < 0.5), float(rng.normal(0, 0.1))
    pen = Pen(layer, tuple(place * CANVAS_SIZE[1]), size * CANVAS_SIZE[1], roll=roll, is_flipped=is_flipped)
    ANIMALS[animal](pen, rng)
    return layer


def _overlap(place: FloatArray, reach: float, bloom: _Bloom) -> float:
    """How deep two discs overlap, in units of the photo's height."""
    distance = float(np.hypot(place[0] - bloom.center[0], place[1] - bloom.center[1]))
    return max(0.0, reach + bloom.radius - distance)


@dataclass(frozen=True, slots=True)
class _Light:
    """What lens, light and sensor do to a scene."""

    gain: FloatArray
    """Multiplies the image, shape (height, width, 3)."""
    blur: float
    """Standard deviation in pixels."""
    noise: FloatArray
    """Added to the image in grey levels, shape (height, width, 3)."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "_Light":
        width, height = PHOTO_SIZE
        down, across = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)
        slope = rng.normal(0, 0.08, 2).astype(np.float32)
        plane = float(rng.uniform(0.82, 1.2)) + slope[0] * down[:, None] + slope[1] * across
        plane = plane - float(rng.uniform(0, 0.14)) * (down[:, None] ** 2 + across**2)
        warmth = float(rng.normal(0, 0.05))
        gain = plane[..., None] * np.array([1 + warmth, 1, 1 - warmth], np.float32)
        blur = float(rng.choice([0.0, 0.5, 0.9], p=[0.45, 0.35, 0.2]))
        noise = rng.standard_normal((height, width, 3), np.float32) * np.float32(rng.uniform(1.0, 7.0))
        return cls(gain, blur, noise)


def _develop(background: Image.Image, layers: list[_Layer], light: _Light) -> Photo:
    """Stacks the layers, notes what stays visible, and takes the photo."""
    canvas = background.copy()
    owners = np.zeros((CANVAS_SIZE[1], CANVAS_SIZE[0]), np.uint8)
    for number, layer in enumerate(layers, start=1):
        box = layer.image.getbbox()
        if box is None:
            continue
        part = layer.image.crop(box)
        canvas.paste(part, box[:2], part)
        owners[box[1] : box[3], box[0] : box[2]][alpha_of(part) >= OPAQUE] = number
    small = canvas.reduce(SUPERSAMPLING)
    if light.blur:
        small = small.filter(ImageFilter.GaussianBlur(light.blur))
    pixels = np.asarray(small, np.float32) * light.gain + light.noise
    image = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return Photo(image, _visible_objects(owners, layers))


def _visible_objects(owners: UInt8Array, layers: list[_Layer]) -> tuple[VisibleObject, ...]:
    """Masks of the photo's pixels: those covered by half or more, and where two share a pixel evenly, the front one."""
    taken = np.zeros((PHOTO_SIZE[1], PHOTO_SIZE[0]), np.bool_)
    found: list[VisibleObject] = []
    for number, layer in reversed(list(enumerate(layers, start=1))):
        mask = _half_covered(owners == number) & ~taken
        taken |= mask
        if layer.category and mask.any():
            found.append(VisibleObject(layer.category, mask))
    return tuple(reversed(found))


def _half_covered(covered: BoolArray) -> BoolArray:
    ones = covered.view(np.uint8)
    steps = range(SUPERSAMPLING)
    counts = sum(ones[row::SUPERSAMPLING, column::SUPERSAMPLING] for row in steps for column in steps)
    half: BoolArray = np.asarray(counts) * 2 >= SUPERSAMPLING**2
    return half


def draw_animal_cutout(animal: str, *, seed: int, height: int, supersampling: int = 4) -> UInt8Array:
    """One animal on a transparent ground, cropped to what is drawn.

    Args:
        animal: `cat`, `dog` or `bird`.
        seed: Names the animal.
        height: Pixels from its ears to its feet, about.
        supersampling: Drawn so many times larger, then averaged.

    Returns:
        RGBA, not premultiplied, shape (rows, columns, 4).
    """
    rng = np.random.default_rng([seed, list(ANIMALS).index(animal)])
    scale = height * supersampling / 2
    left, up, right, down = ANIMAL_EXTENT
    layer = Image.new("RGBA", (int((left + right) * scale), int((up + down) * scale)))
    pen = Pen(layer, (left * scale, up * scale), scale, is_flipped=bool(rng.random() < 0.5))
    ANIMALS[animal](pen, rng)
    small = layer.crop(layer.getbbox()).convert("RGBa").reduce(supersampling).convert("RGBA")
    return np.array(small)
