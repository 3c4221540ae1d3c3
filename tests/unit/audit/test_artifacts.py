import numpy as np

from evalharness.audit import find_outlier_tokens, mark_hot_patches, mask_outliers


def planted_norms():
    norms = np.random.default_rng(0).normal(10, 1, (2, 6, 6))
    norms[0, 1, 2] = norms[0, 5, 5] = 60
    return norms


def test_planted_outliers_are_found_and_nothing_else():
    expected = np.zeros((2, 6, 6), bool)
    expected[0, 1, 2] = expected[0, 5, 5] = True
    np.testing.assert_array_equal(find_outlier_tokens(planted_norms()), expected)


def test_both_conditions_are_needed():
    # MAD 0: anything above the median is far out, but not twice the median.
    close = np.full((1, 3, 3), 10.0)
    close[0, 0, 0] = 19.9
    assert not find_outlier_tokens(close).any()
    close[0, 0, 0] = 20.1
    assert find_outlier_tokens(close)[0, 0, 0]
    # More than twice the median, but the norms are spread so widely that it is no outlier.
    spread = np.array([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 12.0]]])
    assert not find_outlier_tokens(spread).any()


def test_threshold_by_hand():
    # Median 4, absolute deviations 3 2 1 0 1 2 3: MAD 2. Far is above 4 + 5 * 1.4826 * 2 = 18.826.
    norms = np.array([[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 18.8]]])
    assert not find_outlier_tokens(norms).any()
    norms[0, 0, 6] = 18.9
    np.testing.assert_array_equal(find_outlier_tokens(norms)[0, 0], [False] * 6 + [True])


def test_norms_that_are_not_finite_mark_nothing():
    norms = planted_norms()
    norms[0, 0, 0] = np.nan
    assert not find_outlier_tokens(norms).any()


def test_hot_patches_are_artifact_or_content():
    density = np.array([[[3.5, 3.5], [3.0, 0.1]]])
    outliers = np.array([[[True, False], [True, False]]])
    np.testing.assert_array_equal(mark_hot_patches(density, outliers), [[["artifact", "content"], ["", ""]]])


def test_the_rest_is_scaled_to_a_density():
    maps = np.array([[[9.0, 1.0], [2.0, 3.0]]])
    outliers = np.array([[[True, False], [False, False]]])
    np.testing.assert_allclose(mask_outliers(maps, outliers), [[[np.nan, 0.5], [1, 1.5]]])


def test_nothing_is_left():
    outliers = np.array([[[True, False]], [[True, True]], [[False, False]]])
    maps = np.array([[[9.0, 0.0]], [[1.0, 1.0]], [[np.nan, 1.0]]])
    assert np.isnan(mask_outliers(maps, outliers)).all()
