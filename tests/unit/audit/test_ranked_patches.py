"""Patches that are ignored by exactly half are neither inside nor outside."""

import numpy as np
import pytest

from evalharness.audit import measure_looks

NAMES = ("pointing", "rank_accuracy", "auc")


def ranks_by_loop(heat, coverage, ignored):
    """Pointing, rank accuracy and AUC of a map without ties, patch by patch."""
    counted = [place for place in np.ndindex(heat.shape) if ignored[place] < 0.5]
    inside = [place for place in counted if coverage[place] >= 0.5]
    outside = [place for place in counted if place not in inside]
    hottest = sorted(counted, key=lambda place: -heat[place])
    wins = [heat[one] > heat[other] for one in inside for other in outside]
    return hottest[0] in inside, np.mean([place in inside for place in hottest[: len(inside)]]), np.mean(wins)


def test_the_hottest_patch_does_not_count_if_half_of_it_is_ignored():
    heat, coverage = np.array([[[9.0, 4.0], [3.0, 1.0]]]), np.array([[[0.0, 1.0], [0.0, 0.0]]])
    for part, expected in ((0.5, (1, 1, 1)), (0.49, (0, 0, 2 / 3)), (0.51, (1, 1, 1))):
        looks = measure_looks(heat, coverage, np.array([[[part, 0.0], [0.0, 0.0]]]))
        assert [getattr(looks, name)[0] for name in NAMES] == pytest.approx(expected)


def test_a_region_on_every_patch_that_is_left_has_no_ranks():
    coverage, ignored = np.array([[[0.25, 1.0]]]), np.array([[[0.5, 0.0]]])
    looks = measure_looks(np.array([[[1.0, 2.0]]]), coverage, ignored)
    assert looks.lift[0] == pytest.approx((0.25 + 2) / (0.5 + 2) / (1.25 / 1.5))
    assert np.isnan([getattr(looks, name)[0] for name in NAMES]).all()


def test_patches_ignored_by_quarters_are_those_of_a_loop():
    generator = np.random.default_rng(0)
    heat = generator.permuted(np.tile(np.arange(1.0, 21), (50, 1)), axis=1).reshape(50, 4, 5)
    ignored = generator.choice([0, 0.25, 0.5, 0.75, 1], (50, 4, 5), p=[0.4, 0.15, 0.25, 0.1, 0.1])
    coverage = np.where(generator.random((50, 4, 5)) < 0.4, 1 - ignored, 0)
    expected = np.array([ranks_by_loop(*image) for image in zip(heat, coverage, ignored, strict=True)])
    looks = measure_looks(heat, coverage, ignored)
    np.testing.assert_allclose(np.stack([getattr(looks, name) for name in NAMES], axis=1), expected)
