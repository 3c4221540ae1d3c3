import gc
import subprocess
import sys
import threading
import warnings
import weakref
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from made_up_run import build_run
from matplotlib import font_manager
from PIL import Image

import evalharness
from evalharness.audit import PullCell
from evalharness.records import Interval
from evalharness.report import (
    AttentionPair,
    draw_confusion_matrix,
    draw_contact_sheet,
    draw_prediction_grid,
    draw_pull,
    draw_reliability,
)
from evalharness.report.style import (
    drawn_text,
    figure_style,
    font_families,
    is_drawable,
    new_figure,
    save_figure,
    saving_in_background,
    text_width,
)

NO_GLYPH = "\U0001f339"


@pytest.fixture
def run():
    return build_run()


def test_settings_of_the_session_come_back(run):
    with matplotlib.rc_context({"font.size": 31, "axes.facecolor": "black", "font.family": ["serif"]}):
        before = dict(matplotlib.rcParams)
        draw_confusion_matrix(run.evaluation.confusion, run.class_names)
        with pytest.raises(ZeroDivisionError), figure_style():
            1 / 0  # noqa: B018
        assert dict(matplotlib.rcParams) == before


def test_settings_of_the_session_do_not_show(run, tmp_path):
    def pixels():
        path = save_figure(draw_confusion_matrix(run.evaluation.confusion, run.class_names), tmp_path / "matrix.png")
        return np.asarray(Image.open(path))

    plain = pixels()
    with matplotlib.rc_context({"font.size": 31, "axes.facecolor": "black", "savefig.dpi": 30, "lines.linewidth": 9}):
        np.testing.assert_array_equal(pixels(), plain)


def test_pyplot_is_never_imported():
    script = "import sys, evalharness.report; assert not {'matplotlib.pyplot', 'matplotlib_fontja'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(evalharness.__file__).parents[1])


def test_figures_are_freed(run):
    figure = weakref.ref(draw_prediction_grid(run.samples, run.photo))
    gc.collect()
    assert figure() is None


def test_drawing_in_threads_equals_drawing_alone(tmp_path):
    def draw(name):
        figure = draw_reliability(((0.5, 0.25, 4), (0.9, 1.0, 3)), Interval(0.1, 0.05, 0.2))
        return np.asarray(Image.open(save_figure(figure, tmp_path / f"{name}.png")))

    before, alone, drawn = dict(matplotlib.rcParams), draw("alone"), {}
    threads = [threading.Thread(target=lambda i=i: drawn.update({i: draw(i)})) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drawn) == 4
    assert all(np.array_equal(image, alone) for image in drawn.values())
    assert dict(matplotlib.rcParams) == before


def test_figures_saved_in_the_background_are_the_same(tmp_path):
    def figure():
        return draw_reliability(((0.5, 0.25, 4), (0.9, 1.0, 3)), Interval(0.1, 0.05, 0.2))

    with saving_in_background() as save:
        paths = [save(figure(), tmp_path / f"{number}.png") for number in range(3)]
    alone = save_figure(figure(), tmp_path / "alone.png").read_bytes()
    assert [path.read_bytes() for path in paths] == [alone] * 3


def test_a_figure_that_cannot_be_written_in_the_background_is_told(tmp_path):
    def draw():
        with saving_in_background() as save:
            save(new_figure(1, 1), tmp_path / "missing" / "figure.png")
            save(new_figure(1, 1), tmp_path / "figure.png")

    with pytest.raises(FileNotFoundError):
        draw()
    assert (tmp_path / "figure.png").is_file()


@pytest.fixture
def machine_without_cjk_fonts(monkeypatch):
    own = [font for font in font_manager.fontManager.ttflist if font.name.startswith("DejaVu")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    for cached in (font_families, is_drawable):
        cached.cache_clear()
    yield
    for cached in (font_families, is_drawable):
        cached.cache_clear()


@pytest.mark.usefixtures("machine_without_cjk_fonts")
def test_japanese_names_are_drawn_on_a_machine_without_a_font_for_them(tmp_path):
    names = ["バラ", "ひまわり", "薔薇", "ﾊﾞﾗ"]
    before = dict(matplotlib.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw_confusion_matrix(np.eye(4, dtype=int), names)
        save_figure(figure, tmp_path / "matrix.png")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == names
    assert drawn_text("写真/バラ 1.jpg") == "写真/バラ 1.jpg"
    assert "matplotlib_fontja" not in sys.modules
    assert dict(matplotlib.rcParams) == before


def test_names_without_glyphs_are_drawn_as_slugs_and_warn_nobody(tmp_path):
    text = drawn_text(f"rose {NO_GLYPH}")
    assert text.startswith("rose-")
    assert text.isascii()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        confusion = np.array([[3, 1], [0, 4]])
        save_figure(draw_confusion_matrix(confusion, [f"a {NO_GLYPH}", "b"]), tmp_path / "matrix.png")


@pytest.mark.parametrize("name", ["a$b$c", r"\frac", "$\\nope{$", "<b>&amp;", "100 %", "{x}", "_under_", ""])
def test_markup_in_names_is_text(name, tmp_path):
    figure = draw_confusion_matrix(np.eye(2, dtype=int), [name, "other"])
    assert name in [label.get_text() for label in figure.axes[0].get_xticklabels()]
    save_figure(figure, tmp_path / "matrix.png")


def test_drawn_text_is_one_line():
    assert drawn_text(" a\nb\t c ") == "a b c"


def test_long_text_keeps_both_ends():
    assert drawn_text("abcdefghijklmnopqrstuvwxyz", 11) == "abcdef…wxyz"
    assert drawn_text("abcdefghijk", 11) == "abcdefghijk"


def test_wide_characters_fill_two_columns():
    assert text_width("ab") == 2
    assert text_width("バラ") == 4


def test_new_figure_size():
    assert tuple(new_figure(3, 2).get_size_inches()) == (3, 2)


def test_words_without_glyphs_are_slugs_wherever_they_stand(tmp_path):
    figure = new_figure(4, 2)
    axes = figure.subplots()
    axes.set_title(f"Most of the map on {NO_GLYPH} first, {NO_GLYPH}\nand a_b 9 %")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(figure, tmp_path / "title.png")
    known = drawn_text(NO_GLYPH)
    assert axes.get_title() == f"Most of the map on {known} first, {known}\nand a_b 9 %"


def test_categories_without_glyphs_warn_nobody(tmp_path):
    cell = PullCell(f"dog {NO_GLYPH}", "roses", 12, Interval(0.1, 0.0, 0.2), 0.5, None, float("nan"))
    pair = AttentionPair(
        "1.jpg", np.zeros((8, 8, 3), np.uint8), np.ones((2, 2)), "roses", "roses", 0.5, f"20% on {NO_GLYPH}"
    )
    title = f"Most of the map on {NO_GLYPH} first"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(draw_pull([cell]), tmp_path / "pull.png")
        save_figure(draw_contact_sheet([pair], title=title, density_max=3), tmp_path / "sheet.png")
