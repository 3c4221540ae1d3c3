"""The maps that know nothing of the model."""

import numpy as np
import pytest

from evalharness.attention.baselines import center_maps, random_maps

ROW_IDS = ["test/roses/1.jpg", "test/roses/2.jpg", "試験/バラ.jpg"]


def test_noise_belongs_to_its_row_and_not_to_its_batch():
    together = random_maps(ROW_IDS, (6, 4))
    assert together.shape == (3, 24)
    np.testing.assert_array_equal(random_maps(ROW_IDS[::-1], (6, 4)), together[::-1])
    for number, row_id in enumerate(ROW_IDS):
        np.testing.assert_array_equal(random_maps([row_id], (6, 4))[0], together[number])
    np.testing.assert_array_equal(random_maps([ROW_IDS[0]] * 2, (6, 4)), together[[0, 0]])


def test_noise_differs_between_rows_and_is_uniform():
    noise = random_maps([f"row {number}" for number in range(200)], (6, 4))
    assert len(np.unique(noise)) == noise.size
    assert 0 <= noise.min() < 0.01
    assert 0.99 < noise.max() < 1
    # Deviations of a mean and of a variance of 4800 uniform numbers, five standard errors wide.
    assert abs(noise.mean() - 1 / 2) < 5 * np.sqrt(1 / 12 / noise.size)
    assert abs(noise.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / noise.size)
    correlations = np.corrcoef(noise)[np.triu_indices(200, k=1)]
    assert abs(correlations.mean()) < 0.01


def test_noise_is_seeded_by_the_bytes_of_the_row_id_alone():
    # A row id that a broken file name gives is a key as any other.
    assert np.isfinite(random_maps(["\udce9.jpg"], (2, 2))).all()
    assert (random_maps(["a"], (2, 2)) != random_maps(["A"], (2, 2))).all()


@pytest.mark.parametrize("grid_size", [(6, 4), (4, 6), (5, 5), (7, 2)])
def test_center_is_a_gaussian_in_the_middle_the_right_way_round(grid_size):
    rows, columns = grid_size
    values = center_maps(["a", "b"], grid_size).reshape(2, rows, columns)
    np.testing.assert_array_equal(values[0], values[1])
    values = values[0]
    np.testing.assert_allclose(values, values[::-1], rtol=1e-12)
    np.testing.assert_allclose(values, values[:, ::-1], rtol=1e-12)
    assert (np.diff(values[: (rows + 1) // 2], axis=0) > 0).all()
    assert (np.diff(values[:, : (columns + 1) // 2], axis=1) > 0).all()
    assert 0 < values.min() < values.max() <= 1
    for row, column in np.ndindex(grid_size):
        # Distance from the middle in units of the side; standard deviation a quarter.
        down, right = (row + 0.5) / rows - 0.5, (column + 0.5) / columns - 0.5
        assert values[row, column] == pytest.approx(np.exp(-8 * (down**2 + right**2)))


def test_center_on_an_odd_grid_is_one_in_the_middle():
    assert center_maps(["a"], (3, 5)).reshape(3, 5)[1, 2] == 1
