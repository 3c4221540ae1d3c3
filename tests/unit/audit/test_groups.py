"""Pull, its lead and the prediction of mistakes draw whole groups, also where images in between cannot tell."""

import math

import numpy as np
import pytest
from group_draws import drawn_rows, ends, middle, numbers
from sklearn.metrics import roc_auc_score

from evalharness.audit import PullEvidence, Resampling, measure_lead, predict_mistakes, pull_matrix

CLASSES = ("daisy", "roses", "tulips")
NAN = float("nan")
RESAMPLING = Resampling(num_resamples=300, confidence=0.9, seed=5)


def evidence(category, means, *, seed, num_images=36, spread=0.1):
    """Bursts of three photos; every fifth image cannot tell."""
    generator = np.random.default_rng(seed)
    bursts = np.arange(num_images) % (num_images // 3)
    gains = np.array(means) + generator.normal(0, spread, (num_images // 3, 3))[bursts]
    gains += generator.normal(0, spread / 10, gains.shape)
    gains[::5] = NAN
    return PullEvidence(category, generator.integers(0, 3, num_images), gains, [f"burst {burst}" for burst in bursts])


def others(found, index):
    """Gains and groups of the images of other classes that can tell."""
    rows = [row for row, label in enumerate(found.labels) if label != index and not math.isnan(found.gains[row, index])]
    return found.gains[rows, index], [found.groups[row] for row in rows]


def test_pull_is_drawn_by_groups():
    found = evidence("dog", (0, 0.2, -0.1), seed=1)
    for index, cell in enumerate(pull_matrix([found], CLASSES, resampling=RESAMPLING)):
        gains, groups = others(found, index)
        assert (cell.num_images, cell.pull.value) == (len(gains), pytest.approx(gains.mean()))
        means = [gains[rows].mean() for rows in drawn_rows(groups, RESAMPLING)]
        assert ends(cell.pull) == pytest.approx(middle(means, RESAMPLING), abs=1e-12)


def test_copies_in_one_group_leave_pull_and_its_test():
    found = evidence("dog", (0, 0.03, -0.1), seed=2)
    photos = [f"photo {row:02}" for row in range(36)]
    once = PullEvidence("dog", found.labels, found.gains)
    thrice = PullEvidence("dog", np.tile(found.labels, 3), np.tile(found.gains, (3, 1)), photos * 3)
    cells = [pull_matrix([each], CLASSES, resampling=RESAMPLING) for each in (once, thrice)]
    for before, after in zip(*cells, strict=True):
        assert after.num_images == 3 * before.num_images
        assert numbers(after.pull) == pytest.approx(numbers(before.pull), abs=1e-12)
        # Rows are numbered by place, groups by name; here both are the same order.
        assert after.p_value == before.p_value
        assert after.is_significant == before.is_significant


def test_a_lead_is_drawn_by_groups_from_two_seeds():
    found = [evidence("dog", (0, 0.4, 0), seed=3), evidence("bird", (0, 0, 0.3), seed=4)]
    lead = measure_lead(pull_matrix(found, CLASSES, resampling=RESAMPLING), found, CLASSES, resampling=RESAMPLING)
    assert [(cell.category, cell.class_name) for cell in (lead.first, lead.second)] == [
        ("dog", "roses"),
        ("bird", "tulips"),
    ]
    means = []
    for number, (each, index) in enumerate(zip(found, (1, 2), strict=True)):
        gains, groups = others(each, index)
        drawn = Resampling(RESAMPLING.num_resamples, RESAMPLING.confidence, RESAMPLING.seed + number)
        means.append(np.array([gains[rows].mean() for rows in drawn_rows(groups, drawn)]))
    assert ends(lead.lead) == pytest.approx(middle(means[0] - means[1], RESAMPLING), abs=1e-12)


def test_a_rival_need_not_be_significant():
    """The next category after the only one that pulls is still what it leads."""
    labels = np.zeros(12, int)
    pulls, hovers = np.zeros((12, 3)), np.zeros((12, 3))
    pulls[:, 1] = 0.5
    hovers[:, 2] = np.tile([0.3, -0.2], 6)
    found = [PullEvidence("dog", labels, pulls), PullEvidence("bird", labels, hovers)]
    cells = pull_matrix(found, CLASSES, resampling=RESAMPLING)
    assert [(cell.category, cell.class_name) for cell in cells if cell.is_significant] == [("dog", "roses")]
    lead = measure_lead(cells, found, CLASSES, resampling=RESAMPLING)
    assert (lead.second.category, lead.second.class_name, lead.second.is_significant) == ("bird", "tulips", False)
    assert lead.lead.value == pytest.approx(0.5 - 0.05)


def test_a_stronger_rival_that_was_not_tested_is_none():
    labels = np.zeros(12, int)
    pulls, few, weak = np.zeros((12, 3)), np.zeros((9, 3)), np.zeros((12, 3))
    pulls[:, 1], few[:, 1], weak[:, 1] = 0.5, 0.4, 0.01
    found = [
        PullEvidence("dog", labels, pulls),
        PullEvidence("cat", labels[:9], few),
        PullEvidence("bird", labels, weak),
    ]
    lead = measure_lead(pull_matrix(found, CLASSES, resampling=RESAMPLING), found, CLASSES, resampling=RESAMPLING)
    assert (lead.second.category, lead.lead.value) == ("bird", pytest.approx(0.49))


def test_mistakes_are_drawn_by_the_groups_of_the_images_with_a_score():
    generator = np.random.default_rng(8)
    wrong = generator.random(40) < 0.4
    scores = np.round(generator.normal(size=40) + wrong, 1)
    groups = [f"scene {number}" for number in generator.integers(0, 9, 40)]
    # The scores of a block at the start, of a whole group and of others in between are missing.
    scores[:7] = scores[20::6] = NAN
    scores[[row for row, group in enumerate(groups) if group == "scene 4"]] = NAN
    rows_left = [row for row in range(40) if not math.isnan(scores[row])]
    left, wrong_left = scores[rows_left], wrong[rows_left]
    drawn = drawn_rows([groups[row] for row in rows_left], RESAMPLING)
    expected = [
        roc_auc_score(wrong_left[rows], left[rows]) if 0 < wrong_left[rows].sum() < len(rows) else NAN for rows in drawn
    ]
    found = predict_mistakes("entropy", scores, wrong, groups=groups, resampling=RESAMPLING)
    assert found.auroc.value == pytest.approx(roc_auc_score(wrong_left, left))
    assert ends(found.auroc) == pytest.approx(middle(expected, RESAMPLING), abs=1e-12)
    assert found.auroc.num_undefined == np.isnan(expected).sum()


def test_a_missing_score_does_not_shift_groups():
    """Each scene has a wrong answer above and one below its right one: any draw of whole scenes is chance."""
    scores, wrong = np.array([NAN, *[0.9, 0.5, 0.1] * 8]), np.array([True, *[True, False, True] * 8])
    groups = ["none", *(f"scene {row // 3}" for row in range(24))]
    found = predict_mistakes("gini", scores, wrong, groups=groups, resampling=RESAMPLING)
    assert (found.num_images, found.num_wrong) == (24, 16)
    assert (numbers(found.auroc), found.auroc.num_undefined) == ((0.5, 0.5, 0.5), 0)
