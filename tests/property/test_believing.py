"""Bounds and ranks of the judge against slow enumeration and SciPy's distributions."""

from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from evalharness.believing import Evidence
from evalharness.believing.evidence import Space
from evalharness.believing.neighbours import Neighbours
from evalharness.believing.novelty import Novelty
from evalharness.believing.threshold import choose_threshold, error_p_value, error_upper_bound, num_without_error


@given(st.integers(1, 40), st.data(), st.floats(0.01, 0.5))
def test_the_p_value_is_the_sum_of_the_binomial_terms(num, data, rate):
    wrong = data.draw(st.integers(0, num))
    terms = sum(comb(num, k) * rate**k * (1 - rate) ** (num - k) for k in range(wrong + 1))
    assert error_p_value(wrong, num, rate) == pytest.approx(terms)
    assert error_p_value(wrong, num, rate) == pytest.approx(binom.cdf(wrong, num, rate))


@given(st.integers(1, 300), st.data(), st.floats(0.5, 0.99))
def test_the_upper_bound_is_the_rate_at_which_so_few_errors_are_just_as_rare(num, data, confidence):
    wrong = data.draw(st.integers(0, num - 1))
    bound = error_upper_bound(wrong, num, confidence)
    assert error_p_value(wrong, num, bound) == pytest.approx(1 - confidence, abs=1e-6)
    assert bound == pytest.approx(beta.ppf(confidence, wrong + 1, num - wrong))


@given(st.floats(0.005, 0.5), st.floats(0.5, 0.99))
def test_so_many_without_an_error_do_and_one_fewer_does_not(rate, confidence):
    needed = num_without_error(rate, confidence)
    assert error_p_value(0, needed, rate) <= (1 - confidence) * (1 + 1e-6)
    assert error_p_value(0, needed - 1, rate) > (1 - confidence) * (1 - 1e-6)


def test_two_per_cent_at_ninety_take_114():
    assert num_without_error(0.02, 0.9) == 114


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**16), st.sampled_from([0.1, 0.2]), st.sampled_from([0.8, 0.9]))
def test_what_is_chosen_passes_the_bound_and_does_not_depend_on_the_order(seed, rate, confidence):
    generator = np.random.default_rng(seed)
    num = 120
    scores, units = generator.random(num).round(2), generator.integers(0, 80, num)
    wrong = generator.random(num) < scores * 0.4
    found = choose_threshold(scores, wrong, units, max_error=rate, confidence=confidence)
    order = generator.permutation(num)
    again = choose_threshold(scores[order], wrong[order], units[order], max_error=rate, confidence=confidence)
    assert found == again
    if found.limit is not None:
        believed = scores <= found.limit
        assert found.num_groups == len(set(units[believed]))
        assert found.num_wrong_groups == len(set(units[believed & wrong]))
        assert found.upper_bound <= rate + 1e-9


def test_the_error_rate_of_the_whole_choice_by_enumeration():
    """Twelve photos in the order of their risk, all wrong with the same probability just above what is allowed."""
    rate, confidence, num = 0.3, 0.8, 12
    scores, units = np.arange(num, dtype=float), np.arange(num)
    promised = sum(
        rate ** sum(wrong) * (1 - rate) ** (num - sum(wrong))
        for wrong in product((0, 1), repeat=num)
        if choose_threshold(scores, np.array(wrong, bool), units, max_error=rate, confidence=confidence).limit
        is not None
    )
    assert promised <= 1 - confidence


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**16))
def test_the_rank_of_a_photo_is_that_among_all_with_it_counted_in(seed):
    """Full conformal: every photo scored among all the others, the new one included, by the larger of two distances."""
    generator = np.random.default_rng(seed)
    spaces = [generator.normal(size=(31, size)) * generator.uniform(0.5, 3, (31, 1)) for size in (3, 2)]
    known = Novelty(tuple(Neighbours.of(points[:-1], np.arange(30)) for points in spaces))
    distances = [own.distances(points[-1:]) for own, points in zip(known.spaces, spaces, strict=True)]
    alone = np.array([-1])
    (p_value,) = known.p_values(known.scores(distances, alone), distances, alone)
    scores = []
    for points in spaces:
        table = np.linalg.norm(points[:, None] - points, axis=2)
        means = np.array([np.sort(np.delete(row, place))[:5].mean() for place, row in enumerate(table)])
        among = np.array([np.sort(np.delete(row[:-1], place))[:5].mean() for place, row in enumerate(table[:-1])])
        scores.append(means / np.quantile(among, 0.99))
    larger = np.max(scores, axis=0)
    assert p_value == pytest.approx(np.mean(larger >= larger[-1] - 1e-9))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**16), st.integers(6, 30))
def test_the_rank_of_an_evaluated_photo_is_that_among_other_groups_each_counting_one(seed, num_groups):
    generator = np.random.default_rng(seed)
    units = np.concatenate([np.arange(num_groups), generator.integers(0, num_groups, 20)])
    points = generator.normal(size=(len(units), 3))
    known = Novelty((Neighbours.of(points, units),))
    scores = known.own_scores
    for place, p_value in enumerate(known.own_p_values()):
        parts = [
            np.mean(scores[units == unit] >= scores[place] - 1e-9) for unit in range(num_groups) if unit != units[place]
        ]
        assert p_value == pytest.approx((1 + sum(parts)) / num_groups)


@pytest.mark.parametrize(("num", "width"), [(100, 8), (200, 64), (200, 192), (400, 768)])
def test_new_photos_are_as_rarely_unlike_as_is_said_however_many_features_there_are(num, width):
    """Of as many again from the same source, not of the photos that the judge was fitted on."""
    generator = np.random.default_rng(width)
    mixing = generator.normal(size=(width, width)) * np.geomspace(1, 0.01, width)

    def draw(count):
        texture = generator.normal(0, 0.3, (count, 7)).astype(np.float32)
        return Evidence(
            np.zeros((count, 2)), (generator.normal(size=(count, width)) @ mixing).astype(np.float32), texture
        )

    known, units = draw(num), np.arange(num)
    space = Space.of(known)
    novelty = Novelty(tuple(Neighbours.of(values, units) for values in space.place(known)))
    new = space.place(draw(2000))
    distances = [own.distances(values) for own, values in zip(novelty.spaces, new, strict=True)]
    copied = np.full(2000, -1)
    p_values = novelty.p_values(novelty.scores(distances, copied), distances, copied)
    for level in (0.01, 0.05, 0.2):
        # The evaluated photos are a sample themselves: what is exceeded by chance once in a thousand times.
        promised = beta.ppf(0.999, max(1, np.floor(level * (num + 1))), num + 1 - np.floor(level * (num + 1)))
        assert np.mean(p_values <= level) <= promised


def test_the_texture_is_made_uncorrelated_and_of_variance_one():
    generator = np.random.default_rng(0)
    texture = generator.normal(size=(400, 7)) * generator.uniform(0.5, 2, 7)
    evidence = Evidence(np.zeros((400, 2)), np.zeros((400, 3), np.float32), texture.astype(np.float32))
    # But for differences below 3 %, which count for nothing.
    np.testing.assert_allclose(np.cov(Space.of(evidence).place(evidence).texture.T), np.eye(7), atol=0.01)


def test_features_that_are_not_finite_tell_nothing():
    features = np.ones((50, 3), np.float32)
    features[7] = np.inf
    assert Space.of(Evidence(np.zeros((50, 2)), features, np.ones((50, 7), np.float32))) is None
