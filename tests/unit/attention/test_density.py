"""Densities by hand."""

import numpy as np

from evalharness.attention import to_density


def test_one_is_an_average_patch():
    density, sums = to_density(np.array([[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 8.0], [1.0, 2.0, 3.0, 4.0]]))
    np.testing.assert_allclose(density, [[1, 1, 1, 1], [0, 0, 0, 4], [0.4, 0.8, 1.2, 1.6]], rtol=1e-6)
    np.testing.assert_allclose(sums, [4, 8, 10])


def test_maps_without_a_usable_sum_are_nan_and_leave_the_others_alone():
    with np.errstate(all="raise"):
        density, sums = to_density(np.array([[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0], [1.0, 3.0]]))
    assert np.isnan(density[:3]).all()
    np.testing.assert_allclose(density[3], [0.5, 1.5])
    assert sums[0] == 0
    assert np.isnan(sums[1])


def test_density_does_not_depend_on_the_scale_of_the_relevance():
    values = np.random.default_rng(0).random((5, 9))
    np.testing.assert_allclose(to_density(values)[0], to_density(values * 1e-12)[0], rtol=1e-6)
