"""The sheet of annotated photos: every photo, every category that is drawn, and why one is doubtful."""

import numpy as np
import pytest
from matplotlib.text import Text

from evalharness.report.region_sheet import AnnotatedPhoto, draw_region_sheet


def photo(row_id, *categories, remark=""):
    mask = np.zeros((30, 40), bool)
    mask[5:20, 0:12] = True
    return AnnotatedPhoto(row_id, np.full((60, 80, 3), 90, np.uint8), dict.fromkeys(categories, mask), remark)


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_captions_and_the_legend_name_what_is_drawn():
    roles = {"daisy": "object", "cat": "distractor", "text": "ignore", "never drawn": "distractor"}
    photos = [photo("a/1.jpg", "daisy", "cat"), photo("a/2.jpg", "text", remark="? box beyond the image")]
    figure = draw_region_sheet(photos, roles, title="two photos")
    told = texts(figure)
    assert {"two photos", "a/1.jpg", "a/2.jpg\n? box beyond the image"} <= set(told)
    assert {"cat (distractor)", "daisy (object)", "text (ignore)"} <= set(told)
    assert not any("never drawn" in text for text in told)
    lines = {handle.get_label(): handle for handle in figure.legends[0].legend_handles}
    assert len({line.get_linestyle() for line in lines.values()}) == 3
    assert len({line.get_color() for line in lines.values()}) == 3


@pytest.mark.parametrize("num_categories", [12, 40])
def test_many_categories_do_not_crowd_out_the_photos(num_categories):
    names = [f"category {number:02d}" for number in range(num_categories)]
    figure = draw_region_sheet([photo("1.jpg", *names)], dict.fromkeys(names, "distractor"), title="many")
    handles = figure.legends[0].legend_handles
    assert len(handles) <= 25
    assert ("and 16 more" in texts(figure)) == (num_categories == 40)
    if num_categories == 12:
        assert len({handle.get_color() for handle in handles}) == 12
