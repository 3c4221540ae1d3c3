"""Five flowers, drawn petal by petal. Their colours overlap on purpose: what tells them apart is their shape."""

from collections.abc import Callable

import numpy as np

from evalharness.example.drawing import Color, Pen, jitter, mix, petals, pick, shade, shades, unit_circle
from evalharness.records import FloatArray

WHITE, CREAM = (246, 244, 238), (247, 232, 178)
YELLOW, GOLD, ORANGE = (246, 206, 40), (240, 170, 24), (238, 128, 40)
RED, RUST, PINK, PURPLE = (196, 30, 44), (160, 66, 28), (238, 140, 172), (134, 66, 150)
GREEN, BROWN = (88, 132, 52), (74, 46, 26)


def draw_daisy(pen: Pen, rng: np.random.Generator) -> None:
    """A yellow button in a ring of thin, blunt petals."""
    color = pick(rng, (WHITE, YELLOW, PINK, PURPLE), (0.4, 0.22, 0.26, 0.12))
    num_petals, disc = int(rng.integers(13, 24)), rng.uniform(0.25, 0.33)
    width = rng.uniform(0.8, 1.05) * np.pi * 0.62 / num_petals
    for brightness, reach, turn in ((0.78, 0.97, 0.5), (1.0, 1.0, 0.0)):
        angles = _ring(rng, num_petals, turn=turn, wobble=0.14)
        ends = reach * rng.uniform(0.88, 1.0, num_petals)
        outlines = petals(angles, start=disc * 0.7, end=ends, width=width, base=0.55, tip=0.22)
        fills = shades(rng, shade(color, brightness), num_petals, 0.06)
        pen.polygons(outlines, fills, outline=shade(color, brightness * 0.66))
        pen.strokes(_rays(angles, disc, ends * 0.85), [shade(fill, 0.86) for fill in fills], width=0.018)
    _draw_button(pen, rng, pick(rng, (YELLOW, GOLD)), disc)


def draw_dandelion(pen: Pen, rng: np.random.Generator) -> None:
    """A yellow tuft of many narrow rays, or the round white seed head."""
    if rng.random() < 0.5:
        _draw_tuft(pen, rng)
    else:
        _draw_seed_head(pen, rng)


def _draw_tuft(pen: Pen, rng: np.random.Generator) -> None:
    color = pick(rng, (YELLOW, GOLD, CREAM), (0.6, 0.25, 0.15))
    for reach, num_rays, brightness in ((1.0, 44, 0.82), (0.84, 38, 0.94), (0.64, 32, 1.0), (0.42, 24, 1.1)):
        angles = _ring(rng, num_rays, turn=rng.random(), wobble=0.4)
        ends = reach * rng.uniform(0.84, 1.0, num_rays)
        outlines = petals(angles, start=0.05, end=ends, width=0.058, base=0.6, tip=0.12, num_steps=5)
        fills = shades(rng, shade(color, brightness), num_rays, 0.06)
        pen.polygons(outlines, fills, outline=shade(color, brightness * 0.7))
    angles = rng.uniform(0, 2 * np.pi, 26)
    pen.strokes(_rays(angles, 0.0, rng.uniform(0.1, 0.24, 26)), shades(rng, shade(color, 0.72), 26, 0.1), width=0.03)


def _draw_seed_head(pen: Pen, rng: np.random.Generator) -> None:
    """Stalks from the core to points spread over a ball, each with a small star of hairs; some may have flown off."""
    color = pick(rng, (WHITE, (226, 222, 208)))
    veil = mix(color, (150, 152, 140), 0.45)
    num_seeds = 110
    height = rng.uniform(-0.2, 1.0, num_seeds)
    angles = rng.uniform(0, 2 * np.pi, num_seeds)
    if rng.random() < 0.35:
        gap = rng.uniform(0, 2 * np.pi)
        kept = np.cos(angles - gap) < rng.uniform(0.3, 0.8)
        height, angles = height[kept], angles[kept]
    else:
        pen.ellipse((0, 0), (0.86, 0.86), veil)
    radii = np.sqrt(1 - height**2) * 0.88
    order = np.argsort(height)
    angles, radii = angles[order], radii[order]
    pen.strokes(_rays(angles, 0.0, radii), shades(rng, shade(veil, 0.86), len(angles), 0.08), width=0.012)
    heads = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
    spokes = 5
    directions = angles[:, None] + np.linspace(-1.5, 1.5, spokes) + rng.normal(0, 0.15, (len(angles), spokes))
    tips = heads[:, None] + 0.14 * np.stack([np.cos(directions), np.sin(directions)], axis=-1)
    hairs = np.stack([np.broadcast_to(heads[:, None], tips.shape), tips], axis=2).reshape(-1, 2, 2)
    pen.strokes(hairs, shades(rng, color, len(hairs), 0.04), width=0.014)
    pen.ellipse((0, 0), (0.13, 0.13), jitter(rng, (112, 92, 60)))


def draw_rose(pen: Pen, rng: np.random.Generator) -> None:
    """Broad round petals wound about a tight spiral."""
    color = pick(rng, (RED, PINK, WHITE, YELLOW, ORANGE), (0.3, 0.24, 0.18, 0.18, 0.1))
    turn = rng.uniform(0, 2 * np.pi)
    for angle in _ring(rng, 5, turn=rng.random(), wobble=0.2):
        pen.polygons(
            petals(np.array([angle]), start=0.4, end=1.12, width=0.12, base=0.5, tip=0.9), [jitter(rng, GREEN)]
        )
    rings = ((1.0, 6, 1.0), (0.82, 5, 0.95), (0.64, 5, 0.88), (0.47, 4, 0.8), (0.32, 3, 0.7))
    for reach, num_petals, brightness in rings:
        turn += rng.uniform(0.5, 0.9)
        for angle in turn + _ring(rng, num_petals, turn=0.0, wobble=0.25):
            _draw_rose_petal(
                pen, angle, reach * rng.uniform(0.93, 1.04), shade(color, brightness * rng.uniform(0.94, 1.06))
            )
    turns = np.linspace(0, 4.2 * np.pi, 44)
    spiral = np.stack([np.cos(turns + turn), np.sin(turns + turn)], axis=1) * np.linspace(0.02, 0.27, 44)[:, None]
    pen.ellipse((0, 0), (0.26, 0.26), shade(color, 0.7))
    pen.stroke(spiral, shade(color, 0.4), width=0.05)


def _draw_rose_petal(pen: Pen, angle: float, reach: float, color: Color) -> None:
    """A rounded petal: its dark edge, its lit face, and a shadow towards the heart of the flower."""
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    outline = unit_circle(24) * (0.46 * reach, 0.6 * reach)
    outline = outline * (1 + 0.06 * np.cos(3 * np.arange(24) * 2 * np.pi / 24))[:, None]
    outward = np.array([reach, 0.0])
    pen.polygon((outline + 0.54 * outward) @ turn, shade(color, 0.5))
    pen.polygon((outline * 0.93 + 0.525 * outward) @ turn, shade(color, 1.08))
    pen.polygon((outline * (0.78, 0.84) + 0.42 * outward) @ turn, shade(color, 0.84))


def draw_sunflower(pen: Pen, rng: np.random.Generator) -> None:
    """A large dark disc of seeds within a double ring of pointed petals."""
    color = pick(rng, (YELLOW, GOLD, ORANGE, RUST, CREAM), (0.42, 0.22, 0.13, 0.12, 0.11))
    num_petals, disc = int(rng.integers(15, 23)), rng.uniform(0.46, 0.56)
    for brightness, reach, turn in ((0.72, 1.0, 0.5), (1.0, 0.97, 0.0)):
        angles = _ring(rng, num_petals, turn=turn, wobble=0.22)
        ends = reach * rng.uniform(0.86, 1.0, num_petals)
        outlines = petals(angles, start=disc * 0.8, end=ends, width=2.5 / num_petals * 0.62, base=0.6, tip=0.95)
        fills = shades(rng, shade(color, brightness), num_petals, 0.06)
        pen.polygons(outlines, fills, outline=shade(color, brightness * 0.6))
        pen.strokes(_rays(angles, disc, ends * 0.92), [shade(fill, 0.78) for fill in fills], width=0.02)
    dark = pick(rng, (BROWN, (52, 34, 22), (96, 62, 28)))
    pen.ellipse((0, 0), (disc, disc), shade(dark, 0.8))
    pen.ellipse((0, 0), (disc * 0.92, disc * 0.92), dark)
    turns = np.arange(1, 90)
    radii = disc * 0.92 * np.sqrt(turns / 90)
    seeds = np.stack([np.cos(turns * 2.39996), np.sin(turns * 2.39996)], axis=1) * radii[:, None]
    dots = seeds[:, None] + unit_circle(5) * 0.025
    glow = [mix(shade(dark, 1.35), color, 0.55 * (radius / disc) ** 3) for radius in radii]
    pen.polygons(dots, glow)
    pen.ellipse((0, 0), (disc * 0.3, disc * 0.3), mix(dark, (96, 104, 40), 0.4))


def draw_tulip(pen: Pen, rng: np.random.Generator) -> None:
    """A cup of upright petals, seen from the side."""
    color = pick(rng, (RED, YELLOW, WHITE, PURPLE, PINK, ORANGE), (0.24, 0.2, 0.16, 0.16, 0.14, 0.1))
    rim = mix(color, pick(rng, (WHITE, YELLOW, color)), rng.uniform(0.0, 0.5))
    spread, belly = rng.uniform(0.0, 0.26), rng.uniform(0.58, 0.7)
    for side in (-1, 1):
        tip = (side * (0.2 + 0.3 * spread), -rng.uniform(0.92, 1.02))
        back = [(0, 0.8), (side * 0.5, 0.2), (side * 0.46, -0.5), tip, (-side * 0.08, -0.4)]
        pen.blob(back, shade(color, 0.6), outline=shade(color, 0.42))
    for side in (-1, 1):
        tip = (side * (0.42 + spread), -rng.uniform(0.82, 0.98))
        wing = [(0, 0.98), (side * 0.48, 0.82), (side * belly, 0.25), (side * (belly - 0.05 + spread * 0.5), -0.35)]
        pen.blob([*wing, tip, (side * 0.2, -0.3), (side * 0.02, 0.4)], shade(color, 0.84), outline=shade(color, 0.5))
        pen.stroke([(side * 0.12, 0.85), (side * 0.42, 0.2), tip], shade(color, 0.68), width=0.03, is_smooth=True)
    lean, top = rng.uniform(-0.1, 0.1), -rng.uniform(0.6, 0.8)
    front = [(0, 1.0), (0.36, 0.72), (0.42, 0.1), (0.24 + lean, -0.42), (lean, top)]
    front += [(-0.24 + lean, -0.42), (-0.42, 0.1), (-0.36, 0.72)]
    pen.blob(front, mix(color, rim, 0.3), outline=shade(color, 0.55))
    pen.blob(np.array(front) * (0.62, 0.72) + (0, 0.16), shade(color, 1.1))
    pen.stroke([(0, 0.9), (lean * 0.5, 0.1), (lean, top * 0.85)], shade(color, 0.78), width=0.035, is_smooth=True)


def _draw_button(pen: Pen, rng: np.random.Generator, color: Color, radius: float) -> None:
    pen.ellipse((0, 0), (radius, radius), shade(color, 0.66))
    pen.ellipse((-0.02, -0.03), (radius * 0.86, radius * 0.84), color)
    spots = radius * 0.8 * np.sqrt(rng.random(22))[:, None] * unit_circle(22)[rng.permutation(22)]
    pen.polygons(spots[:, None] + unit_circle(4) * 0.025, shades(rng, shade(color, 0.82), 22, 0.12))


def _ring(rng: np.random.Generator, num_angles: int, *, turn: float, wobble: float) -> FloatArray:
    """Angles spread around the circle; `turn` and `wobble` in steps of one petal. In random order of drawing."""
    steps = np.arange(num_angles) + turn + rng.normal(0, wobble, num_angles)
    return rng.permutation(steps * (2 * np.pi / num_angles))


def _rays(angles: FloatArray, start: float, ends: FloatArray) -> FloatArray:
    """Lines away from the origin, shape (n, 2, 2)."""
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.stack([directions * start, directions * ends[:, None]], axis=1)


FLOWERS: dict[str, Callable[[Pen, np.random.Generator], None]] = {
    "daisy": draw_daisy,
    "dandelion": draw_dandelion,
    "roses": draw_rose,
    "sunflowers": draw_sunflower,
    "tulips": draw_tulip,
}
