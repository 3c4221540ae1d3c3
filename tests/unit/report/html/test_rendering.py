"""A page is as large as it says, and its photos are read back."""

import json
from base64 import b64decode

import pytest

from evalharness.report.html.rendering import PHOTOS, Page
from evalharness.report.html.thumbnails import Thumbnail


@pytest.mark.parametrize(
    "jpegs", [[], [b"a"], [None, b"\xff\xd8three"], [b"", b"four", b"fiver", None]], ids=["none", "one", "gone", "more"]
)
def test_a_page_says_its_size_before_it_is_written(tmp_path, jpegs):
    page = Page(f"<p>花</p>{PHOTOS}<b>", [None if jpeg is None else Thumbnail(jpeg, 1.0) for jpeg in jpegs])
    page.write(tmp_path / "page.html")
    written = (tmp_path / "page.html").read_bytes()
    assert page.num_bytes == len(written)
    listed = json.loads(written.decode().removeprefix("<p>花</p>").removesuffix("<b>"))
    assert [None if text is None else b64decode(text) for text in listed] == jpegs
