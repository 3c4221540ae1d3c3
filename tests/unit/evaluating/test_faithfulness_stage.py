"""Where the stage says that a photo lies, which is what deletion and insertion rank and fill."""

import pytest

from evalharness.dataset import place
from evalharness.evaluating.stages.faithfulness.stage import _window


@pytest.mark.parametrize(
    ("photo_size", "resize", "window"),
    [
        ((100, 200), "pad", (slice(8, 24), slice(0, 32))),
        ((200, 100), "pad", (slice(0, 32), slice(8, 24))),
        ((100, 200), "squash", (slice(0, 32), slice(0, 32))),
        ((100, 200), "crop", (slice(0, 32), slice(0, 32))),
    ],
)
def test_the_window_is_the_photo(photo_size, resize, window):
    assert _window(place(photo_size, (32, 32), resize)) == window
