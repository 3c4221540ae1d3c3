import math

import numpy as np
import pytest

from evalharness.audit import (
    PullEvidence,
    clean_gains,
    describe_pull,
    erasure_gains,
    measure_lead,
    pull_columns,
    pull_matrix,
    rank_cells,
)

CLASSES = ("daisy", "roses", "tulips")
NAN = float("nan")


def evidence(category, means, *, num_images=30, seed=0, spread=0.05, groups=None):
    """Images of all classes in turn, in which the category adds `means` to the classes."""
    noise = np.random.default_rng(seed).normal(0, spread, (num_images, 3))
    return PullEvidence(category, np.arange(num_images) % 3, np.array(means) + noise, groups)


def test_erasure_gains_by_hand():
    erased = np.array([[0.2, 0.8], [0.5, 0.5]])
    controls = np.array([[[0.6, 0.4], [0.4, 0.6]], [[0.7, 0.3], [NAN, NAN]]])
    np.testing.assert_allclose(erasure_gains(erased, controls), [[0.3, -0.3], [0.2, -0.2]])


def test_images_without_control_cannot_tell():
    gains = erasure_gains(np.array([[0.2, 0.8], [NAN, NAN]]), np.array([[[NAN, NAN]], [[0.5, 0.5]]]))
    assert np.isnan(gains).all()


def test_clean_gains():
    np.testing.assert_allclose(clean_gains(np.array([[0.9, 0.1]]), np.array([[0.3, 0.7]])), [[0.6, -0.6]])


def test_pull_is_over_images_of_other_classes_and_pull_own_over_the_class():
    labels, gains = np.array([0, 0, 1, 2, 2]), np.zeros((5, 3))
    gains[:, 0] = [0.9, 0.7, 0.1, 0.2, NAN]
    cell = pull_matrix([PullEvidence("dog", labels, gains)], CLASSES)[0]
    assert (cell.category, cell.class_name, cell.num_images) == ("dog", "daisy", 2)
    assert cell.pull.value == pytest.approx(0.15)
    assert cell.pull_own == pytest.approx(0.8)


def test_few_images_are_not_tested():
    cells = pull_matrix([evidence("dog", (0, 0.5, 0), num_images=14)], CLASSES)
    # Of 14 images 5, 5 and 4 are of each class.
    assert [cell.num_images for cell in cells] == [9, 9, 10]
    assert [cell.is_significant for cell in cells] == [None, None, False]
    assert math.isnan(cells[0].p_value)
    assert "No shortcut was found: none of 1 tested" in describe_pull(cells)
    assert describe_pull(cells[:2]).startswith("Too few images to test for a shortcut")


def test_p_values_are_corrected_over_the_tested_cells():
    gains = np.zeros((12, 3))
    gains[:, 1] = 0.1
    gains[:, 2] = -0.1
    found = PullEvidence("dog", np.zeros(12, int), gains)
    cells = pull_matrix([found], CLASSES)
    # All of 2^12 sign patterns: one has a mean as high. Two cells are tested, daisy has no image of another class.
    assert cells[1].p_value == pytest.approx(2 / 4096)
    assert cells[1].is_significant is True
    assert cells[2].p_value == 1
    assert (cells[0].num_images, cells[0].is_significant) == (0, None)
    assert math.isnan(cells[0].pull.value)
    assert math.isnan(cells[1].pull_own)
    assert cells[0].pull_own == 0


def test_many_cells_leave_a_true_pull_significant():
    """Six hundred tests: ten thousand sign patterns could give no p-value below 0.05 after the correction."""
    gains = np.zeros((14, 10))
    gains[:, 3] = 0.4
    nothing = PullEvidence("none", np.full(14, 9), np.zeros((14, 10)))
    found = [PullEvidence("dog", np.full(14, 9), gains), *[nothing] * 65]
    cells = pull_matrix(found, [f"class {number}" for number in range(10)])
    # All of 2^14 sign patterns are tried: one has a mean as high. In 66 x 9 cells there are images of other classes.
    assert cells[3].p_value == pytest.approx(66 * 9 / 2**14)
    assert cells[3].is_significant
    assert rank_cells(cells) == (cells[3],)


def test_images_of_one_group_count_once_in_the_test():
    gains = np.full((12, 3), 0.1)
    groups = [f"scene {index // 3}" for index in range(12)]
    cells = pull_matrix([PullEvidence("dog", np.zeros(12, int), gains, groups)], CLASSES)
    # Four groups, 16 patterns, two cells.
    assert cells[1].p_value == pytest.approx(2 / 16)


def test_the_largest_significant_cell_is_the_shortcut():
    found = [evidence("dog", (0, 0.05, 0)), evidence("bird", (0, 0, 0.3), seed=1), evidence("car", (0, 0, 0), seed=2)]
    cells = pull_matrix(found, CLASSES)
    ranked = rank_cells(cells)
    assert [(cell.category, cell.class_name) for cell in ranked][:2] == [("bird", "tulips"), ("dog", "roses")]
    lead = measure_lead(cells, found, CLASSES)
    assert (lead.first.category, lead.second.category, lead.second.class_name) == ("bird", "dog", "roses")
    assert lead.lead.value == pytest.approx(ranked[0].pull.value - ranked[1].pull.value)
    assert 0.2 < lead.lead.ci_low < lead.lead.value < lead.lead.ci_high < 0.3
    text = describe_pull(cells, lead)
    assert text.startswith("The shortcut is bird: it pulls verdicts to tulips, adding 0.291 (0.276 to 0.307)")
    assert "Significant but weaker: dog to roses (+0.0" in text
    assert "does not tell" not in text


def test_a_small_pull_is_told_but_not_called_a_shortcut():
    cells = pull_matrix([evidence("dog", (0, 0.05, 0)), evidence("bird", (0, 0, 0), seed=1)], CLASSES)
    (strongest,) = rank_cells(cells)
    text = describe_pull(cells, min_pull=0.1)
    assert text.startswith("No shortcut was found: 1 of 6 tested pairs of category and class pulls significantly")
    assert "none is sure to pull by more than audit.min_pull (0.1)" in text
    assert f"The strongest, dog to roses, adds {strongest.pull.value:.3f} (" in text
    assert text.endswith("to its probability.")


def test_a_lead_that_does_not_tell():
    found = [evidence("dog", (0, 0.3, 0)), evidence("bird", (0, 0, 0.3), seed=1)]
    cells = pull_matrix(found, CLASSES)
    assert describe_pull(cells, measure_lead(cells, found, CLASSES)).endswith("which does not tell the two apart.")


def test_the_two_cells_of_a_lead_are_resampled_apart():
    first = evidence("dog", (0, 0.3, 0))
    found = [first, PullEvidence("bird", first.labels, first.gains)]
    lead = measure_lead(pull_matrix(found, CLASSES), found, CLASSES).lead
    assert lead.value == 0
    assert lead.ci_low < -0.005
    assert lead.ci_high > 0.005


def test_no_lead_without_a_shortcut_or_a_rival():
    nothing = [evidence("dog", (0, 0, 0))]
    assert measure_lead(pull_matrix(nothing, CLASSES), nothing, CLASSES) is None
    alone = [evidence("dog", (0, 0.3, 0)), evidence("bird", (0, 0, 0.3), num_images=6)]
    assert measure_lead(pull_matrix(alone, CLASSES), alone, CLASSES) is None


def test_a_class_that_loses_is_no_shortcut():
    cells = pull_matrix([evidence("dog", (-0.3, -0.3, -0.3))], CLASSES)
    assert rank_cells(cells) == ()
    assert all(cell.p_value == 1 for cell in cells)


def test_columns():
    columns = pull_columns(pull_matrix([evidence("dog", (0, 0.3, 0), num_images=14)], CLASSES))
    assert list(columns) == [
        "category",
        "class",
        "n",
        "pull",
        "ci_low",
        "ci_high",
        "p_value",
        "significant",
        "pull_own",
    ]
    assert columns["class"] == list(CLASSES)
    assert columns["significant"][0] is None


def test_without_categories():
    assert pull_matrix([], CLASSES) == ()
