"""Every text of every figure can be read: 4.5:1 with what is behind it, measured on the picture (WCAG 2.1, AA)."""

import importlib
import pkgutil
import re
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
from made_up_run import build_run
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from evalharness import report
from evalharness.attention.faithfulness_verdict import MEASURES, MapFaithfulness
from evalharness.audit import QUADRANTS, PullCell
from evalharness.believing import RiskCoverage
from evalharness.comparison import Difference, PairedRun
from evalharness.comparison.pairs import ClassChange
from evalharness.metrics import METRICS
from evalharness.records import ClassMetrics, Interval
from evalharness.report.audit import draw_pull, draw_quadrants
from evalharness.report.comparison_figures import draw_calibrations, draw_class_changes, draw_differences
from evalharness.report.concept_sheet import ConceptStrip, draw_concept_sheet
from evalharness.report.confusion import draw_confusion_matrix
from evalharness.report.faithfulness import draw_faithfulness
from evalharness.report.inspection import COLOURS as BELIEF_COLOURS
from evalharness.report.inspection import draw_inspection
from evalharness.report.lineup import LineupCell, LineupRow, draw_lineup
from evalharness.report.named_crops import NamedCrop, draw_named_crops
from evalharness.report.per_class import draw_per_class
from evalharness.report.photo_sheets import AttentionPair, draw_contact_sheet, draw_prediction_grid
from evalharness.report.region_sheet import AnnotatedPhoto, draw_region_sheet
from evalharness.report.reliability import draw_reliability
from evalharness.report.repair_figures import BeforeAndAfter, draw_accuracies, draw_pulls
from evalharness.report.risk_coverage import draw_risk_coverage
from evalharness.report.style import RIGHT_COLOUR, WRONG_COLOUR, as_text, contrast, figure_style, text_on
from evalharness.report.worst_mistakes import draw_worst_mistakes

LEAST = 4.5
LEAST_PART = 0.95
"""Of the pixels behind a text: a grid line may run under it."""
PHOTO = np.random.default_rng(0).integers(0, 255, (32, 48, 3), np.uint8)
DENSITY = np.linspace(0, 12, 24, dtype=np.float32).reshape(4, 6)
LONG_NAME = "a long name of a run with every setting " * 3
RUN_NAMES = tuple(f"run {number}" for number in range(6))


def interval(value, half=0.1):
    return Interval(value, value - half, value + half)


def pair(is_right=False):
    return AttentionPair("roses/1.jpg", PHOTO, DENSITY, "roses", "roses" if is_right else "tulips", 0.8, "libra")


def pulls():
    """Every tint, tested and not."""
    strengths = (-0.4, -0.2, 0.0, 0.1, 0.2, 0.28, 0.4)
    return [
        PullCell(category, f"class {column}", 12, interval(value), 0.1, is_significant, 0.0)
        for category, is_significant in (("cat", True), ("dog", False), ("bird", None))
        for column, value in enumerate(strengths)
    ]


def quadrants():
    rates = {name: SimpleNamespace(interval=interval(0.25), num_images=40) for name in QUADRANTS}
    roles = {"cat": "distractor", "dog": "distractor", "rose": "object"}
    return [
        SimpleNamespace(category=name, role=role, num_images=50, map_id="libra", quadrants=rates)
        for name, role in roles.items()
    ]


def faithfulness():
    return [
        MapFaithfulness(name, 32, 32, {measure: interval(lead) for measure in MEASURES},
                        {"random": interval(lead), "center": interval(lead)}, 0.9)
        for name, lead in (("libra", 0.5), ("rollout", 0.02))
    ]  # fmt: skip


def paired(name="run 1"):
    def change(value):
        return Difference(0.5, 0.5 + value, interval(value), "cannot tell")

    classes = tuple(
        ClassChange(label, 40, change(0.1), change(0.0), change(-0.1), 3, 4) for label in ("daisy", "roses")
    )
    metrics = {metric: change(0.05) for metric in METRICS}
    return PairedRun(
        name,
        LONG_NAME if name == LONG_NAME else "run 0",
        80,
        metrics,
        classes,
        (),
        3,
        4,
        5,
        0.5,
        0.5,
        "same",
        None,
        0.02,
        0.3,
    )


def confusion(num_classes):
    """Every tint on the diagonal and beside it."""
    return np.arange(num_classes**2).reshape(num_classes, num_classes)[::-1]


def before_and_after():
    return [
        BeforeAndAfter("with cat", 76, interval(0.7), interval(0.9)),
        BeforeAndAfter("without", 300, interval(0.96), interval(0.97)),
    ]


def lineup():
    return [LineupRow("roses/1.jpg", PHOTO, (LineupCell(pair(), "83% on cat"), LineupCell(pair(True), "4% on cat")))]


def inspection(belief):
    return draw_inspection(
        "1.jpg", PHOTO, DENSITY, [f"{belief}: roses", "more"], ["a warning"], belief=belief, style="overlay",
        density_max=12, boxes=[(0.1, 0.1, 0.5, 0.5)],
    )  # fmt: skip


CURVE = RiskCoverage(np.linspace(0.1, 1, 10), np.linspace(0, 0.2, 10))
WORSE = RiskCoverage(np.linspace(0.1, 1, 10), np.full(10, 0.21))
FIGURES = {
    "draw_accuracies": [lambda: draw_accuracies(before_and_after())],
    "draw_calibrations": [lambda: draw_calibrations(dict.fromkeys(RUN_NAMES, ((0.3, 0.4, 5), (0.9, 0.8, 20))))],
    "draw_class_changes": [lambda: draw_class_changes(paired()), lambda: draw_class_changes(paired(LONG_NAME))],
    "draw_concept_sheet": [
        lambda: draw_concept_sheet([ConceptStrip(PHOTO, "concept 1 (HARMFUL)", "in 9 photos")], title="Concepts")
    ],
    "draw_confusion_matrix": [
        lambda: draw_confusion_matrix(confusion(3), ["a", "b", "c"]),
        lambda: draw_confusion_matrix(confusion(12), [f"class {number}" for number in range(12)]),
        lambda: draw_confusion_matrix(np.diag([0, 3, 9]), ["none", "few", "more"]),
    ],
    "draw_contact_sheet": [
        lambda: draw_contact_sheet([pair(), pair(True)], title="Pairs", density_max=12),
        lambda: draw_contact_sheet([pair()], title="Pairs", density_max=12, style="darkened"),
    ],
    "draw_differences": [lambda: draw_differences([paired(name) for name in (*RUN_NAMES, LONG_NAME)])],
    "draw_faithfulness": [lambda: draw_faithfulness(faithfulness(), max_head_similarity=0.9)],
    "draw_inspection": [lambda belief=belief: inspection(belief) for belief in ("believe", "check", "unknown")],
    "draw_lineup": [lambda: draw_lineup(lineup(), ["before", "after"], title="Line-up", density_max=12)],
    "draw_named_crops": [
        lambda: draw_named_crops([NamedCrop("1.jpg", PHOTO, PHOTO, "tabby", 0.4, "of 9")], title="Crops")
    ],
    "draw_per_class": [
        lambda: draw_per_class(
            [ClassMetrics("a", 9, 9, 0.5, float("nan"), 1.0), ClassMetrics("b", 1, 2, 1.0, 0.0, 0.3)]
        )
    ],
    "draw_prediction_grid": [lambda: draw_prediction_grid(build_run().samples, lambda _: PHOTO)],
    "draw_pull": [lambda: draw_pull(pulls())],
    "draw_pulls": [lambda: draw_pulls(before_and_after(), 0.1, 5)],
    "draw_quadrants": [lambda: draw_quadrants(quadrants())],
    "draw_region_sheet": [
        lambda: draw_region_sheet(
            [AnnotatedPhoto("1.jpg", PHOTO, {"cat": np.eye(4, 6, dtype=bool)}, "? a doubt")],
            {"cat": "distractor"},
            title="regions",
        )
    ],
    "draw_reliability": [lambda: draw_reliability(((0.3, 0.4, 5), (0.9, 0.8, 20)), interval(0.1))],
    "draw_risk_coverage": [
        lambda: draw_risk_coverage(CURVE, WORSE, max_error=0.02, coverage=0.05, num_photos=600)
    ],
    "draw_worst_mistakes": [
        lambda: draw_worst_mistakes([pair()] * 2, ["83% on cat", ""], num_wrong=9, num_images=60, density_max=12)
    ],
}  # fmt: skip
"""By the function that draws them."""


def luminance(colours):
    """Of colours (..., 3) from 0 to 1, as the recommendation writes it."""
    linear = np.where(colours <= 0.03928, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    return 0.2126 * linear[..., 0] + 0.7152 * linear[..., 1] + 0.0722 * linear[..., 2]


def contrasts(first, second):
    lighter, darker = np.maximum(first, second), np.minimum(first, second)
    return (lighter + 0.05) / (darker + 0.05)


@figure_style()
def texts_and_picture(figure):
    """The texts that are drawn, and the picture (height, width, 3) without them, 0 to 1."""
    texts = []

    def only_note(text, renderer):
        del renderer
        if text.get_visible() and text.get_text().strip():
            texts.append(text)

    figure.canvas.draw()
    with patch.object(Text, "draw", only_note):
        figure.canvas.draw()
    return texts, np.asarray(figure.canvas.buffer_rgba())[..., :3] / 255


def unreadable(figure):
    """Text and contrast of what cannot be read; None of what is cut off."""
    texts, picture = texts_and_picture(figure)
    assert texts
    height, width = picture.shape[:2]
    found = {}
    for text in texts:
        box = text.get_window_extent()
        if min(box.x0, box.y0) < -1 or box.x1 > width + 1 or box.y1 > height + 1:
            found[text.get_text()] = None
            continue
        top, bottom = height - box.y1, height - box.y0
        behind = picture[max(0, round(top)) : round(bottom), max(0, round(box.x0)) : round(box.x1)]
        measured = contrasts(luminance(np.array(to_rgb(text.get_color()))), luminance(behind))
        if np.mean(measured >= LEAST) < LEAST_PART:
            found[text.get_text()] = round(float(np.median(measured)), 2)
    return found


def test_no_figure_is_forgotten():
    drawn = set()
    for module in pkgutil.iter_modules(report.__path__):
        names = vars(importlib.import_module(f"evalharness.report.{module.name}"))
        drawn |= {name for name in names if name.startswith("draw_")}
    # It draws the others.
    assert drawn - {"draw_figures"} == set(FIGURES)


@pytest.mark.parametrize("draw", [pytest.param(draw, id=name) for name, draws in FIGURES.items() for draw in draws])
def test_every_text_can_be_read(draw):
    assert unreadable(draw()) == {}


def test_the_measurement_finds_what_cannot_be_read():
    figure = draw_pull(pulls())
    cell = figure.axes[0].texts[0]
    cell.set_color("#D55E00")
    assert list(unreadable(figure)) == [cell.get_text()]


@pytest.mark.parametrize(
    ("first", "second", "expected"), [("white", "black", 21.0), ("#777777", "white", 4.48), ("red", "red", 1.0)]
)
def test_contrast(first, second, expected):
    assert contrast(first, second) == pytest.approx(expected, abs=0.005)
    assert contrast(second, first) == contrast(first, second)


def test_black_or_white_reads_on_every_colour():
    for grey in np.linspace(0, 1, 256):
        assert contrast(text_on((grey, grey, grey)), (grey, grey, grey)) >= LEAST


@pytest.mark.parametrize("colour", ["#E69F00", "#56B4E9", "#ffffff", "#0072B2"])
def test_a_colour_is_darkened_only_as_far_as_text_needs(colour):
    dark = contrast(as_text(colour), "white")
    assert dark >= LEAST
    assert dark < 4.9 or as_text(colour).lower() == colour.lower()


def test_pages_and_figures_mean_the_same_by_a_colour():
    def colours(path):
        style = (Path(report.__path__[0]).parent / path).read_text()
        return dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", style.split("}")[0]))

    page, bench = colours("report/html/templates/page.css"), colours("serving/page/bench.css")
    assert (page["good"], page["poor"]) == (RIGHT_COLOUR.lower(), WRONG_COLOUR.lower())
    assert {name: bench[name] for name in ("believe", "unknown")} == {
        name: BELIEF_COLOURS[name].lower() for name in ("believe", "unknown")
    }
