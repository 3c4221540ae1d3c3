"""Filled shapes in an object's own coordinates, drawn on a supersampled layer of a picture."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from evalharness.records import FloatArray

Color = tuple[int, int, int]
Points = Sequence[tuple[float, float]] | FloatArray


class Pen:
    """Draws on an image in an object's own coordinates: x to the right, y down, unrotated, about 1 in size.

    Args:
        image: What is drawn on, in place; RGB or RGBA.
        origin: Where the object's (0, 0) lies, in pixels of the image.
        scale: Pixels of one unit.
        roll: Clockwise rotation in radians.
        squash: Foreshortening of the object's y axis, applied before the rotation; 1 is face-on.
        is_flipped: Mirrored left to right.
    """

    def __init__(
        self,
        image: Image.Image,
        origin: tuple[float, float],
        scale: float,
        *,
        roll: float = 0.0,
        squash: float = 1.0,
        is_flipped: bool = False,
    ) -> None:
        cos, sin = np.cos(roll), np.sin(roll)
        flip = -1.0 if is_flipped else 1.0
        self.scale = scale
        self._draw = ImageDraw.Draw(image)
        self._matrix = scale * np.array([[cos * flip, -sin * squash], [sin * flip, cos * squash]])
        self._origin = np.asarray(origin, np.float64)

    def pixels(self, points: Points) -> FloatArray:
        """Maps points of the object, shape (..., 2), to pixels of the image."""
        mapped: FloatArray = np.asarray(points, np.float64) @ self._matrix.T + self._origin
        return mapped

    def polygon(self, points: Points, fill: Color, *, outline: Color | None = None) -> None:
        """Fills a polygon, shape (n, 2)."""
        self._draw.polygon(self.pixels(points).ravel().tolist(), fill, outline)

    def polygons(self, shapes: FloatArray, fills: Iterable[Color], *, outline: Color | None = None) -> None:
        """Fills n polygons of k corners, shape (n, k, 2), later ones over earlier ones."""
        for corners, fill in zip(
            self.pixels(shapes).reshape(len(shapes), 2 * shapes.shape[1]).tolist(), fills, strict=True
        ):
            self._draw.polygon(corners, fill, outline)

    def blob(self, points: Points, fill: Color, *, outline: Color | None = None) -> None:
        """Fills the smooth closed curve through the points, shape (n, 2)."""
        self.polygon(smooth_closed(np.asarray(points, np.float64)), fill, outline=outline)

    def ellipse(
        self, center: tuple[float, float], radii: tuple[float, float], fill: Color, *, angle: float = 0.0
    ) -> None:
        """Fills an ellipse; `angle` turns it about its centre, in radians."""
        cos, sin = np.cos(angle), np.sin(angle)
        turned = (unit_circle(28) * radii) @ np.array([[cos, sin], [-sin, cos]])
        self.polygon(turned + center, fill)

    def stroke(self, points: Points, fill: Color, *, width: float, is_smooth: bool = False) -> None:
        """Draws a line through the points with round joints; `width` in units of the object."""
        if is_smooth:
            points = smooth_open(np.asarray(points, np.float64))
        pixels = max(1, round(width * self.scale))
        corners = self.pixels(points)
        self._draw.line(corners.ravel().tolist(), fill, pixels, joint="curve" if pixels > 2 else None)
        if pixels > 3:
            for x, y in (corners[0], corners[-1]):
                self._draw.ellipse([x - pixels / 2, y - pixels / 2, x + pixels / 2, y + pixels / 2], fill)

    def strokes(self, lines: FloatArray, fills: Iterable[Color], *, width: float) -> None:
        """Draws n lines through k points each, shape (n, k, 2)."""
        pixels = max(1, round(width * self.scale))
        for corners, fill in zip(
            self.pixels(lines).reshape(len(lines), 2 * lines.shape[1]).tolist(), fills, strict=True
        ):
            self._draw.line(corners, fill, pixels)


@lru_cache
def unit_circle(num_points: int) -> FloatArray:
    """Points of the unit circle, shape (num_points, 2)."""
    angles = np.linspace(0, 2 * np.pi, num_points, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


@lru_cache
def _spline(num_steps: int) -> FloatArray:
    """Weights of four neighbouring points on a uniform Catmull-Rom segment, shape (num_steps, 4)."""
    t = np.linspace(0, 1, num_steps, endpoint=False)[:, None]
    basis = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    weights: FloatArray = np.concatenate([t**0, t, t**2, t**3], axis=1) @ basis
    return weights


def smooth_closed(points: FloatArray, num_steps: int = 6) -> FloatArray:
    """The closed Catmull-Rom curve through the points (n, 2) as a polygon, shape (n * num_steps, 2)."""
    neighbours = np.stack([np.roll(points, shift, axis=0) for shift in (1, 0, -1, -2)], axis=1)
    curve: FloatArray = (_spline(num_steps) @ neighbours).reshape(-1, 2)
    return curve


def smooth_open(points: FloatArray, num_steps: int = 6) -> FloatArray:
    """The open Catmull-Rom curve through the points (n, 2), its ends included."""
    padded = np.concatenate([points[:1], points, points[-1:]])
    neighbours = np.stack([padded[i : i + 4] for i in range(len(points) - 1)])
    return np.concatenate([(_spline(num_steps) @ neighbours).reshape(-1, 2), points[-1:]])


def petals(
    angles: FloatArray,
    *,
    start: float | FloatArray,
    end: float | FloatArray,
    width: float | FloatArray,
    base: float,
    tip: float,
    num_steps: int = 9,
) -> FloatArray:
    """Outlines of petals that point away from the origin, shape (n, 2 * num_steps, 2).

    The half width along a petal is t^base (1 - t)^tip, scaled to `width`: a small `tip` gives a blunt end, one near 1 a
    pointed one.

    Args:
        angles: Direction of each petal in radians, shape (n,).
        start: Distance of the petal's foot from the origin; a number or shape (n,).
        end: Distance of its tip.
        width: Its largest half width.
        base: Exponent at the foot.
        tip: Exponent at the tip.
        num_steps: Points on each side.
    """
    t = (1 - np.cos(np.linspace(0, np.pi, num_steps))) / 2
    profile = t**base * (1 - t) ** tip
    profile = profile / profile.max()
    start, end, width = (np.broadcast_to(np.asarray(value, np.float64), angles.shape) for value in (start, end, width))
    along = start[:, None] + (end - start)[:, None] * np.concatenate([t, t[::-1]])
    across = width[:, None] * np.concatenate([profile, -profile[::-1]])
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    return np.stack([along * cos - across * sin, along * sin + across * cos], axis=-1)


def shade(color: Color, factor: float) -> Color:
    """Darker below 1, lighter above, where 2 is white."""
    return mix(color, (255, 255, 255), factor - 1) if factor > 1 else mix((0, 0, 0), color, factor)


def mix(first: Color, second: Color, share: float) -> Color:
    """The colour at `share` (0 to 1) of the way from the first to the second."""
    share = min(max(share, 0.0), 1.0)
    return (
        int(first[0] + (second[0] - first[0]) * share),
        int(first[1] + (second[1] - first[1]) * share),
        int(first[2] + (second[2] - first[2]) * share),
    )


def jitter(rng: np.random.Generator, color: Color, amount: float = 12.0) -> Color:
    """A colour nearby; `amount` is a standard deviation in grey levels."""
    noisy = np.clip(np.asarray(color) + rng.normal(0, amount, 3), 0, 255).astype(int)
    return int(noisy[0]), int(noisy[1]), int(noisy[2])


def shades(rng: np.random.Generator, color: Color, num_shades: int, amount: float) -> list[Color]:
    """Shades of one colour; `amount` is the standard deviation of their brightness."""
    return [shade(color, float(factor)) for factor in 1 + amount * rng.standard_normal(num_shades)]


def pick(
    rng: np.random.Generator,
    options: Sequence[Color],
    weights: Sequence[float] | None = None,
    *,
    amount: float = 12.0,
) -> Color:
    """One of the colours, jittered by `amount`."""
    return jitter(rng, options[int(rng.choice(len(options), p=weights))], amount)


def alpha_of(layer: Image.Image) -> npt.NDArray[np.uint8]:
    """The layer's alpha channel, shape (height, width)."""
    return np.asarray(layer.getchannel("A"))
