import numpy as np
import pytest
from PIL import ExifTags, Image

from evalharness.audit import grid_coverage, grid_mask, place_mask, place_regions
from evalharness.audit.geometry import resample, turn_upright
from evalharness.config import DatasetConfig
from evalharness.dataset import load_image, place

TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def box(size, top, bottom, left, right):
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def slow_coverage(mask, placement, fine=12):
    """Each pixel of the input by an even raster of points in it, looked up in the photo."""
    height, width = placement.image_size
    steps = (np.arange(fine) + 0.5) / fine
    covered = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            points = np.array([(column + x, row + y) for y in steps for x in steps])
            x, y = np.floor(placement.to_photo(points)).astype(int).T
            inside = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
            covered[row, column] = mask[y[inside], x[inside]].sum() / fine**2
    return covered


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
def test_coverage_equals_a_raster_of_points(resize):
    mask = np.random.default_rng(1).random((9, 16)) > 0.6
    placement = place(mask.shape, (6, 8), resize)
    np.testing.assert_allclose(place_mask(mask, placement), slow_coverage(mask, placement, 24), atol=0.03)


def test_partial_overlap_counts_by_area():
    # Halved in both directions: the first three columns of four become one and a half.
    coverage = place_mask(box((4, 4), 0, 4, 0, 3), place((4, 4), (2, 2), "squash"))
    np.testing.assert_array_equal(coverage, [[1, 0.5], [1, 0.5]])


def test_a_region_thinner_than_a_pixel_stays():
    coverage = place_mask(box((1000, 1000), 500, 501, 500, 501), place((1000, 1000), (10, 10), "squash"))
    assert coverage[5, 5] == pytest.approx(1e-4)
    assert np.count_nonzero(coverage) == 1


def test_what_is_cropped_is_gone_and_padding_is_empty():
    whole = np.ones((4, 8), bool)
    np.testing.assert_array_equal(place_mask(whole, place((4, 8), (4, 4), "crop")), np.ones((4, 4)))
    np.testing.assert_array_equal(place_mask(box((4, 8), 0, 4, 0, 2), place((4, 8), (4, 4), "crop")), np.zeros((4, 4)))
    padded = place_mask(whole, place((4, 8), (4, 4), "pad"))
    np.testing.assert_array_equal(padded, [[0] * 4, [1] * 4, [1] * 4, [0] * 4])


@pytest.mark.parametrize("orientation", TRANSPOSITIONS)
def test_rotation_is_that_of_the_image(orientation):
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3)
    expected = np.asarray(Image.fromarray(stored).transpose(TRANSPOSITIONS[orientation]))
    np.testing.assert_array_equal(turn_upright(stored, orientation), expected)


def test_a_rotated_region_lands_where_its_pixels_land():
    stored = box((6, 10), 1, 3, 2, 7)
    upright = np.asarray(Image.fromarray(stored.astype(np.uint8) * 255).transpose(TRANSPOSITIONS[6])) > 0
    placement = place((10, 6), (5, 5), "crop")
    np.testing.assert_array_equal(place_mask(stored, placement, orientation=6), place_mask(upright, placement))


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_region_lands_where_the_loader_puts_its_pixels(orientation, resize, tmp_path):
    stored = box((60, 100), 11, 33, 20, 71)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(stored.astype(np.uint8) * 255).save(tmp_path / "1.png", exif=exif)
    config = DatasetConfig(csv=tmp_path / "x.csv", resize=resize, exif="apply", filter="box")
    loaded = load_image(tmp_path / "1.png", image_size=(24, 32), config=config)[..., 0] / 255
    photo_size = (100, 60) if orientation >= 5 else (60, 100)
    coverage = place_mask(stored, place(photo_size, (24, 32), resize), orientation=orientation)
    # Pillow's box filter takes whole pixels only.
    np.testing.assert_allclose(coverage, loaded, atol=0.26)
    np.testing.assert_allclose(coverage.mean(), loaded.mean(), atol=0.01)
    assert np.corrcoef(coverage.ravel(), loaded.ravel())[0, 1] > 0.98


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        place_mask(np.ones((6, 10), bool), place((10, 6), (5, 5), "crop"))


def test_ignore_beats_distractor_beats_object():
    masks = {
        "tulips": box((4, 4), 0, 4, 0, 4),
        "dog": box((4, 4), 0, 4, 1, 4),
        "cat": box((4, 4), 0, 2, 1, 4),
        "glare": box((4, 4), 0, 4, 2, 4),
    }
    roles = {"tulips": "object", "dog": "distractor", "cat": "distractor", "glare": "ignore"}
    regions = place_regions(masks, roles, place((4, 4), (4, 4), "squash"))
    np.testing.assert_array_equal(regions.mask("tulips"), box((4, 4), 0, 4, 0, 1))
    np.testing.assert_array_equal(regions.mask("dog"), box((4, 4), 0, 4, 1, 2))
    np.testing.assert_array_equal(regions.mask("cat"), box((4, 4), 0, 2, 1, 2))
    np.testing.assert_array_equal(regions.ignored, box((4, 4), 0, 4, 2, 4))
    np.testing.assert_array_equal(regions.occupied, box((4, 4), 0, 4, 0, 2))
    assert regions.photo_pixels.all()


def test_photo_pixels_leave_out_padding():
    regions = place_regions({}, {}, place((4, 8), (4, 4), "pad"))
    np.testing.assert_array_equal(regions.photo_pixels, box((4, 4), 1, 3, 0, 4))
    assert not regions.occupied.any()
    assert not regions.ignored.any()


def test_patches_by_average():
    coverage = np.zeros((4, 6))
    coverage[0, 0] = coverage[1, 1] = 1
    coverage[2:, 3:] = 0.5
    np.testing.assert_allclose(grid_coverage(coverage, (2, 2)), [[2 / 6, 0], [0, 0.5]])
    np.testing.assert_allclose(grid_coverage(coverage[None], (2, 3))[0], [[0.5, 0, 0], [0, 0.25, 0.5]])


def test_grid_mask_takes_half_or_the_best():
    coverage = np.array([[[0.5, 0.49], [1.0, 0.0]], [[0.1, 0.3], [0.3, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    expected = [[[True, False], [True, False]], [[False, True], [False, False]], [[False, False], [False, False]]]
    np.testing.assert_array_equal(grid_mask(coverage), expected)


def test_grid_mask_leaves_out_ignored_patches():
    coverage, ignored = np.array([[[0.5, 0.2]]]), np.array([[[0.5, 0.4]]])
    np.testing.assert_array_equal(grid_mask(coverage, ignored), [[[False, True]]])


def test_resampling_averages_areas():
    values = np.array([[0.0, 3.0, 6.0]])
    np.testing.assert_allclose(resample(values, (1, 2)), [[1, 5]])
    np.testing.assert_allclose(resample(values, (2, 6)), [[0, 0, 3, 3, 6, 6]] * 2)
