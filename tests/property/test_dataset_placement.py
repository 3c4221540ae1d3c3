"""Properties of the resizing geometry and of the stratified limit, for any sizes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evalharness.dataset import place
from evalharness.dataset.stratified_limit import allocate

sides = st.integers(1, 3000)
sizes = st.tuples(sides, sides)
policies = st.sampled_from(["squash", "crop", "pad"])


@given(sizes, sizes, policies, st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_mapping_there_and_back(photo_size, image_size, resize, fraction):
    placement = place(photo_size, image_size, resize)
    point = np.array([[fraction[0] * photo_size[1], fraction[1] * photo_size[0]]])
    np.testing.assert_allclose(placement.to_photo(placement.to_image(point)), point, rtol=1e-9, atol=1e-6)


@given(sizes, sizes)
def test_crop_leaves_no_canvas_uncovered(photo_size, image_size):
    placement = place(photo_size, image_size, "crop")
    for start, scaled, side in zip(
        (placement.top, placement.left), placement.scaled_size, placement.image_size, strict=True
    ):
        assert start <= 0
        assert start + scaled >= side
    assert any(s == i for s, i in zip(placement.scaled_size, image_size, strict=True))


@given(sizes, sizes)
def test_pad_keeps_the_whole_photo_on_the_canvas(photo_size, image_size):
    placement = place(photo_size, image_size, "pad")
    for start, scaled, side in zip(
        (placement.top, placement.left), placement.scaled_size, placement.image_size, strict=True
    ):
        assert start >= 0
        assert scaled >= 1
        assert start + scaled <= side


@given(sizes, sizes, st.sampled_from(["crop", "pad"]))
def test_both_axes_have_one_scale_up_to_a_pixel(photo_size, image_size, resize):
    placement = place(photo_size, image_size, resize)
    deviations = [
        abs(placement.scaled_size[1 - axis] - photo_size[1 - axis] * image_size[axis] / photo_size[axis])
        for axis in (0, 1)
        if placement.scaled_size[axis] == image_size[axis]
    ]
    assert min(deviations) < 1


@given(st.dictionaries(st.text(max_size=2), st.integers(1, 50), min_size=1, max_size=6), st.integers(0, 400))
def test_allocation(counts, limit):
    sizes_by_label = allocate(counts, limit)
    total = sum(counts.values())
    assert sum(sizes_by_label.values()) == min(limit, total)
    for label, count in counts.items():
        assert 0 <= sizes_by_label[label] <= count
        if limit < total:
            assert abs(sizes_by_label[label] - limit * count / total) < 1
