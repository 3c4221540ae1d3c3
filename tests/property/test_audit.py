"""Properties of the audit's measures, for any map, region and placement."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from evalharness.audit import (
    NOISE_MEASURES,
    control_threshold,
    erase,
    grid_coverage,
    measure_looks,
    place_mask,
    plan_erasure,
)
from evalharness.dataset import place

GRID = (3, 4, 5)
part = st.floats(0, 1, width=32)
maps = st_numpy.arrays(np.float64, GRID, elements=st.floats(0, 1e3, allow_subnormal=False))
coverages = st_numpy.arrays(np.float64, GRID, elements=part)
masks = st_numpy.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@given(coverages, st.floats(0.01, 100))
def test_an_even_map_has_lift_one(coverage, level):
    looks = measure_looks(np.full(GRID, level), coverage)
    defined = ~np.isnan(looks.lift)
    np.testing.assert_allclose(looks.lift[defined], 1)
    ranked = looks.auc[~np.isnan(looks.auc)]
    np.testing.assert_allclose(ranked, 0.5)


@given(maps, coverages)
def test_shares_of_a_region_and_of_the_rest_sum_to_one(heat, coverage):
    inside, outside = measure_looks(heat, coverage), measure_looks(heat, 1 - coverage)
    defined = ~np.isnan(inside.share) & ~np.isnan(outside.share)
    np.testing.assert_allclose(inside.share[defined] + outside.share[defined], 1)
    np.testing.assert_allclose(inside.area + outside.area, 1)


@given(maps, coverages, st.integers(-8, 8))
def test_the_scale_of_a_map_changes_nothing(heat, coverage, exponent):
    assume(((heat == 0) | (heat > 1e-100)).all())
    # Powers of two, so that ties stay ties.
    first, second = measure_looks(heat, coverage), measure_looks(heat * 2.0**exponent, coverage)
    for name in ("share", "lift", "pointing", "rank_accuracy", "auc"):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name))
    for measure in NOISE_MEASURES.values():
        np.testing.assert_allclose(measure(heat), measure(heat * 2.0**exponent), atol=1e-9)


@given(maps, coverages)
def test_measures_stay_in_their_range(heat, coverage):
    looks = measure_looks(heat, coverage)
    for name in ("share", "area", "pointing", "rank_accuracy", "auc"):
        values = getattr(looks, name)
        values = values[~np.isnan(values)]
        assert ((values >= -1e-9) & (values <= 1 + 1e-9)).all(), name


@given(maps, coverages, st.permutations(range(GRID[0])))
def test_images_do_not_matter_to_each_other(heat, coverage, order):
    together, alone = measure_looks(heat, coverage), measure_looks(heat[order], coverage[order])
    np.testing.assert_allclose(together.share[order], alone.share)
    np.testing.assert_allclose(together.auc[order], alone.auc)


@given(maps, coverages, coverages)
def test_what_lies_under_ignored_patches_does_not_matter(heat, coverage, noise):
    ignored = np.zeros(GRID)
    ignored[:, 1] = 1
    coverage = np.where(ignored == 1, 0, coverage)
    changed = np.where(ignored == 1, noise * 500, heat)
    first, second = measure_looks(heat, coverage, ignored), measure_looks(changed, coverage, ignored)
    for name in ("share", "area", "pointing", "rank_accuracy", "auc"):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), err_msg=name)


@given(masks, st.tuples(st.integers(1, 20), st.integers(1, 20)))
def test_squashing_keeps_the_covered_part(mask, image_size):
    coverage = place_mask(mask, place(mask.shape, image_size, "squash"))
    np.testing.assert_allclose(coverage.mean(), mask.mean(), atol=1e-5)
    assert ((coverage >= 0) & (coverage <= 1)).all()


@given(masks, st.tuples(st.integers(1, 20), st.integers(1, 20)), st.sampled_from(["squash", "crop", "pad"]))
def test_coverages_of_a_region_and_of_the_rest_sum_to_the_photo(mask, image_size, resize):
    placement = place(mask.shape, image_size, resize)
    whole = place_mask(np.ones_like(mask), placement)
    np.testing.assert_allclose(place_mask(mask, placement) + place_mask(~mask, placement), whole, atol=1e-5)


@given(st_numpy.arrays(np.float64, (12, 8), elements=part), st.sampled_from([(3, 2), (1, 1), (12, 8), (4, 8)]))
def test_patches_keep_the_covered_part(coverage, grid_size):
    np.testing.assert_allclose(grid_coverage(coverage, grid_size).mean(), coverage.mean(), atol=1e-12)


@given(st_numpy.arrays(np.bool_, (16, 14)), st_numpy.arrays(np.bool_, (16, 14)), st.text(max_size=5))
def test_controls_are_where_they_may_be(region, others, row_id):
    occupied = region | others
    erasure = plan_erasure(region.astype(float), occupied, row_id=row_id, category="dog")
    assert (erasure.pixels | ~region).all()
    assert (erasure.status == "ok") == bool(erasure.offsets)
    for index in range(len(erasure.offsets)):
        control = erasure.control(index)
        assert control.sum() == erasure.pixels.sum()
        assert not (control & occupied).any()


@given(
    st_numpy.arrays(np.uint8, (10, 9, 3)),
    st_numpy.arrays(np.bool_, (10, 9)),
    st.sampled_from(["mean", "blur", "inpaint"]),
)
def test_erasing_leaves_the_rest_alone(image, pixels, fill):
    assume(not pixels.all())
    np.testing.assert_array_equal(erase(image, pixels, fill)[~pixels], image[~pixels])


@given(st_numpy.arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=st.floats(-5, 5)))
def test_at_most_one_in_twenty_controls_lies_above_the_threshold(controls):
    threshold = control_threshold(controls)
    if controls.size < 19:
        assert np.isnan(threshold.value)
    else:
        assert (controls > threshold.value).mean() <= 0.05
