"""Maps of two runs beside each other."""

import numpy as np
import pytest
from made_up_runs import made_up_run
from scipy.stats import spearmanr

from evalharness.attention import METHODS
from evalharness.audit import Resampling
from evalharness.comparison import coarser_grid, compare_maps, describe_maps, to_grid, why_same
from evalharness.comparison.maps import BASELINES, CLASS_AGNOSTIC

RESAMPLING = Resampling(200, 0.95, 1)


def compare(reference, maps, flipped=(), **values):
    return compare_maps(
        "rollout", reference, maps, name="second", flipped=np.array(flipped, int), groups=None, resampling=RESAMPLING,
        **values,
    )  # fmt: skip


def test_similarity_is_spearmans_correlation_of_each_image():
    generator = np.random.default_rng(0)
    first, second = generator.random((2, 5, 4, 3))
    found = compare(first, second, flipped=[1, 3])
    by_hand = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(found.similarity, by_hand)
    assert found.mean.value == pytest.approx(np.mean(by_hand))
    assert found.mean_flipped == pytest.approx(np.mean([by_hand[1], by_hand[3]]))
    assert found.mean_others == pytest.approx(np.mean([by_hand[0], by_hand[2], by_hand[4]]))


def test_a_finer_map_is_averaged_to_the_coarser_grid():
    coarse = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    fine = coarse.repeat(2, axis=1).repeat(2, axis=2)
    fine[0, 0, 0], fine[0, 0, 1] = 0.5, 1.5
    np.testing.assert_allclose(to_grid(fine, (2, 2)), [[[1.0, 2.0], [3.0, 4.0]]])
    found = compare(coarse, fine)
    assert found.grid_size == (2, 2)
    assert found.similarity.tolist() == [1.0]


def test_grids_that_do_not_divide_each_other_share_areas():
    maps = np.array([[[1.0, 2.0, 6.0]]])
    # The middle patch is halved.
    np.testing.assert_allclose(to_grid(maps, (1, 2)), [[[(1 + 1) / 1.5, (1 + 6) / 1.5]]])
    np.testing.assert_allclose(to_grid(maps, (1, 2)).mean(), maps.mean())
    assert coarser_grid([(4, 6), (5, 3)]) == (4, 3)


def test_a_map_that_is_not_defined_is_counted_and_left_out():
    first = np.random.default_rng(0).random((3, 4, 4))
    first[1] = np.nan
    found = compare(first, first.repeat(2, axis=1))
    assert found.num_undefined == 1
    assert np.isnan(found.similarity[1])
    assert found.mean.value == pytest.approx(1)


def test_which_maps_cannot_differ():
    first, second = made_up_run(), made_up_run("second")
    for method, entry in METHODS.items():
        is_same = why_same(method, first, second) is not None
        assert is_same == (entry.needs in ("attention", "nothing")), method
    assert {name for name, entry in METHODS.items() if entry.needs == "attention"} == set(CLASS_AGNOSTIC)
    assert {name for name, entry in METHODS.items() if entry.needs == "nothing"} == set(BASELINES)
    assert why_same("rollout", first, made_up_run("second", backbone_sha256="c")) is None
    other_input = {**first.settings, "input.preprocessing": "vit"}
    assert why_same("rollout", first, made_up_run("second", settings=other_input)) is None


def test_it_is_said_that_maps_cannot_differ():
    maps = np.random.default_rng(0).random((3, 4, 4))
    reason = why_same("rollout", made_up_run(), made_up_run("second"))
    (sentence,) = describe_maps([compare(maps, maps, same_by_construction=reason)])
    assert "identical by construction" in sentence
    (sentence,) = describe_maps([compare(maps, maps)])
    assert "correlation with the reference 1.00" in sentence
