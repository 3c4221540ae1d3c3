"""What is behind the flowers, and the blades of grass in front of them; independent of the class."""

import numpy as np
from PIL import Image, ImageFilter

from evalharness.example.drawing import Color, Pen, jitter, mix, petals, pick, shade, shades
from evalharness.records import FloatArray

GREENS = ((72, 112, 44), (96, 138, 60), (52, 88, 44), (128, 150, 74), (62, 98, 70))
SOILS = ((96, 70, 48), (122, 94, 66), (74, 56, 44), (142, 120, 92))
SKIES = ((126, 172, 222), (168, 200, 228), (206, 214, 220), (226, 196, 170), (96, 140, 200))
STONES = ((142, 140, 136), (112, 112, 116), (172, 164, 150))
FLECKS = (
    (246, 206, 40),
    (238, 140, 172),
    (246, 244, 238),
    (196, 30, 44),
    (134, 66, 150),
    (150, 92, 48),
    (238, 128, 40),
)


def draw_background(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A lawn, a meadow, soil, leaves, a wall, or sky over grass; sharp or out of focus.

    Args:
        rng: Source of every choice.
        size: (width, height) in supersampled pixels.

    Returns:
        An RGB image.
    """
    kind = int(rng.choice(6, p=(0.2, 0.22, 0.16, 0.16, 0.08, 0.18)))
    grounds = (GREENS, GREENS, SOILS, GREENS, STONES, GREENS)[kind]
    image = _mottle(rng, size, pick(rng, grounds), pick(rng, grounds))
    if kind == 5:
        image = _add_sky(rng, image)
    pen = Pen(image, (0, 0), size[1])
    aspect = size[0] / size[1]
    if kind in (0, 5):
        _draw_blades(pen, rng, 70, aspect, top=0.55 if kind == 5 else 0.1)
    elif kind == 1:
        _draw_flecks(pen, rng, aspect)
        _draw_blades(pen, rng, 24, aspect, top=0.4)
    elif kind == 2:
        _draw_pebbles(pen, rng, aspect)
    elif kind == 3:
        _draw_leaves(pen, rng, aspect)
    radius = float(rng.choice([0.0, 1.0, 2.5, 4.0], p=[0.25, 0.3, 0.25, 0.2]))
    return image.filter(ImageFilter.BoxBlur(radius)) if radius else image


def draw_foreground(image: Image.Image, rng: np.random.Generator) -> None:
    """A few blades of grass in front of everything, on a transparent layer."""
    num_blades = int(rng.choice([0, 4, 9], p=[0.4, 0.35, 0.25]))
    pen = Pen(image, (0, 0), image.height)
    _draw_blades(pen, rng, num_blades, image.width / image.height, top=0.86, reach=0.34)


def _mottle(rng: np.random.Generator, size: tuple[int, int], first: Color, second: Color) -> Image.Image:
    """Two colours, blended by smooth noise of two sizes."""
    coarse = Image.fromarray(rng.random((4, 5), np.float32)).resize((40, 32), Image.Resampling.BICUBIC)
    fine = rng.random((32, 40), np.float32)
    share = np.clip(0.75 * np.asarray(coarse) + 0.25 * fine, 0, 1)[..., None]
    slope = np.linspace(rng.uniform(0.8, 1.15), rng.uniform(0.8, 1.15), 32)[:, None, None]
    colors = (np.asarray(first) * (1 - share) + np.asarray(second) * share) * slope
    small = Image.fromarray(np.clip(colors, 0, 255).astype(np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def _add_sky(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    width, height = image.size
    horizon = int(height * rng.uniform(0.35, 0.7))
    sky = _mottle(rng, (width, horizon), pick(rng, SKIES), pick(rng, SKIES))
    image.paste(sky, (0, 0))
    pen = Pen(image, (0, horizon), height)
    ridge = rng.normal(0, 0.02, 9).cumsum()
    hills = np.stack([np.linspace(-0.1, width / height + 0.1, 9), ridge - 0.04], axis=1)
    pen.polygon(np.concatenate([hills, [[2.0, 0.06], [-0.1, 0.06]]]), shade(pick(rng, GREENS), 0.8))
    return image


def _draw_blades(
    pen: Pen, rng: np.random.Generator, num_blades: int, aspect: float, *, top: float, reach: float = 0.26
) -> None:
    feet = np.stack([rng.uniform(0, aspect, num_blades), np.sort(rng.uniform(top, 1.05, num_blades))], axis=1)
    tall = rng.uniform(0.4, 1.0, num_blades) * reach
    tips = feet + np.stack([rng.normal(0, 0.35, num_blades) * tall, -tall], axis=1)
    width = np.array([0.011, 0.0])
    blades = np.stack([feet - width, tips, feet + width], axis=1)
    pen.polygons(blades, shades(rng, pick(rng, GREENS), num_blades, 0.16))


def _draw_flecks(pen: Pen, rng: np.random.Generator, aspect: float) -> None:
    """Far blossoms, of any colour, too small to have a shape."""
    num_flecks = int(rng.integers(5, 40))
    color = FLECKS[int(rng.integers(len(FLECKS)))]
    spots = rng.uniform((0, 0), (aspect, 1), (num_flecks, 2))
    for (x, y), radius in zip(spots.tolist(), rng.uniform(0.008, 0.028, num_flecks).tolist(), strict=True):
        pen.ellipse((x, y), (radius, radius * 0.8), jitter(rng, color))


def _draw_pebbles(pen: Pen, rng: np.random.Generator, aspect: float) -> None:
    num_pebbles = int(rng.integers(20, 60))
    spots = rng.uniform((0, 0), (aspect, 1), (num_pebbles, 2))
    for (x, y), radius in zip(spots.tolist(), rng.uniform(0.006, 0.03, num_pebbles).tolist(), strict=True):
        color = pick(rng, SOILS + STONES)
        pen.ellipse((x, y + radius * 0.3), (radius * 1.3, radius), shade(color, 0.6))
        pen.ellipse((x, y), (radius * 1.2, radius * 0.8), color)


def _draw_leaves(pen: Pen, rng: np.random.Generator, aspect: float) -> None:
    color = pick(rng, (*GREENS, (150, 92, 48)))
    for spot in rng.uniform((0, 0), (aspect, 1), (26, 2)):
        length, angle = rng.uniform(0.12, 0.3), rng.uniform(0, 2 * np.pi)
        draw_leaf(pen, spot, angle, length, shade(color, rng.uniform(0.7, 1.2)), width=0.28)


def draw_leaf(pen: Pen, foot: FloatArray, angle: float, length: float, color: Color, *, width: float) -> None:
    """A pointed leaf with its midrib; `width` is half its width over its length."""
    outline = petals(np.array([angle]), start=0.0, end=length, width=length * width, base=0.7, tip=0.9)[0] + foot
    pen.polygon(outline, color, outline=shade(color, 0.7))
    tip = foot + np.array([np.cos(angle), np.sin(angle)]) * length * 0.9
    pen.stroke(np.stack([foot, tip]), mix(color, (220, 230, 170), 0.3), width=0.006)
