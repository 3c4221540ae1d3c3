"""How every figure looks, and how it is made without touching pyplot or the settings of the session around it."""

import re
import threading
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from evalharness.slugs import ascii_slug

DPI = 110
INK = "#222222"
MUTED = "#666666"
# Okabe and Ito's palette: told apart under the common kinds of colour blindness, and by lightness in print.
BLUE, ORANGE, GREEN, VERMILLION, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9"
PURPLE = "#CC79A7"
# As in the page: right and wrong verdicts, photo or number; vermillion is too light for text.
RIGHT_COLOUR, WRONG_COLOUR = BLUE, "#B84D00"
_DARK_BLUE, _DARK_VERMILLION = "#004A75", "#8A3C00"
RIGHT_TINTS = LinearSegmentedColormap.from_list("right", ["white", BLUE, _DARK_BLUE])
WRONG_TINTS = LinearSegmentedColormap.from_list("wrong", ["white", VERMILLION, _DARK_VERMILLION])
PULL_TINTS = LinearSegmentedColormap.from_list("pull", [_DARK_BLUE, BLUE, "white", VERMILLION, _DARK_VERMILLION])
"""From what takes probability away to what adds it."""
MIN_CONTRAST = 4.5
"""Of text with what is behind it (WCAG 2.1, AA)."""
RIGHT_SIGN, WRONG_SIGN = "✓", "✗"

LATIN_FAMILY = "DejaVu Sans"
SHIPPED_FAMILY = "IPAexGothic"
"""Japanese; of matplotlib-fontja."""
CJK_FAMILIES = (
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "Source Han Sans JP",
    "IPAexGothic",
    "IPAGothic",
    "TakaoGothic",
    "VL Gothic",
    "Hiragino Sans",
    "Hiragino Kaku Gothic ProN",
    "Yu Gothic",
    "Meiryo",
    "MS Gothic",
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Microsoft YaHei",
    "PingFang SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "Apple SD Gothic Neo",
    "Malgun Gothic",
    "Arial Unicode MS",
    "Droid Sans Fallback",
)

_STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "figure.titlesize": 12,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    # Letters in their own proportions: fitting each to the pixels takes a third of the time of a text.
    "text.hinting": "no_hinting",
    # A class may be called `a$b$c`.
    "text.parse_math": False,
}
SaveFigure = Callable[[Figure, Path], Path]
_LOCK = threading.RLock()
_WORD = re.compile(r"\w+|[^\w\s]")


@contextmanager
def figure_style() -> Iterator[None]:
    """Draws in our style, whatever the session has set, and puts the session's settings back.

    matplotlib's settings are process-wide, so figures are drawn one at a time. Also usable as a decorator.
    """
    defaults = {key: value for key, value in matplotlib.rcParamsDefault.items() if not key.startswith("backend")}
    style: dict[Any, Any] = {**defaults, **_STYLE, "font.family": list(font_families())}
    with _LOCK, matplotlib.rc_context(style):
        yield


def new_figure(width: float, height: float, *, layout: str | None = "constrained") -> Figure:
    """An empty figure that pyplot does not know of, so that it goes when its last reference does.

    Args:
        width: In inches.
        height: In inches.
        layout: matplotlib's layout engine; None when every axis is placed by hand.
    """
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout=layout)  # type: ignore[arg-type]
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> Path:
    """Writes the figure as a PNG and gives its path back."""
    _write_png(as_image(figure), path)
    return path


@contextmanager
def saving_in_background() -> Iterator[SaveFigure]:
    """Gives a `save_figure` that leaves compressing to another thread, while the next figure is drawn.

    At the end every file is written, or the first error is raised.
    """
    written: list[Future[None]] = []
    with ThreadPoolExecutor(max_workers=1) as thread:

        def save(figure: Figure, path: Path) -> Path:
            written.append(thread.submit(_write_png, as_image(figure), path))
            return path

        yield save
    for file in written:
        file.result()


def _write_png(image: Image.Image, path: Path) -> None:
    # Photos hardly compress: the lightest level takes a third of the time of the default for a few more bytes.
    image.save(path, format="png", dpi=(DPI, DPI), compress_level=1)


@figure_style()
def as_image(figure: Figure) -> Image.Image:
    """The figure as a picture; a word that the fonts lack is written as its slug."""
    for text in figure.findobj(Text):
        text.set_text(replace_undrawable(text.get_text()))
    # Not `savefig`, which draws a figure with a layout twice, and keeps an opacity that is 1 everywhere.
    canvas: Any = figure.canvas
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


@cache
def font_families() -> tuple[str, ...]:
    """The families in which glyphs are looked up: the Latin one, the CJK ones of this machine, the shipped Japanese."""
    present = {entry.name for entry in font_manager.fontManager.ttflist}
    families = [LATIN_FAMILY, *(family for family in CJK_FAMILIES if family in present)]
    if SHIPPED_FAMILY not in present and (path := _shipped_font()):
        font_manager.fontManager.addfont(path)
        families.append(SHIPPED_FAMILY)
    return tuple(families)


def _shipped_font() -> Path | None:
    """The file in the package, found without importing it: that would set the fonts of the whole session."""
    package = find_spec("matplotlib_fontja")
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "fonts" / "ipaexg.ttf"


@cache
def is_drawable(text: str) -> bool:
    """Whether the fonts of this machine have every character of the text."""
    with _LOCK:
        fonts = [font_manager.get_font(font_manager.findfont(family)) for family in font_families()]
        return all(any(font.get_char_index(ord(character)) for font in fonts) for character in set(text))


def contrast(first: Any, second: Any) -> float:
    """How far two colours are apart in lightness (WCAG 2.1): 1, the same, to 21, black and white.

    Args:
        first: Any colour that matplotlib reads; transparency is ignored.
        second: Likewise.
    """
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Any) -> float:
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def text_on(background: Any) -> str:
    """Black or white, whichever reads better on the background; either has the least contrast on any colour."""
    return "white" if contrast("white", background) > contrast("black", background) else "black"


@cache
def as_text(colour: str) -> str:
    """The colour, as dark as text in it must be on white."""
    channels = np.array(to_rgb(colour))
    while contrast(channels, "white") < MIN_CONTRAST:
        channels *= 0.97
    return to_hex(tuple(channels))


def replace_undrawable(text: str) -> str:
    """The text with the slug of each word that the fonts of this machine lack a character of."""
    if is_drawable(text):
        return text
    return _WORD.sub(lambda word: word[0] if is_drawable(word[0]) else ascii_slug(word[0]), text)


def drawn_text(text: str, max_width: int | None = None) -> str:
    """A name from the user as it can be drawn: on one line, with an ASCII slug where the fonts lack a character.

    Args:
        text: Any text.
        max_width: Longest result in columns (a wide CJK character fills two); the middle of a longer one is cut, since
            names often differ at their ends.
    """
    line = " ".join(text.split())
    line = line if is_drawable(line) else ascii_slug(text)
    if max_width is None or text_width(line) <= max_width:
        return line
    head = _first_columns(line, (max_width - 1) * 2 // 3)
    tail = _first_columns(line[::-1], max_width - 1 - text_width(head))[::-1]
    return f"{head}…{tail}"


def text_width(text: str) -> int:
    """Columns that a text fills: two for a wide character, one for any other."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _first_columns(text: str, columns: int) -> str:
    end = 0
    while end < len(text) and text_width(text[: end + 1]) <= columns:
        end += 1
    return text[:end]
