"""Three animals in two poses each, drawn by outline; about 2 units high, feet at y = 1, facing left."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evalharness.example.drawing import Color, Pen, mix, pick, shade, shades
from evalharness.records import FloatArray

BLACK, INK = (38, 36, 38), (16, 14, 14)
GINGER, GREY, SNOW, TABBY = (214, 130, 58), (126, 128, 136), (236, 232, 226), (128, 100, 72)
CHESTNUT, HONEY, SAND = (124, 72, 38), (206, 160, 92), (222, 196, 154)
BLUE, CRIMSON, CANARY, SPARROW, SLATE = (58, 112, 186), (190, 48, 42), (238, 202, 60), (132, 98, 66), (84, 92, 106)
ROSY = (226, 150, 150)


@dataclass(frozen=True, slots=True)
class Coat:
    """The colours of one animal."""

    fur: Color
    belly: Color
    mark: Color


def draw_cat(pen: Pen, rng: np.random.Generator) -> None:
    """Pointed ears, round face with whiskers, slit eyes, stripes and a long tail."""
    fur = pick(rng, (GINGER, GREY, BLACK, SNOW, TABBY), (0.28, 0.22, 0.16, 0.12, 0.22), amount=6)
    belly = mix(fur, SNOW, rng.choice([0.15, 0.75]))
    coat = Coat(fur, belly, shade(fur, 0.62) if sum(fur) > 180 else shade(fur, 1.2))
    (_draw_sitting_cat if rng.random() < 0.55 else _draw_walking_cat)(pen, rng, coat)


def _draw_sitting_cat(pen: Pen, rng: np.random.Generator, coat: Coat) -> None:
    edge = shade(coat.fur, 0.55)
    tail = [(0.4, 0.9), (0.86, 0.86), (1.02, 0.45), (0.84 + rng.uniform(-0.1, 0.2), 0.02)]
    _draw_tail(pen, tail, coat, width=0.17)
    body = [
        (-0.14, -0.3),
        (-0.42, 0.15),
        (-0.58, 0.68),
        (-0.46, 1.0),
        (0.46, 1.0),
        (0.6, 0.68),
        (0.42, 0.15),
        (0.14, -0.3),
    ]
    pen.blob(body, coat.fur, outline=edge)
    pen.ellipse((0, 0.3), (0.22, 0.42), coat.belly)
    for side in (-1, 1):
        for y in (0.3, 0.48, 0.66):
            pen.stroke([(side * 0.5, y + 0.05), (side * 0.3, y + 0.1)], coat.mark, width=0.055)
        pen.stroke([(side * 0.16, 0.42), (side * 0.17, 0.92)], shade(coat.fur, 1.08), width=0.2)
        pen.ellipse((side * 0.18, 0.95), (0.15, 0.08), coat.belly)
    pen.stroke([(0, 0.5), (0, 0.98)], edge, width=0.03)
    _draw_cat_face(pen, coat, center=(0.0, -0.45), size=1.0)


def _draw_walking_cat(pen: Pen, rng: np.random.Generator, coat: Coat) -> None:
    edge = shade(coat.fur, 0.55)
    sway = rng.uniform(-0.15, 0.2)
    _draw_tail(pen, [(0.8, 0.05), (1.08, -0.25), (1.08, -0.75), (1.3 + sway, -1.0)], coat, width=0.14)
    for x, brightness in ((-0.42, 0.72), (0.72, 0.72), (-0.62, 1.0), (0.54, 1.0)):
        step = rng.uniform(-0.12, 0.12)
        pen.stroke([(x, 0.2), (x + step * 0.4, 0.6), (x + step, 0.95)], shade(coat.fur, brightness), width=0.17)
        pen.ellipse((x + step - 0.05, 0.96), (0.12, 0.06), shade(coat.belly, brightness))
    body = [
        (-0.74, -0.16),
        (-0.3, -0.24),
        (0.4, -0.26),
        (0.84, -0.14),
        (0.92, 0.2),
        (0.55, 0.42),
        (-0.3, 0.44),
        (-0.78, 0.26),
    ]
    pen.blob(body, coat.fur, outline=edge)
    pen.blob([(-0.6, 0.3), (0, 0.28), (0.45, 0.33), (0.3, 0.42), (-0.4, 0.43)], coat.belly)
    for x in (-0.4, -0.18, 0.04, 0.26, 0.48):
        pen.stroke([(x, -0.22), (x + 0.05, 0.12)], coat.mark, width=0.06)
    _draw_cat_face(pen, coat, center=(-0.86, -0.36), size=0.82)


def _draw_cat_face(pen: Pen, coat: Coat, *, center: tuple[float, float], size: float) -> None:
    def at(points: list[tuple[float, float]]) -> FloatArray:
        return np.asarray(points) * size + center

    edge = shade(coat.fur, 0.55)
    for side in (-1, 1):
        pen.polygon(at([(side * 0.45, -0.06), (side * 0.43, -0.66), (side * 0.06, -0.32)]), coat.fur, outline=edge)
        pen.polygon(at([(side * 0.38, -0.2), (side * 0.38, -0.52), (side * 0.17, -0.32)]), ROSY)
    head = [(0, -0.38), (0.34, -0.3), (0.5, 0.04), (0.3, 0.32), (0, 0.38), (-0.3, 0.32), (-0.5, 0.04), (-0.34, -0.3)]
    pen.blob(at(head), coat.fur, outline=edge)
    for x in (-0.1, 0.0, 0.1):
        pen.stroke(at([(x, -0.34), (x * 0.8, -0.16)]), coat.mark, width=0.05 * size)
    for side in (-1, 1):
        _spot(pen, at([(side * 0.09, 0.17)]), 0.13 * size, mix(coat.belly, SNOW, 0.5))
        _spot(pen, at([(side * 0.2, -0.04)]), 0.115 * size, (196, 206, 70), flatten=0.85)
        _spot(pen, at([(side * 0.2, -0.04)]), 0.085 * size, INK, narrow=0.45)
        for lift in (-0.06, 0.02, 0.1):
            whisker = at([(side * 0.14, 0.16 + lift * 0.4), (side * 0.66, 0.1 + lift * 1.5)])
            pen.stroke(whisker, (238, 238, 232), width=0.018)
    pen.polygon(at([(-0.06, 0.08), (0.06, 0.08), (0, 0.15)]), (206, 104, 112))
    pen.stroke(at([(-0.09, 0.24), (0, 0.19), (0.09, 0.24)]), INK, width=0.02)


def _draw_tail(pen: Pen, points: list[tuple[float, float]], coat: Coat, *, width: float) -> None:
    pen.stroke(points, shade(coat.fur, 0.55), width=width + 0.03, is_smooth=True)
    pen.stroke(points, coat.fur, width=width, is_smooth=True)
    pen.stroke(points[-2:], coat.mark, width=width * 0.5)


def draw_dog(pen: Pen, rng: np.random.Generator) -> None:
    """Hanging ears, a long muzzle with a big nose, a collar, sturdy legs."""
    fur = pick(rng, (CHESTNUT, HONEY, SAND, BLACK, SNOW, GREY), (0.24, 0.24, 0.16, 0.12, 0.14, 0.1), amount=6)
    mark = mix(fur, pick(rng, (CHESTNUT, BLACK, SNOW)), rng.uniform(0.5, 0.9))
    coat = Coat(fur, mix(fur, SNOW, 0.5), mark)
    collar = pick(rng, (CRIMSON, BLUE, (40, 140, 90)))
    (_draw_sitting_dog if rng.random() < 0.5 else _draw_standing_dog)(pen, rng, coat, collar)


def _draw_sitting_dog(pen: Pen, rng: np.random.Generator, coat: Coat, collar: Color) -> None:
    edge = shade(coat.fur, 0.55)
    pen.stroke([(0.4, 0.85), (0.8, 0.7), (0.98, 0.35 + rng.uniform(-0.1, 0.1))], coat.fur, width=0.14, is_smooth=True)
    body = [
        (-0.24, -0.25),
        (-0.46, 0.1),
        (-0.62, 0.75),
        (-0.56, 1.0),
        (0.56, 1.0),
        (0.62, 0.75),
        (0.46, 0.1),
        (0.24, -0.25),
    ]
    pen.blob(body, coat.fur, outline=edge)
    pen.blob([(-0.2, -0.1), (0.2, -0.1), (0.24, 0.4), (0, 0.6), (-0.24, 0.4)], coat.belly)
    for side in (-1, 1):
        pen.stroke([(side * 0.22, 0.25), (side * 0.23, 0.9)], shade(coat.fur, 1.06), width=0.25)
        pen.ellipse((side * 0.25, 0.94), (0.2, 0.09), coat.belly)
    pen.stroke([(0, 0.45), (0, 0.98)], edge, width=0.03)
    pen.stroke([(-0.3, -0.1), (0, -0.03), (0.3, -0.1)], collar, width=0.11, is_smooth=True)
    head = [
        (-0.28, -0.98),
        (0.28, -0.98),
        (0.42, -0.7),
        (0.3, -0.3),
        (0.16, -0.1),
        (-0.16, -0.1),
        (-0.3, -0.3),
        (-0.42, -0.7),
    ]
    pen.blob(head, coat.fur, outline=edge)
    pen.blob([(0, -0.98), (0.08, -0.75), (0.1, -0.4), (-0.1, -0.4), (-0.08, -0.75)], mix(coat.belly, SNOW, 0.4))
    if rng.random() < 0.7:
        pen.ellipse((0.03, -0.08), (0.09, 0.17), (222, 92, 102))
    pen.ellipse((0, -0.3), (0.25, 0.2), mix(coat.belly, SNOW, 0.4))
    pen.ellipse((0, -0.4), (0.13, 0.09), INK)
    pen.stroke([(-0.14, -0.2), (0, -0.25), (0.14, -0.2)], INK, width=0.03)
    for side in (-1, 1):
        pen.ellipse((side * 0.2, -0.66), (0.075, 0.08), INK)
        ear = [
            (side * 0.22, -1.0),
            (side * 0.54, -0.92),
            (side * 0.72, -0.5),
            (side * 0.66, -0.1),
            (side * 0.46, -0.14),
        ]
        pen.blob([*ear, (side * 0.38, -0.6)], shade(coat.mark, 0.85), outline=shade(coat.mark, 0.5))


def _draw_standing_dog(pen: Pen, rng: np.random.Generator, coat: Coat, collar: Color) -> None:
    edge = shade(coat.fur, 0.55)
    tip = (1.02 + rng.uniform(-0.1, 0.1), -0.85)
    pen.stroke([(0.66, -0.2), (0.95, -0.45), tip], coat.fur, width=0.13, is_smooth=True)
    for x, brightness in ((-0.3, 0.72), (0.72, 0.72), (-0.52, 1.0), (0.5, 1.0)):
        step = rng.uniform(-0.1, 0.1)
        pen.stroke([(x, 0.15), (x + step * 0.4, 0.55), (x + step, 0.94)], shade(coat.fur, brightness), width=0.19)
        pen.ellipse((x + step - 0.06, 0.95), (0.14, 0.07), shade(coat.belly, brightness))
    body = [
        (-0.66, -0.38),
        (-0.1, -0.3),
        (0.6, -0.32),
        (0.8, -0.05),
        (0.66, 0.28),
        (0.15, 0.24),
        (-0.4, 0.42),
        (-0.74, 0.15),
    ]
    pen.blob(body, coat.fur, outline=edge)
    pen.blob([(0.0, -0.28), (0.45, -0.29), (0.5, 0.02), (0.2, 0.12), (-0.05, -0.05)], coat.mark)
    pen.stroke([(-0.52, -0.2), (-0.74, -0.55)], coat.fur, width=0.42)
    head = [
        (-0.62, -0.98),
        (-0.92, -0.94),
        (-1.08, -0.7),
        (-1.44, -0.6),
        (-1.46, -0.42),
        (-1.1, -0.34),
        (-0.76, -0.4),
        (-0.54, -0.65),
    ]
    pen.blob(head, coat.fur, outline=edge)
    pen.blob([(-1.1, -0.6), (-1.42, -0.55), (-1.43, -0.43), (-1.1, -0.38)], coat.belly)
    pen.ellipse((-1.45, -0.58), (0.09, 0.075), INK)
    pen.stroke([(-1.4, -0.42), (-1.12, -0.44)], INK, width=0.03)
    pen.ellipse((-0.98, -0.74), (0.055, 0.055), INK)
    pen.stroke([(-0.78, -0.28), (-0.5, -0.46)], collar, width=0.1)
    pen.blob(
        [(-0.74, -0.98), (-0.5, -0.84), (-0.44, -0.4), (-0.6, -0.26), (-0.76, -0.5)],
        shade(coat.mark, 0.85),
        outline=edge,
    )


def draw_bird(pen: Pen, rng: np.random.Generator) -> None:
    """A beak, a wing, a fan of tail feathers and thin legs; perched, or flying."""
    feathers = pick(rng, (BLUE, CRIMSON, CANARY, SPARROW, SLATE, SNOW), (0.24, 0.16, 0.14, 0.2, 0.16, 0.1), amount=6)
    breast = pick(rng, (SNOW, (226, 132, 66), CANARY, SAND), amount=6)
    coat = Coat(feathers, breast, shade(feathers, 0.58))
    (_draw_perched_bird if rng.random() < 0.6 else _draw_flying_bird)(pen, rng, coat)


def _draw_perched_bird(pen: Pen, rng: np.random.Generator, coat: Coat) -> None:
    edge = shade(coat.fur, 0.5)
    pen.stroke([(-0.75, 1.06), (0.0, 1.02), (0.7, 0.96)], (104, 74, 50), width=0.09, is_smooth=True)
    for x in (-0.16, 0.12):
        pen.stroke([(x + 0.05, 0.45), (x, 0.95)], (150, 96, 50), width=0.05)
        pen.stroke([(x - 0.18, 1.0), (x, 0.93), (x + 0.14, 1.0)], (150, 96, 50), width=0.05)
    droop = rng.uniform(-0.25, 0.25)
    for index in range(3):
        low = 0.08 * index
        pen.polygon(
            [(0.4, 0.0 + low), (1.3, 0.25 + droop + low), (1.26, 0.42 + droop + low), (0.4, 0.3 + low)],
            shade(coat.mark, 0.9 + 0.15 * index),
            outline=edge,
        )
    body = [
        (-0.62, -0.3),
        (-0.2, -0.4),
        (0.4, -0.16),
        (0.72, 0.2),
        (0.4, 0.5),
        (-0.1, 0.6),
        (-0.55, 0.4),
        (-0.74, 0.02),
    ]
    pen.blob(body, coat.fur, outline=edge)
    pen.blob([(-0.66, -0.1), (-0.3, 0.0), (-0.1, 0.5), (-0.3, 0.54), (-0.56, 0.36), (-0.71, 0.05)], coat.belly)
    wing = [(-0.24, -0.2), (0.2, -0.22), (0.62, 0.05), (1.0, 0.36), (0.5, 0.36), (0.0, 0.3), (-0.22, 0.05)]
    pen.blob(wing, coat.mark, outline=edge)
    for shift in (0.0, 0.12, 0.24):
        pen.stroke(
            [(0.0, 0.02 + shift * 0.7), (0.4, 0.06 + shift), (0.8, 0.28 + shift * 0.3)],
            shade(coat.mark, 1.25),
            width=0.03,
            is_smooth=True,
        )
    _draw_bird_head(pen, coat, (-0.58, -0.56))


def _draw_flying_bird(pen: Pen, rng: np.random.Generator, coat: Coat) -> None:
    edge = shade(coat.fur, 0.5)
    lift = rng.uniform(0.85, 1.15)
    _draw_wing(pen, [(0.1, -0.1), (0.05, -0.75 * lift), (0.4, -1.1 * lift)], rng, shade(coat.mark, 0.8))
    for spread in (-0.16, 0.0, 0.16):
        pen.polygon(
            [(0.5, 0.08), (1.2, 0.1 + spread * 2), (1.16, 0.3 + spread * 2), (0.5, 0.24)],
            shade(coat.mark, 1 + spread),
            outline=edge,
        )
    pen.blob(
        [(-0.62, -0.14), (-0.1, -0.2), (0.5, 0.0), (0.72, 0.16), (0.4, 0.32), (-0.2, 0.36), (-0.62, 0.2)],
        coat.fur,
        outline=edge,
    )
    pen.blob([(-0.6, 0.08), (-0.1, 0.14), (0.4, 0.22), (0.0, 0.33), (-0.45, 0.27)], coat.belly)
    _draw_wing(pen, [(-0.2, 0.0), (-0.5, -0.65 * lift), (-0.35, -1.15 * lift)], rng, coat.mark)
    _draw_bird_head(pen, coat, (-0.68, -0.08))


def _draw_wing(pen: Pen, arm: list[tuple[float, float]], rng: np.random.Generator, color: Color) -> None:
    """A raised wing: feathers that fan out backwards from the arm."""
    shoulder, wrist, tip = np.asarray(arm)
    feathers = np.linspace(0, 1, 8)[:, None]
    roots = np.where(
        feathers < 0.5, shoulder + (wrist - shoulder) * feathers * 2, wrist + (tip - wrist) * (feathers - 0.5) * 2
    )
    ends = roots + np.concatenate([0.62 - 0.2 * feathers, 0.1 - 0.5 * feathers], axis=1)
    width = np.array([0.0, 0.13])
    outlines = np.stack([roots - width, ends - width * 0.4, ends + width * 0.4, roots + width], axis=1)
    pen.polygons(outlines, shades(rng, color, 8, 0.12), outline=shade(color, 0.6))
    pen.stroke(np.asarray(arm), color, width=0.13, is_smooth=True)


def _draw_bird_head(pen: Pen, coat: Coat, center: tuple[float, float]) -> None:
    x, y = center
    beak = (236, 156, 40) if sum(coat.fur) < 420 else (88, 80, 74)
    pen.polygon([(x - 0.22, y - 0.1), (x - 0.66, y + 0.06), (x - 0.22, y + 0.14)], beak, outline=shade(beak, 0.6))
    pen.ellipse(center, (0.34, 0.32), shade(coat.fur, 0.5))
    pen.ellipse(center, (0.32, 0.3), coat.fur)
    pen.ellipse((x - 0.12, y - 0.05), (0.1, 0.1), SNOW)
    pen.ellipse((x - 0.13, y - 0.05), (0.065, 0.065), INK)


def _spot(pen: Pen, at: FloatArray, radius: float, fill: Color, *, flatten: float = 1.0, narrow: float = 1.0) -> None:
    pen.ellipse((float(at[0, 0]), float(at[0, 1])), (radius * narrow, radius * flatten), fill)


ANIMALS: dict[str, Callable[[Pen, np.random.Generator], None]] = {"cat": draw_cat, "dog": draw_dog, "bird": draw_bird}

# How far an animal reaches from its middle, in its own units, as (left, up, right, down).
ANIMAL_EXTENT = (1.6, 1.3, 1.6, 1.1)
