import math

import numpy as np
import pytest
from made_up_run import GRID, PHOTO_SIZE, build_run, frame_of

from evalharness.report import AttentionPair, as_image, draw_contact_sheet, draw_prediction_grid
from evalharness.report.overlay import fit, overlay
from evalharness.report.photo_sheets import PHOTO_PIXELS
from evalharness.report.style import RIGHT_COLOUR, RIGHT_SIGN, WRONG_COLOUR, WRONG_SIGN, figure_style


def texts_of(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def numbered(num_rows):
    return frame_of([(f"row/{i}.jpg", "a", "b" if i % 5 == 0 else "a", 0.5) for i in range(num_rows)])


class TestPredictionGrid:
    @staticmethod
    def draw(samples):
        asked = []

        def photo(row_id):
            asked.append(int(row_id.split("/")[1].split(".")[0]))
            return np.zeros((8, 8, 3), np.uint8)

        return draw_prediction_grid(samples, photo), asked

    @pytest.mark.parametrize(
        ("num_rows", "expected"),
        [
            (1280, list(range(0, 1280, 80))),
            (16, list(range(16))),
            (40, list(range(0, 32, 2))),
            (33, list(range(0, 32, 2))),
            (31, list(range(16))),
            (5, list(range(5))),
            (1, [0]),
        ],
    )
    def test_rows_are_evenly_spaced(self, num_rows, expected):
        figure, asked = self.draw(numbered(num_rows))
        assert asked == expected
        assert len(figure.axes[0].images) == len(expected)

    def test_titles_and_marks(self):
        figure, _ = self.draw(frame_of([("row/0.jpg", "rose", "tulip", 0.9), ("row/1.jpg", "rose", "rose", 0.9)]))
        texts = texts_of(figure)
        assert texts.count("True Label: rose") == 2
        assert f"Predicted Label: tulip  {WRONG_SIGN}" in texts
        assert "Predicted Label: rose" in texts

    def test_wrong_ones_have_a_thick_frame_in_another_colour(self):
        figure, _ = self.draw(numbered(5))
        wrong, *right = figure.axes[0].patches
        assert {box.get_linewidth() for box in right} == {0.8}
        assert wrong.get_linewidth() > 2
        colours = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
        assert colours["Predicted Label: a"] == RIGHT_COLOUR
        assert colours[f"Predicted Label: b  {WRONG_SIGN}"] == WRONG_COLOUR

    def test_photos_keep_their_proportions(self):
        run = build_run()
        figure = draw_prediction_grid(run.samples, run.photo)
        left, right, bottom, top = figure.axes[0].images[0].get_extent()
        assert (bottom - top) / (right - left) == pytest.approx(PHOTO_SIZE[0] / PHOTO_SIZE[1], abs=0.01)

    @figure_style()
    def test_long_names_stay_above_their_photo(self):
        figure, _ = self.draw(
            frame_of([(f"row/{i}.jpg", "A LONG NAME " * 5, "ANOTHER NAME " * 5, 0.5) for i in range(5)])
        )
        renderer = figure.canvas.get_renderer()
        photos = [image.get_window_extent(renderer) for image in figure.axes[0].images]
        titles = [text for text in figure.axes[0].texts if "Label: " in text.get_text()]
        assert len(titles) == 10
        for index, title in enumerate(titles):
            box = title.get_window_extent(renderer)
            assert box.x1 <= photos[index // 2].x1
            assert box.y0 >= photos[index // 2].y1


class TestContactSheet:
    PHOTO = np.random.default_rng(1).integers(0, 256, (*PHOTO_SIZE, 3), np.uint8)

    def pair(self, **values):
        defaults = {
            "row_id": "roses/1.jpg",
            "photo": self.PHOTO,
            "density": np.linspace(0, 8, np.prod(GRID), dtype=np.float32).reshape(GRID),
            "label": "roses",
            "pred_label": "tulips",
            "confidence": 0.8765,
            "map_id": "grad_attention",
        }
        return AttentionPair(**{**defaults, **values})

    def draw(self, *pairs):
        return draw_contact_sheet(pairs, title="Worst mistakes", density_max=6)

    def test_each_pair_is_the_photo_beside_its_overlay(self):
        other = self.pair(density=np.ones(GRID, np.float32))
        images = [image.get_array() for image in self.draw(self.pair(), other).axes[0].images]
        photo = fit(self.PHOTO, PHOTO_PIXELS)
        expected = [photo, overlay(photo, self.pair().density, density_max=6)]
        expected += [photo, overlay(photo, other.density, density_max=6)]
        assert len(images) == 4
        for image, wanted in zip(images, expected, strict=True):
            np.testing.assert_array_equal(image, wanted)

    def test_a_photo_is_on_the_sheet_pixel_by_pixel(self):
        figure = self.draw(self.pair())
        photo, box = fit(self.PHOTO, PHOTO_PIXELS), figure.axes[0].images[0].get_window_extent()
        sheet = np.asarray(as_image(figure))
        top, left = math.floor(sheet.shape[0] - box.y1 + 0.5), math.floor(box.x0 + 0.5)
        np.testing.assert_array_equal(sheet[top : top + photo.shape[0], left : left + photo.shape[1]], photo)

    def test_captions(self):
        texts = texts_of(self.draw(self.pair(), self.pair(pred_label="roses")))
        assert texts[0] == "Worst mistakes"
        assert texts.count("Original") == texts.count("Attention Map") == 2
        assert f"{WRONG_SIGN} true roses → predicted tulips" in texts
        assert f"{RIGHT_SIGN} true roses → predicted roses" in texts
        assert "confidence 0.876   roses/1.jpg   grad_attention" in texts

    def test_one_colour_bar_with_the_average_patch_marked(self):
        _, bar = self.draw(*[self.pair()] * 5).axes
        assert bar.get_xlabel() == "attention density (1 = average patch), the same scale on every sheet"
        assert bar.get_xlim() == (0, 6)
        assert 1.0 in bar.get_xticks()

    @pytest.mark.parametrize("density_max", [1.5, 6, 50])
    def test_colour_bar_follows_the_scale(self, density_max):
        sheet = draw_contact_sheet([self.pair()], title="", density_max=density_max)
        bar = sheet.axes[1]
        assert bar.get_xlim()[1] == density_max
        assert 1.0 in bar.get_xticks()

    @pytest.mark.parametrize("num_pairs", [1, 3])
    def test_nothing_lies_outside_the_sheet_nor_on_anything_else(self, num_pairs):
        long = self.pair(
            row_id="folder/" * 20, label="A LONG NAME " * 5, pred_label="ANOTHER NAME " * 5, map_id="m" * 60
        )
        figure = self.draw(*[long] * num_pairs)
        figure.draw_without_rendering()
        renderer = figure.canvas.get_renderer()
        boxes = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
        boxes += [image.get_window_extent(renderer) for image in figure.axes[0].images]
        boxes += [figure.axes[1].get_tightbbox(renderer)]
        for box in boxes:
            assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
            assert 0 <= box.y0 < box.y1 <= figure.bbox.y1
        assert not any(
            first.padded(-1).overlaps(second.padded(-1))
            for index, first in enumerate(boxes)
            for second in boxes[index + 1 :]
        )
