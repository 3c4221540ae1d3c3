"""Line scans and single rows of pixels: drawn at a size that shows them, and that every tool takes."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from evalharness.records import WHOLE
from evalharness.report.html.thumbnails import STEPS, draw_over, shrink
from evalharness.report.inspection import draw_inspection
from evalharness.report.overlay import MAX_ASPECT, fit, overlay, side_by_side
from evalharness.report.photo_sheets import AttentionPair, draw_contact_sheet, draw_prediction_grid
from evalharness.tracking.results_upload import _loggable

SIZES = [(8, 3000), (3000, 8), (1, 400), (400, 1), (1, 1), (2, 40)]


def photo_of(size):
    return np.full((*size, 3), 90, np.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_the_shorter_side_is_drawn_thick_enough(size):
    height, width = fit(photo_of(size), 256).shape[:2]
    assert max(height, width) == 256
    assert max(height, width) <= MAX_ASPECT * min(height, width)


@pytest.mark.parametrize("size", SIZES)
def test_thumbnails_under_a_map(size):
    thumbnail = shrink(photo_of(size), len(STEPS) - 1)
    with Image.open(io.BytesIO(draw_over(thumbnail, np.ones((4, 4)), 6.0, WHOLE))) as image:
        assert image.width / image.height == pytest.approx(thumbnail.aspect, rel=0.1)
    assert 1 / MAX_ASPECT <= thumbnail.aspect <= MAX_ASPECT


@pytest.mark.parametrize("size", SIZES)
def test_sheets_stay_of_a_size_that_can_be_saved(size):
    pair = AttentionPair("a", photo_of(size), np.ones((4, 4)), "x", "y", 0.5, "rollout")
    samples = pd.DataFrame({"row_id": ["a"], "label": ["x"], "pred_label": ["y"]})
    figures = [
        draw_contact_sheet([pair], title="t", density_max=6),
        draw_prediction_grid(samples, lambda _: photo_of(size)),
        draw_inspection(
            "a", photo_of(size), np.ones((4, 4)), ["x"], [], belief="check", style="overlay", density_max=6
        ),
    ]
    for figure in figures:
        figure.savefig(io.BytesIO())
        assert max(figure.get_size_inches()) < 20


@pytest.mark.parametrize("size", SIZES)
def test_what_is_logged_has_a_thumbnail_in_mlflow(size):
    from mlflow.tracking.multimedia import compress_image_size

    photo = fit(photo_of(size), 256)
    drawn = side_by_side(photo, overlay(photo, np.ones((4, 4)), density_max=6))
    # Also of a folder in which an earlier version drew it a pixel thin.
    for image in (Image.fromarray(drawn), Image.new("RGB", (520, 1)), Image.new("RGB", (1, 3000))):
        assert min(compress_image_size(_loggable(image)).size) >= 1


def test_other_pictures_are_logged_as_they_are():
    image = Image.new("RGB", (520, 256))
    assert _loggable(image) is image
