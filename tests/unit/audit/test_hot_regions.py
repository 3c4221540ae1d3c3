import numpy as np
import pytest

from evalharness.audit.hot_regions import crop_box, hottest_region


def density(values):
    """Rows of text: a digit is a patch's heat; scaled so that the mean is 1."""
    heat = np.array([[float(digit) for digit in row] for row in values.split()])
    return heat / heat.mean()


# Mean 20 / 20 = 1 per patch: 4 and more are hot. Two fours that touch at a corner outweigh a single six.
TWO = density("40060 04001 01000 00040")


def test_patches_that_touch_at_a_corner_hang_together_and_the_heaviest_region_wins():
    region = hottest_region(TWO)
    assert np.argwhere(region.patches).tolist() == [[0, 0], [1, 1]]
    assert region.share == pytest.approx(8 / 20)
    assert region.box == (0, 0.5, 0, 0.4)


def test_excluded_patches_do_not_count_and_do_not_join():
    excluded = np.zeros(TWO.shape, bool)
    excluded[1, 1] = True
    region = hottest_region(TWO, excluded)
    assert np.argwhere(region.patches).tolist() == [[0, 3]]
    assert region.share == pytest.approx(6 / 20)


@pytest.mark.parametrize("flat", [np.ones((3, 4)), np.zeros((3, 4)), np.full((3, 4), np.nan)])
def test_without_a_hot_patch_there_is_no_region(flat):
    assert hottest_region(flat) is None


def test_everything_excluded_leaves_no_region():
    assert hottest_region(TWO, np.ones(TWO.shape, bool)) is None


def test_the_crop_is_a_square_with_its_margin():
    # The box is 40 x 20 pixels around (50, 100); 25 % of 40 on each side make 60.
    assert crop_box((0.3, 0.7, 0.45, 0.55), (100, 200), margin=0.25, smallest=0) == (20, 80, 70, 130)


def test_the_crop_is_moved_inside_and_never_too_small():
    # 30 % of the shorter side, 30 pixels, around (5, 195), moved inside.
    assert crop_box((0.0, 0.1, 0.95, 1.0), (100, 200), margin=0, smallest=0.3) == (0, 30, 170, 200)
    # What lies outside the image, where a photo was padded, is cut away.
    assert crop_box((-0.5, 0.1, 0.9, 1.4), (100, 200), margin=0, smallest=0) == (0, 20, 180, 200)


def test_a_region_larger_than_the_image_gives_all_of_the_shorter_side():
    assert crop_box((0.0, 1.0, 0.0, 1.0), (100, 200), margin=0.25, smallest=0) == (0, 100, 0, 200)
