"""Whatever the photos are: nothing of the half that concepts are made on reaches a test."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.audit import Resampling, pull_matrix
from evalharness.concepts import choose_pairs, fit_clusters, gather_evidence, split_groups

NUM_CLASSES = 3


@st.composite
def regions(draw):
    """Photos in groups, one to three regions each, with features and gains."""
    num_photos = draw(st.integers(12, 30))
    groups = draw(st.lists(st.integers(0, 9).map(str), min_size=num_photos, max_size=num_photos))
    counts = draw(st.lists(st.integers(1, 3), min_size=num_photos, max_size=num_photos))
    generator = np.random.default_rng(draw(st.integers(0, 2**16)))
    photos = np.repeat(np.arange(num_photos), counts)
    return {
        "groups": groups,
        "photos": photos,
        "features": generator.normal(size=(len(photos), 4)),
        "gains": generator.normal(size=(len(photos), NUM_CLASSES)),
        "labels": generator.integers(NUM_CLASSES, size=num_photos),
        "seed": draw(st.integers(0, 9)),
    }


def evidence_of(found, gains):
    is_fit = split_groups(found["groups"], found["seed"])[found["photos"]]
    features = found["features"]
    clusters = fit_clusters(features[is_fit], num_clusters=2) if is_fit.sum() >= 10 else None
    if clusters is None:
        return is_fit, ()
    assigned = clusters.assign(features)
    return is_fit, gather_evidence(
        ("concept 1", "concept 2"),
        assigned=assigned,
        left_out=is_fit,
        photos=found["photos"],
        gains=gains,
        labels=found["labels"],
        groups=found["groups"],
    )


@settings(deadline=None, max_examples=40)
@given(regions())
def test_no_row_of_the_fitting_half_reaches_a_test(found):
    is_fit, evidence = evidence_of(found, found["gains"])
    fitting_groups = {found["groups"][photo] for photo in found["photos"][is_fit]}
    assert not any(fitting_groups & set(entry.groups) for entry in evidence)
    # What erasing the fitting half would have done changes nothing.
    altered = np.where(is_fit[:, None], 1e6, found["gains"])
    _, again = evidence_of(found, altered)
    for before, after in zip(evidence, again, strict=True):
        np.testing.assert_array_equal(before.gains, after.gains)


@settings(deadline=None, max_examples=40)
@given(regions())
def test_the_claiming_half_has_no_influence_on_the_concepts(found):
    is_fit = split_groups(found["groups"], found["seed"])[found["photos"]]
    if is_fit.sum() < 10:
        return
    moved = np.where(is_fit[:, None], found["features"], -found["features"])
    first, second = (fit_clusters(features[is_fit], num_clusters=2) for features in (found["features"], moved))
    np.testing.assert_array_equal(first.centroids, second.centroids)
    assert first.max_distance == second.max_distance


@settings(deadline=None, max_examples=20)
@given(regions())
def test_the_fitting_half_chooses_what_is_tested_and_no_number(found):
    classes = tuple("abc")
    _, evidence = evidence_of(found, found["gains"])
    generator = np.random.default_rng(found["seed"])
    chosen = choose_pairs(evidence, classes, least=generator.normal())
    few = Resampling(20, 0.9, 1)
    some, all_of_them = (
        pull_matrix(evidence, classes, chosen=pairs, resampling=few, num_permutations=100) for pairs in (chosen, None)
    )
    for cell, other in zip(some, all_of_them, strict=True):
        assert (cell.num_images, str(cell.pull)) == (other.num_images, str(other.pull))
        assert (cell.is_significant is not None) == (
            other.is_significant is not None and (cell.category, cell.class_name) in chosen
        )
