"""The sheet of wrong verdicts: what it shows, and what it says of each."""

import numpy as np
import pytest
from made_up_run import GRID, PHOTO_SIZE, build_run

from evalharness.config import ReportConfig
from evalharness.report import AttentionPair, figures
from evalharness.report.overlay import fit, overlay
from evalharness.report.style import WRONG_COLOUR, WRONG_SIGN
from evalharness.report.worst_mistakes import PHOTO_PIXELS, draw_worst_mistakes


def pair(number=0, **values):
    photo = np.full((*PHOTO_SIZE, 3), number % 200, np.uint8)
    given = {"label": "roses", "pred_label": "tulips", "confidence": 0.876, "map_id": "rollout", **values}
    return AttentionPair(f"roses/{number}.jpg", photo, np.ones(GRID, np.float32), **given)


def draw(pairs, *, remarks=None, num_wrong=60, **options):
    remarks = [""] * len(pairs) if remarks is None else remarks
    return draw_worst_mistakes(pairs, remarks, num_wrong=num_wrong, num_images=600, density_max=6, **options)


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize(
    ("num_shown", "num_wrong", "expected"),
    [
        (16, 60, "16 of 60 wrong verdicts of 600 images, the most confident first, classes taking turns — rollout"),
        (3, 3, "All 3 wrong verdicts of 600 images, the most confident first, classes taking turns — rollout"),
        (1, 1, "The one wrong verdict of 600 images — rollout"),
    ],
)
def test_the_title_counts(num_shown, num_wrong, expected):
    assert texts(draw([pair(number) for number in range(num_shown)], num_wrong=num_wrong))[0] == expected


def test_each_photo_is_beside_its_map_and_says_what_was_taken_for_what():
    verdict = pair()
    figure = draw([verdict, pair(1)], remarks=["83% on cat (relies)", ""])
    photo = fit(verdict.photo, PHOTO_PIXELS)
    shown = [image.get_array() for image in figure.axes[0].images]
    assert len(shown) == 4
    np.testing.assert_array_equal(shown[0], photo)
    np.testing.assert_array_equal(shown[1], overlay(photo, verdict.density, density_max=6))
    told = texts(figure)
    assert told.count(f"{WRONG_SIGN} roses → tulips  0.88") == 2
    assert told[2:] == [told[2], "83% on cat (relies)", "roses/0.jpg", told[2], "roses/1.jpg"]
    colours = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
    assert colours[told[2]] == WRONG_COLOUR


def test_without_maps_the_photos_stand_alone_and_nothing_is_said_of_maps():
    figure = draw([pair(number) for number in range(5)], has_maps=False)
    assert len(figure.axes) == 1
    assert len(figure.axes[0].images) == 5
    assert not [text for text in texts(figure) if "map" in text or "rollout" in text]


@pytest.mark.parametrize("num_pairs", [1, 5])
@pytest.mark.parametrize("has_maps", [True, False])
def test_nothing_lies_outside_the_sheet_nor_on_anything_else(num_pairs, has_maps):
    long = {"label": "A LONG NAME " * 5, "pred_label": "ANOTHER NAME " * 5, "map_id": "m" * 60}
    pairs = [pair(number, **long) for number in range(num_pairs)]
    figure = draw(pairs, remarks=["99% on A VERY LONG NAME " * 4] * num_pairs, has_maps=has_maps)
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    parts = [*figure.axes[0].texts, *figure.axes[0].images]
    boxes = [part.get_window_extent(renderer) for part in parts]
    boxes += [axes.get_tightbbox(renderer) for axes in figure.axes[1:]]
    for box in boxes:
        assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert 0 <= box.y0 < box.y1 <= figure.bbox.y1
    for index, first in enumerate(boxes):
        assert not any(first.padded(-1).overlaps(second.padded(-1)) for second in boxes[index + 1 :])


def test_a_row_has_the_remark_of_its_own_map(tmp_path, monkeypatch):
    run, told = build_run(), {}

    def draw_told(pairs, remarks, **options):
        told[pairs[0].map_id] = dict(zip([entry.row_id for entry in pairs], remarks, strict=True))
        return draw_worst_mistakes(pairs, remarks, **options)

    monkeypatch.setattr(figures, "draw_worst_mistakes", draw_told)
    said = ["40% on cat" if number == 4 else None for number in range(len(run.samples))]
    figures.draw_figures(
        run.samples.assign(**{"looks_at.rollout": said}), run.evaluation, run.maps, run.photo, tmp_path,
        ReportConfig(contact_sheet=("worst_mistakes",), num_logged_images=0), class_names=run.class_names, seed=1,
    )  # fmt: skip
    (row_id,) = run.samples["row_id"][4:5]
    assert told["rollout"] == {**dict.fromkeys(told["rollout"], ""), row_id: "40% on cat"}
    assert set(told["grad_attention.true"].values()) == {""}
    assert set(told["rollout"]) == set(run.samples["row_id"][~run.samples["correct"]])
