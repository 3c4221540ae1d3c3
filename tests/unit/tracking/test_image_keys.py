"""Keys under which MLflow shows the overlays of several runs beside each other."""

import re

import pytest

from evalharness.slugs import ascii_slug, slug
from evalharness.tracking.results_upload import MAX_IMAGE_KEY, _image_key

MAP_IDS = ("libra", "libra.true", "grad_attention.bara-7b8a57af35")
TAKEN = r"[a-zA-Z0-9_\-./ ]+"
"""By `log_image`."""


@pytest.mark.parametrize(
    ("stem", "key"),
    [
        ("roses.0001.jpg.libra", "overlay/libra/roses.0001.jpg"),
        ("roses.0001.jpg.libra.true", "overlay/libra.true/roses.0001.jpg"),
        ("oxeye daisy.a.grad_attention.bara-7b8a57af35", "overlay/grad_attention.bara-7b8a57af35/oxeye daisy.a"),
        ("バラ.0001.jpg.libra", "overlay/libra/bara-7b8a57af35.0001.jpg"),
        (
            f"薔薇.{slug('写真/バラ 1.jpg')}.libra",
            f"overlay/libra/{ascii_slug('薔薇')}.{ascii_slug('写真/バラ 1.jpg')}",
        ),
    ],
)
def test_a_key_has_the_map_then_class_and_row_in_ascii(stem, key):
    assert _image_key(stem, MAP_IDS) == key
    assert re.fullmatch(TAKEN, key)


def test_long_names_are_shortened_and_stay_apart():
    long = "n" * 60
    stems = [f"{long}.{slug(f'photos/{long}/{number}.jpg')}.libra" for number in range(3)]
    keys = {_image_key(stem, MAP_IDS) for stem in stems}
    assert len(keys) == 3
    assert max(map(len, keys)) <= MAX_IMAGE_KEY
