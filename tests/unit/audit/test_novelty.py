"""How unlike an image is: distances and p-values by loops and by hand, and how often an ordinary image is far."""

import numpy as np
import pytest

from evalharness.audit.novelty import NUM_NEIGHBOURS, Neighbourhood, conformal_p_values, num_to_tell


def loop_scores(features, groups):
    """Each image against those of other groups, one by one."""
    scores = []
    for own, group in zip(features, groups, strict=True):
        others = [np.linalg.norm(own - each) for each, other in zip(features, groups, strict=True) if other != group]
        scores.append(np.mean(sorted(others)[:NUM_NEIGHBOURS]))
    return scores


def test_scores_are_mean_distances_to_the_nearest_others():
    features = np.random.default_rng(0).normal(size=(30, 4))
    new = np.random.default_rng(1).normal(size=(3, 4))
    found = Neighbourhood.of(features)
    np.testing.assert_allclose(found.scores, loop_scores(features, range(30)))
    to_new = np.sort(np.linalg.norm(new[:, None] - features[None], axis=2), axis=1)
    np.testing.assert_allclose(found.score(new), to_new[:, :NUM_NEIGHBOURS].mean(axis=1))


def test_images_of_the_own_group_are_no_neighbours():
    generator = np.random.default_rng(0)
    groups = [f"scene {number}" for number in generator.integers(0, 9, 50)]
    features = generator.normal(size=(50, 3))
    np.testing.assert_allclose(Neighbourhood.of(features, groups).scores, loop_scores(features, groups))


def test_too_few_others_outside_the_own_group_cannot_be_scored():
    features = np.random.default_rng(0).normal(size=(24, 3))
    assert Neighbourhood.of(features, ["a"] * 20 + ["b"] * 4) is None
    assert Neighbourhood.of(features, ["a"] * 19 + ["b"] * 5) is not None


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="too few"):
        Neighbourhood.of(np.zeros((5, 2)))


def test_p_values_by_hand():
    stored, units = np.array([3.0, 1.0, 2.0, 2.0]), np.arange(4)
    # (1 + as high) / 5: all four; three, ties counting; none.
    np.testing.assert_allclose(conformal_p_values(stored, units, np.array([0.0, 2.0, 9.0])), [1, 4 / 5, 1 / 5])
    assert np.isnan(conformal_p_values(stored, units, np.array([np.nan]))).all()


def test_an_evaluated_image_is_placed_among_the_other_groups():
    stored, units = np.array([3.0, 1.0, 2.0, 2.0]), np.array([0, 0, 1, 2])
    # Image 0 against groups 1 and 2, of which none is as high: (1 + 0) / 3. A new one of 3: half of group 0 is as high.
    np.testing.assert_allclose(conformal_p_values(stored, units, stored[:1], [0]), [1 / 3])
    np.testing.assert_allclose(conformal_p_values(stored, units, np.array([3.0]), [None]), [(1 + 1 / 2) / 4])


def test_p_values_are_those_of_a_loop_over_groups():
    generator = np.random.default_rng(2)
    units = np.unique(generator.integers(0, 12, 40), return_inverse=True)[1]
    stored, values = generator.integers(0, 9, 40).astype(float), np.arange(-1.0, 11.0)
    own = [None, *(int(units[place]) for place in range(11))]
    expected = []
    for value, mine in zip(values, own, strict=True):
        rest = [unit for unit in range(units.max() + 1) if unit != mine]
        expected.append((1 + sum((stored[units == unit] >= value).mean() for unit in rest)) / (len(rest) + 1))
    np.testing.assert_allclose(conformal_p_values(stored, units, values, own), expected)


def test_it_takes_99_to_tell_one_per_cent():
    assert (num_to_tell(0.01), num_to_tell(1 - 0.99), num_to_tell(0.05), num_to_tell(1 - 0.95)) == (99, 99, 19, 19)
    stored = np.arange(99.0)
    assert conformal_p_values(stored, np.arange(99), np.array([200.0]))[0] == pytest.approx(0.01)
    assert conformal_p_values(stored[:98], np.arange(98), np.array([200.0]))[0] > 0.01


def rate_of_low_p_values(level, *, num_scenes, per_scene, num_draws=400, seed=0):
    """How often a new image of a new scene, drawn as all others, has a p-value up to the level."""
    generator = np.random.default_rng(seed)
    low = 0
    for _ in range(num_draws):
        scenes = generator.normal(size=(num_scenes + 1, 1, 4))
        sizes = generator.integers(1, per_scene + 1, num_scenes)
        images = scenes + 0.1 * generator.normal(size=(num_scenes + 1, per_scene, 4))
        features = np.concatenate([images[scene, :size] for scene, size in enumerate(sizes)])
        units = np.repeat(np.arange(num_scenes), sizes)
        found = Neighbourhood.of(features, [str(unit) for unit in units])
        low += conformal_p_values(found.scores, units, found.score(images[-1, :1]))[0] <= level + 1e-9
    return low / num_draws


@pytest.mark.parametrize("per_scene", [1, 6])
def test_an_ordinary_image_of_a_new_scene_is_rarely_far(per_scene):
    """At most one in ten at the level of 0.1; the rate of 400 draws is known to about 0.015."""
    assert 0.05 < rate_of_low_p_values(0.1, num_scenes=30, per_scene=per_scene) < 0.13


def test_with_neighbours_of_the_own_scene_new_scenes_would_look_far():
    """Six photos of each scene as one another's neighbours: nearly every photo of a new scene lies farther than all."""
    generator = np.random.default_rng(0)
    scenes = generator.normal(size=(41, 1, 4)) + 0.1 * generator.normal(size=(41, 6, 4))
    features, units = scenes[:40].reshape(240, 4), np.repeat(np.arange(40), 6)
    blind = Neighbourhood.of(features)
    assert conformal_p_values(blind.scores, np.arange(240), blind.score(scenes[40, :1]))[0] < 0.01
    found = Neighbourhood.of(features, [str(unit) for unit in units])
    assert conformal_p_values(found.scores, units, found.score(scenes[40, :1]))[0] > 0.1


def test_what_is_far_away_is_beyond_all_and_what_is_central_is_not():
    features = np.random.default_rng(0).normal(size=(200, 8))
    found = Neighbourhood.of(features)
    scores = found.score(np.stack([np.full(8, 20.0), np.zeros(8)]))
    far, near = conformal_p_values(found.scores, np.arange(200), scores)
    assert far == pytest.approx(1 / 201)
    assert near > 0.8
