"""How unlike an image is, against explicit distances."""

import numpy as np
import pytest

from evalharness.audit.novelty import NUM_NEIGHBOURS, Neighbourhood, place_among


def test_scores_are_mean_distances_to_the_nearest_others():
    features = np.random.default_rng(0).normal(size=(30, 4))
    new = np.random.default_rng(1).normal(size=(3, 4))
    found = Neighbourhood.of(features)
    distances = np.linalg.norm(features[:, None] - features[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_allclose(found.scores, np.sort(distances, axis=1)[:, :NUM_NEIGHBOURS].mean(axis=1))
    to_new = np.sort(np.linalg.norm(new[:, None] - features[None], axis=2), axis=1)
    np.testing.assert_allclose(found.score(new), to_new[:, :NUM_NEIGHBOURS].mean(axis=1))


def test_what_is_far_away_is_beyond_all_and_what_is_central_is_not():
    features = np.random.default_rng(0).normal(size=(200, 8))
    found = Neighbourhood.of(features)
    far, near = place_among(found.scores, found.score(np.stack([np.full(8, 20.0), np.zeros(8)])))
    assert far == 1
    assert near < 0.2


def test_places_are_parts_below():
    np.testing.assert_array_equal(place_among(np.array([3.0, 1.0, 2.0, 2.0]), np.array([0.0, 2.0, 9.0])), [0, 0.25, 1])
    assert np.isnan(place_among(np.array([1.0]), np.array([np.nan]))).all()


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="too few"):
        Neighbourhood.of(np.zeros((5, 2)))
