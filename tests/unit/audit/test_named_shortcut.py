"""A shortcut is named only where the interval of its pull lies above the least pull; smaller pulls are numbers."""

import math

import numpy as np
import pytest

from evalharness.audit import PullCell, PullEvidence, describe_pull, measure_lead, name_shortcut, pull_matrix
from evalharness.config.stages import AuditConfig
from evalharness.records import Interval

CLASSES = ("daisy", "roses")
LEAST = AuditConfig().min_pull


def cell(category, value, low, high, *, significant=True, class_name="roses"):
    return PullCell(category, class_name, 80, Interval(value, low, high), 0.001, significant, math.nan)


@pytest.mark.parametrize(
    ("name", "value", "low", "high", "is_named"),
    [
        ("the planted one of the example", 0.332, 0.273, 0.396, True),
        ("the planted one on real photos", 0.371, 0.276, 0.467, True),
        ("its neighbour in the example", 0.070, 0.037, 0.106, False),
        ("a frozen backbone, drawn photos", 0.023, 0.008, 0.042, False),
        ("a frozen backbone, real photos", 0.086, 0.030, 0.144, False),
        ("trained with animals at random, other real photos", 0.06, 0.02, 0.11, False),
    ],
)
def test_the_default_tells_planted_shortcuts_from_the_pulls_of_runs_without_one(name, value, low, high, is_named):
    text = describe_pull([cell("dog", value, low, high)], min_pull=LEAST)
    assert text.startswith("The shortcut is dog") == is_named, name
    assert f"{value:.3f} ({low:.3f} to {high:.3f})" in text
    assert is_named or text.startswith("No shortcut was found")


def test_the_interval_decides_and_not_the_value():
    """A large pull that a few images say is not sure to be one; a smaller that is sure is the shortcut."""
    unsure, sure = cell("dog", 0.4, 0.05, 0.7), cell("cat", 0.25, 0.18, 0.32)
    assert name_shortcut([unsure], 0.1) is None
    assert "more images would tell whether it is a shortcut" in describe_pull([unsure], min_pull=0.1)
    assert name_shortcut([unsure, sure], 0.1) is sure
    text = describe_pull([unsure, sure], min_pull=0.1)
    assert text.startswith("The shortcut is cat")
    assert "Significant but weaker or less certain: dog to roses (+0.400)." in text


def test_the_least_pull_itself_is_not_above_it():
    assert name_shortcut([cell("dog", 0.2, 0.1, 0.3)], 0.1) is None
    assert name_shortcut([cell("dog", 0.2, 0.1001, 0.3)], 0.1) is not None


def test_without_an_interval_or_significance_nothing_is_named():
    assert name_shortcut([cell("dog", 0.9, math.nan, math.nan)], 0.0) is None
    assert name_shortcut([cell("dog", 0.9, 0.8, 1.0, significant=False)], 0.0) is None
    assert name_shortcut([cell("dog", 0.9, 0.8, 1.0, significant=None)], 0.0) is None


def test_smaller_pulls_are_told_as_numbers():
    cells = [cell("dog", 0.05, 0.02, 0.08), cell("cat", 0.03, 0.01, 0.05), cell("bird", 0.01, 0.005, 0.02)]
    text = describe_pull(cells, min_pull=0.1)
    assert text == (
        "No shortcut was found: 3 of 3 tested pairs of category and class pull significantly, but none is sure to pull "
        "by more than audit.min_pull (0.1). The strongest, dog to roses, adds 0.050 (0.020 to 0.080) to its "
        "probability. Others: cat to roses (+0.030), bird to roses (+0.010)."
    )


def test_the_lead_is_that_of_the_named_shortcut():
    """Dog pulls more on average, with images that disagree; cat is sure. The lead is cat's, over dog."""
    generator = np.random.default_rng(0)
    labels = np.zeros(40, int)
    swaying = np.where(np.arange(40) % 5 < 2, 0.9, 0.0)
    gains = {"dog": swaying, "cat": np.full(40, 0.3) + generator.normal(0, 0.02, 40)}
    found = [PullEvidence(name, labels, np.stack([np.zeros(40), values], axis=1)) for name, values in gains.items()]
    cells = pull_matrix(found, CLASSES)
    lead = measure_lead(cells, found, CLASSES, min_pull=0.25)
    assert (lead.first.category, lead.second.category) == ("cat", "dog")
    assert lead.lead.value == pytest.approx(gains["cat"].mean() - swaying.mean())
    text = describe_pull(cells, lead, min_pull=0.25)
    assert text.startswith("The shortcut is cat")
    assert text.endswith("which does not tell the two apart.")
    assert measure_lead(cells, found, CLASSES).first.category == "dog"


def test_many_images_make_a_trace_significant_and_no_shortcut():
    """Two thousand images, each pulled by 0.02: surely not zero, and surely not much."""
    gains = np.random.default_rng(1).normal(0.02, 0.1, (2000, 2))
    cells = pull_matrix([PullEvidence("dog", np.zeros(2000, int), gains)], CLASSES)
    assert cells[1].is_significant
    assert describe_pull(cells, min_pull=LEAST).startswith("No shortcut was found: 1 of 1 tested pairs")
