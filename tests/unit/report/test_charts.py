import itertools

import numpy as np
import pytest
from matplotlib.colors import to_hex

from evalharness.records import ClassMetrics, Interval
from evalharness.report import draw_confusion_matrix, draw_per_class, draw_reliability
from evalharness.report.style import BLUE, VERMILLION

NAN = float("nan")


def cell_texts(axes):
    """Text by (row, column)."""
    return {(round(text.get_position()[1]), round(text.get_position()[0])): text.get_text() for text in axes.texts}


def labels_overlap(axis_labels, renderer):
    boxes = [label.get_window_extent(renderer) for label in axis_labels]
    return any(first.overlaps(second) for first, second in itertools.pairwise(boxes))


class TestConfusionMatrix:
    CONFUSION = np.array([[9, 1, 0], [0, 199, 1], [0, 0, 0]])

    def test_counts_and_percentages(self):
        counts, percent = draw_confusion_matrix(self.CONFUSION, ["a", "b", "c"]).axes[:2]
        assert cell_texts(counts)[0, 0] == "9"
        assert cell_texts(counts)[1, 2] == "1"
        assert cell_texts(percent)[0, 0] == "90"
        assert cell_texts(percent)[0, 1] == "10"

    def test_few_never_reads_as_none_nor_most_as_all(self):
        percent = draw_confusion_matrix(self.CONFUSION, ["a", "b", "c"]).axes[1]
        assert cell_texts(percent)[1, 1] == ">99"
        assert cell_texts(percent)[1, 2] == "<1"

    def test_class_without_images_has_no_percentages(self):
        percent = draw_confusion_matrix(self.CONFUSION, ["a", "b", "c"]).axes[1]
        assert {cell_texts(percent)[2, column] for column in range(3)} == {"-"}
        assert all(np.ma.getmaskarray(image.get_array())[2].all() for image in percent.images)

    def test_axes_titles_and_units(self):
        figure = draw_confusion_matrix(self.CONFUSION, ["a", "b", "c"])
        for axes in figure.axes[:2]:
            assert axes.get_xlabel() == "Predicted label"
            assert axes.get_ylabel() == "True label"
            assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]
        bars = [axes.get_ylabel() for axes in figure.axes[2:] if axes.get_ylabel()]
        assert bars == [f"{unit} (blue: right, red: wrong)" for unit in ("images", "% of true class")]
        assert "210 images" in figure.get_suptitle()

    def test_right_and_wrong_have_the_tints_of_the_page(self):
        right, wrong = draw_confusion_matrix(self.CONFUSION, ["a", "b", "c"]).axes[0].images
        np.testing.assert_array_equal(np.ma.filled(right.get_array(), -1), np.where(np.eye(3), self.CONFUSION, -1))
        np.testing.assert_array_equal(np.ma.filled(wrong.get_array(), -1), np.where(np.eye(3), -1, self.CONFUSION))
        assert (to_hex(right.cmap(128)), to_hex(wrong.cmap(128))) == (BLUE.lower(), VERMILLION.lower())
        assert right.get_clim() == wrong.get_clim()

    @pytest.mark.parametrize("num_classes", [2, 12, 30, 130])
    @pytest.mark.parametrize("name", ["c{}", "a class with quite a long name {}"])
    def test_labels_never_overlap_and_stay_inside(self, num_classes, name):
        confusion = 90 * np.eye(num_classes, dtype=int) + 1
        figure = draw_confusion_matrix(confusion, [name.format(i) for i in range(num_classes)])
        figure.draw_without_rendering()
        renderer, page = figure.canvas.get_renderer(), figure.bbox
        for axes in figure.axes[:2]:
            assert not labels_overlap(axes.get_yticklabels(), renderer)
            for label in [*axes.get_yticklabels(), *axes.get_xticklabels(), axes.xaxis.label, axes.yaxis.label]:
                box = label.get_window_extent(renderer)
                assert page.x0 - 1 <= box.x0
                assert box.x1 <= page.x1 + 1
                assert page.y0 - 1 <= box.y0
                assert box.y1 <= page.y1 + 1

    @pytest.mark.parametrize("num_classes", [2, 5, 12, 30])
    def test_numbers_fit_their_cells(self, num_classes):
        figure = draw_confusion_matrix(np.full((num_classes, num_classes), 1234), [f"c{i}" for i in range(num_classes)])
        figure.draw_without_rendering()
        renderer = figure.canvas.get_renderer()
        for axes in figure.axes[:2]:
            cell = axes.get_window_extent(renderer).width / num_classes
            assert len(axes.texts) == num_classes**2
            assert max(text.get_window_extent(renderer).width for text in axes.texts) <= 1.05 * cell

    def test_too_many_classes_leave_out_the_numbers(self):
        figure = draw_confusion_matrix(np.full((120, 120), 1234), [f"c{i}" for i in range(120)])
        assert not figure.axes[0].texts


class TestReliability:
    BINS = ((0.1, 0.2, 5), (NAN, NAN, 0), (0.9, 0.7, 300))

    def test_points_bars_and_counts(self):
        upper, lower = draw_reliability(self.BINS, Interval(0.123, 0.1, 0.15)).axes
        assert [bar.get_height() for bar in upper.patches] == [0.2, 0.7]
        np.testing.assert_allclose([bar.get_x() + bar.get_width() / 2 for bar in upper.patches], [1 / 6, 5 / 6])
        np.testing.assert_allclose(upper.lines[-1].get_xydata(), [(0.1, 0.2), (0.9, 0.7)])
        assert [bar.get_height() for bar in lower.patches] == [5, 0, 300]
        assert [text.get_text() for text in lower.texts] == ["5", "300"]

    def test_title_tells_the_error_and_its_interval(self):
        title = draw_reliability(self.BINS, Interval(0.123, 0.1, 0.15)).get_suptitle()
        for number in ("0.123", "0.100", "0.150"):
            assert number in title

    def test_undefined_error(self):
        assert "not defined" in draw_reliability(self.BINS, Interval(NAN, NAN, NAN)).get_suptitle()


class TestPerClass:
    @staticmethod
    def rows(num):
        return tuple(ClassMetrics(f"class {i}", 10 + i, 5, 0.5, 0.25, i / num) for i in range(num))

    def test_bars_and_support(self):
        rows = (ClassMetrics("a", 1200, 3, 0.5, 0.25, 0.333), ClassMetrics("b", 0, 0, NAN, NAN, NAN))
        axes = draw_per_class(rows).axes[0]
        assert [label.get_text() for label in axes.get_yticklabels()] == ["a\nn = 1,200", "b\nn = 0"]
        assert [bar.get_width() for bar in axes.patches] == [0.5, 0, 0.25, 0, 0.333, 0]
        texts = [text.get_text() for text in axes.texts]
        assert texts == ["0.50", "not defined", "0.25", "not defined", "0.33", "not defined"]

    def test_first_class_is_on_top(self):
        bottom, top = draw_per_class(self.rows(3)).axes[0].get_ylim()
        assert bottom > top

    def test_very_many_classes_show_the_worst(self):
        figure = draw_per_class(self.rows(80)[::-1])
        labels = [label.get_text().split("\n")[0] for label in figure.axes[0].get_yticklabels()]
        assert labels == [f"class {i}" for i in range(50)]
        assert "50 of 80" in figure.get_suptitle()
