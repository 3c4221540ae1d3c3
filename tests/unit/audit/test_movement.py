import numpy as np
import pytest

from evalharness.audit.movement import total_variation


def test_moving_a_quarter_of_a_map_is_a_quarter():
    before = np.array([[[4.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]], [[2.0, 2.0], [0.0, 0.0]]])
    after = np.array([[[3.0, 1.0], [0.0, 0.0]], [[9.0, 9.0], [9.0, 9.0]], [[0.0, 0.0], [0.0, 5.0]]])
    np.testing.assert_allclose(total_variation(before, after), [0.25, 0, 1])
    np.testing.assert_allclose(total_variation(after, before), [0.25, 0, 1])


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_map_that_is_not_defined_gives_nan(broken):
    maps = np.ones((3, 2, 2))
    others = np.ones((3, 2, 2))
    others[1, 0, 0] = broken
    maps[2] = 0
    distances = total_variation(maps, others)
    assert distances[0] == 0
    assert np.isnan(distances[1:]).all()
