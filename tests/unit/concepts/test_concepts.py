"""Concepts on made-up regions whose clusters, pull and class are known."""

import numpy as np
import pandas as pd
import pytest

from evalharness.audit import Resampling, pull_matrix
from evalharness.audit.hot_regions import find_regions
from evalharness.concepts import (
    Assignment,
    choose_pairs,
    fit_clusters,
    gather_evidence,
    harmful_regions,
    judge_concepts,
    match_by_centroids,
    match_by_photos,
    num_photos_to_test,
    part_of_photo,
    pool_tokens,
    split_groups,
)
from evalharness.records import Extent

CLASSES = ("daisy", "roses", "tulips")
FEW = Resampling(200, 0.95, 1)


def blobs(num_each, centres, *, noise=0.05, seed=0):
    """Unit vectors around the axes of some centres, and which centre each belongs to."""
    generator = np.random.default_rng(seed)
    kinds = np.repeat(np.arange(len(centres)), num_each)
    points = np.asarray(centres, float)[kinds] + noise * generator.normal(size=(len(kinds), len(centres[0])))
    return points / np.linalg.norm(points, axis=1, keepdims=True), kinds


class TestCandidates:
    def test_connected_patches_strongest_first(self):
        density = np.full((4, 5), 0.1)
        density[0, 0] = density[1, 1] = 4.0  # joined by a corner
        density[3, 4] = 5.0
        first, second = find_regions(density, threshold=2.0, min_share=0.0)
        assert np.argwhere(first.patches).tolist() == [[0, 0], [1, 1]]
        assert np.argwhere(second.patches).tolist() == [[3, 4]]
        assert first.share == pytest.approx(8 / density.sum())

    def test_three_at_most_and_none_below_the_least_share(self):
        density = np.zeros((1, 9))
        density[0, ::2] = [5.0, 4.0, 3.0, 2.5, 2.2]
        assert [region.patches.argmax() for region in find_regions(density, threshold=2, min_share=0)] == [0, 2, 4]
        assert len(find_regions(density, threshold=2, min_share=4 / density.sum())) == 2

    @pytest.mark.parametrize("density", [np.full((3, 3), np.nan), np.zeros((3, 3)), np.ones((3, 3))])
    def test_a_map_without_hot_patches_has_no_region(self, density):
        assert find_regions(density, threshold=2.0, min_share=0.0) == ()

    def test_a_box_is_told_in_parts_of_the_photo_and_cut_to_it(self):
        density = np.zeros((4, 4))
        density[0:2, 1:3] = 9.0
        (region,) = find_regions(density, threshold=2, min_share=0)
        assert part_of_photo(region, Extent(0, 1, 0, 1)) == (0, 0.5, 0.25, 0.75)
        # Padding above and below: the photo spans the middle half of the input.
        assert part_of_photo(region, Extent(0.25, 0.75, 0, 1)) == (0, 0.5, 0.25, 0.75)


def test_a_region_is_the_direction_of_its_tokens_whatever_their_lengths():
    tokens = np.array([[3.0, 0], [0, 100.0], [7, 7]])
    patches = np.array([[True, True, False]])
    np.testing.assert_allclose(pool_tokens(tokens, patches), np.sqrt([0.5, 0.5]), atol=1e-6)


class TestClusters:
    CENTRES = np.eye(6)[:4]

    def test_known_clusters_are_found_the_largest_first(self):
        features, kinds = blobs(12, self.CENTRES)
        extra, _ = blobs(9, self.CENTRES[2:3], seed=1)
        clusters = fit_clusters(np.concatenate([features, extra]), num_clusters=4)
        found = clusters.assign(features).clusters
        assert all(len(set(found[kinds == kind])) == 1 for kind in range(4))
        assert set(found[kinds == 2]) == {0}

    def test_what_is_unlike_everything_belongs_to_none(self):
        features, _ = blobs(12, self.CENTRES)
        clusters = fit_clusters(features, num_clusters=4, quantile=1.0)
        stranger = np.eye(6)[5:]
        assert not clusters.assign(stranger).is_assigned.any()
        assert clusters.assign(features).is_assigned.all()

    def test_the_rejection_distance_is_the_quantile_of_the_fitting_half(self):
        features, _ = blobs(25, self.CENTRES)
        clusters = fit_clusters(features, num_clusters=4, quantile=0.9)
        assert clusters.assign(features).is_assigned.mean() == pytest.approx(0.9, abs=0.011)

    def test_the_silhouette_chooses_the_number_of_clusters_that_there_are(self):
        features, _ = blobs(10, np.eye(12))
        assert len(fit_clusters(features).centroids) == 12

    def test_what_is_common_to_all_regions_tells_none_apart(self):
        features, _ = blobs(12, self.CENTRES)
        shifted = 30 * np.eye(6)[4] + features
        found, plain = (fit_clusters(each, num_clusters=4).assign(each) for each in (shifted, features))
        np.testing.assert_array_equal(found.clusters, plain.clusters)
        np.testing.assert_allclose(found.distances, plain.distances, atol=1e-9)

    def test_too_few_regions(self):
        with pytest.raises(ValueError, match="too few"):
            fit_clusters(np.eye(6), num_clusters=2)


def planted(*, num_photos=200, pull=0.5, seed=0):
    """Photos of three classes; concept 0 is in every class and pulls to roses, concept 1 is what daisies look like."""
    generator = np.random.default_rng(seed)
    labels = np.arange(num_photos) % 3
    concepts = np.where((np.arange(num_photos) // 3) % 2 == 0, 0, np.where(labels == 0, 1, 2))
    gains = 0.02 * generator.normal(size=(num_photos, 3))
    gains[(concepts == 0), 1] += pull
    gains[(concepts == 1), 0] += 0.4
    return {
        "assigned": Assignment(concepts, np.zeros(num_photos), np.ones(num_photos, bool)),
        "left_out": np.zeros(num_photos, bool),
        "photos": np.arange(num_photos),
        "gains": gains,
        "labels": labels,
        "groups": [str(number) for number in range(num_photos)],
    }


class TestChoosing:
    NAMES = ("concept 1", "concept 2", "concept 3")

    def test_pairs_that_pull_in_the_fitting_half_are_tested_and_no_others(self):
        regions = planted()
        is_fit = np.arange(200) // 6 % 2 == 0
        fitting, claiming = (
            gather_evidence(self.NAMES, **{**regions, "left_out": left_out}) for left_out in (~is_fit, is_fit)
        )
        chosen = choose_pairs(fitting, CLASSES, least=0.1)
        assert chosen == {("concept 1", "roses")}
        cells = pull_matrix(claiming, CLASSES, chosen=chosen, resampling=FEW)
        (tested,) = [cell for cell in cells if cell.is_significant is not None]
        assert (tested.category, tested.class_name, tested.is_significant) == ("concept 1", "roses", True)
        everything = pull_matrix(claiming, CLASSES, resampling=FEW)
        np.testing.assert_array_equal([cell.pull.value for cell in cells], [cell.pull.value for cell in everything])
        assert tested.p_value < next(cell.p_value for cell in everything if cell.class_name == "roses")

    def test_too_few_photos_choose_nothing(self):
        evidence = gather_evidence(self.NAMES, **planted(num_photos=12))
        assert choose_pairs(evidence, CLASSES, least=0.1) == frozenset()


class TestJudging:
    NAMES = ("concept 1", "concept 2", "concept 3")

    def judge(self, regions, roles=None):
        evidence = gather_evidence(self.NAMES, **regions)
        cells = pull_matrix(evidence, CLASSES, resampling=FEW)
        return judge_concepts(evidence, cells, CLASSES, labels=regions["labels"], roles=roles or {}, min_pull=0.1)

    def test_what_pulls_in_every_class_is_harmful_and_comes_first(self):
        first, *others = self.judge(planted())
        assert (first.number, first.is_harmful, first.shortcut.class_name) == (1, True, "roses")
        assert first.shortcut.pull.value == pytest.approx(0.5, abs=0.02)
        assert not any(concept.is_harmful for concept in others)

    def test_what_sits_in_one_class_and_helps_that_class_is_the_object_and_comes_last(self):
        *_, last = self.judge(planted())
        assert (last.number, last.role, last.role_from) == (2, "object", "measured")
        assert last.label_parts == {"daisy": 1.0}

    def test_a_role_that_the_user_gives_counts(self):
        judged = {concept.number: concept for concept in self.judge(planted(), {1: "object", 2: "distractor"})}
        assert not judged[1].is_harmful
        assert judged[1].strongest.pull.value > 0.4
        assert (judged[2].role, judged[2].role_from) == ("distractor", "config")

    def test_without_a_pull_nothing_is_harmful(self):
        assert not any(concept.is_harmful for concept in self.judge(planted(pull=0.0)))

    def test_several_regions_of_a_photo_count_once_with_their_mean(self):
        regions = planted(num_photos=30)
        doubled = {**regions, **{name: np.concatenate([regions[name]] * 2) for name in ("left_out", "photos", "gains")}}
        twice = np.concatenate([regions["assigned"].clusters] * 2)
        doubled["assigned"] = Assignment(twice, np.zeros(60), np.ones(60, bool))
        doubled["gains"][30:] += 0.2
        first, again = gather_evidence(self.NAMES, **regions)[0], gather_evidence(self.NAMES, **doubled)[0]
        assert len(again.labels) == len(first.labels)
        np.testing.assert_allclose(again.gains, first.gains + 0.1)

    def test_regions_that_cannot_tell_leave_the_photo_to_those_that_can(self):
        regions = planted(num_photos=30)
        regions["gains"][0] = np.nan
        assert np.isnan(gather_evidence(self.NAMES, **regions)[0].gains[0]).all()

    def test_how_many_photos_it_takes(self):
        evidence = gather_evidence(self.NAMES, **planted(num_photos=24))
        wanted = num_photos_to_test(evidence, CLASSES, 24)
        assert wanted > 24
        enough = gather_evidence(self.NAMES, **planted(num_photos=wanted))
        assert num_photos_to_test(enough, CLASSES, wanted) is None


def test_whole_groups_go_to_one_half_whatever_the_order():
    groups = [f"scene {number // 3}" for number in range(90)]
    is_fit = split_groups(groups, seed=4)
    assert abs(is_fit.sum() - 45) <= 3
    assert all(len(set(is_fit[start : start + 3])) == 1 for start in range(0, 90, 3))
    np.testing.assert_array_equal(split_groups(groups[::-1], seed=4)[::-1], is_fit)
    assert (split_groups(groups, seed=5) != is_fit).any()


def stored(concepts, row_ids, *, is_assigned=True):
    return pd.DataFrame({"row_id": row_ids, "concept": concepts, "is_assigned": is_assigned})


def test_concepts_of_a_shared_backbone_are_matched_by_where_their_regions_lie():
    features, kinds = blobs(8, np.eye(4)[:3])
    clusters = fit_clusters(features, num_clusters=3, quantile=1.0)
    there = clusters.assign(features).clusters
    other = stored(10 + kinds, [str(n) for n in range(len(kinds))])
    for match in match_by_centroids(other, features, clusters):
        (kind,) = set(kinds[there == match.reference - 1])
        assert (match.number, match.overlap) == (10 + kind, 1.0)


def test_concepts_of_other_backbones_are_matched_by_their_photos():
    reference = stored([1, 1, 1, 2], ["a", "b", "c", "d"])
    run = stored([5, 5, 6], ["a", "b", "x"])
    first, second = match_by_photos(run, reference)
    assert (first.reference, first.number) == (1, 5)
    assert first.overlap == pytest.approx(2 / 3)
    assert (second.number, second.overlap) == (None, 0.0)


def test_harmful_regions_are_those_of_harmful_concepts_that_belong_there():
    table = pd.DataFrame(
        {
            "row_id": ["a", "b", "c", "d"],
            "concept": [1, 1, 2, 1],
            "is_assigned": [True, True, True, False],
            "share": [0.1, 0.4, 0.9, 0.9],
            **{edge: [0.0, 0.1, 0.2, 0.3] for edge in ("top", "left")},
            **{edge: [0.5, 0.6, 0.7, 0.8] for edge in ("bottom", "right")},
            "patches": [[0, 1], [2], [3], [4]],
        }
    )
    found = {
        "concepts": [
            {"number": 1, "name": "cat", "is_harmful": True},
            {"number": 2, "name": "petals", "is_harmful": False},
        ]
    }
    (regions,) = harmful_regions(table, found).values()
    assert [region.row_id for region in regions] == ["b", "a"]
    assert regions[0].box == (0.1, 0.6, 0.1, 0.6)
    assert regions[1].patches == (0, 1)
    assert harmful_regions(table, None) == {}
