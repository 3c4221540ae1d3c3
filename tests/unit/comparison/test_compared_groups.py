"""Comparisons draw whole groups: of verdicts, of regions and of maps."""

import numpy as np
import pandas as pd
import pytest
from group_draws import drawn_rows, ends, middle, numbers
from scipy.stats import spearmanr

from evalharness.audit import Resampling
from evalharness.comparison import compare_audits, compare_maps, compare_predictions
from evalharness.metrics.predictions import Predictions

NAN = float("nan")
RESAMPLING = Resampling(num_resamples=300, confidence=0.9, seed=6)
NUM_ROWS = 30
ROW_IDS = [f"r{number:02}" for number in range(NUM_ROWS)]
GROUPS = [f"scene {number}" for number in np.random.default_rng(9).integers(0, 8, NUM_ROWS)]


def audit(shares, areas, *, row_ids=ROW_IDS):
    return pd.DataFrame(
        {
            "row_id": row_ids, "map_id": "rollout", "category": "dog", "role": "distractor", "share": shares,
            "area": areas, "uses": 0.0, "flip": 0.0, "delta_prob": np.asarray(shares) / 2, "quadrant": "clean",
        }
    )  # fmt: skip


def audit_change(before, after, groups, row_ids=ROW_IDS):
    (change,) = compare_audits(
        before, after, name="second", groups=dict(zip(row_ids, groups, strict=True)), map_ids=["rollout"],
        resampling=RESAMPLING,
    )  # fmt: skip
    return change.measures


def random_audits():
    """Of the same scenes both times; here and there a share is not defined."""
    generator = np.random.default_rng(2)
    areas = generator.uniform(0.05, 0.5, NUM_ROWS)
    before, after = areas * generator.uniform(0.5, 1.5, NUM_ROWS), areas * generator.uniform(1, 3, NUM_ROWS)
    before[[0, 1, 13]] = NAN
    after[[1, 7, 22]] = NAN
    return before, after, areas


def compared_maps(reference, maps, groups):
    return compare_maps(
        "rollout", reference, maps, name="second", flipped=np.array([], int), groups=groups, resampling=RESAMPLING
    )


def test_lift_is_drawn_by_groups_and_is_that_of_the_run_less_that_of_the_reference():
    before, after, areas = random_audits()
    rows_left = [row for row in range(NUM_ROWS) if not np.isnan(before[row]) and not np.isnan(after[row])]
    old, new, area = before[rows_left], after[rows_left], areas[rows_left]
    lifts = [
        new[rows].sum() / area[rows].sum() - old[rows].sum() / area[rows].sum()
        for rows in drawn_rows([GROUPS[row] for row in rows_left], RESAMPLING)
    ]
    lift = audit_change(audit(before, areas), audit(after, areas), GROUPS)["lift"]
    assert (lift.reference, lift.value) == pytest.approx((old.sum() / area.sum(), new.sum() / area.sum()))
    assert lift.difference.value == pytest.approx(lift.value - lift.reference)
    assert ends(lift.difference) == pytest.approx(middle(lifts, RESAMPLING), abs=1e-12)


def test_a_lift_that_rises_everywhere_rises_in_every_resample():
    before, after = audit([0.1] * NUM_ROWS, 0.25), audit([0.3] * NUM_ROWS, 0.25)
    for first, second, rise in ((before, after, 0.8), (after, before, -0.8)):
        difference = audit_change(first, second, GROUPS)["lift"].difference
        assert numbers(difference) == pytest.approx((rise, rise, rise))


def test_the_areas_of_both_audits_count_each_on_its_own_side():
    difference = audit_change(audit([0.2] * NUM_ROWS, 0.4), audit([0.2] * NUM_ROWS, 0.1), GROUPS)["lift"].difference
    assert numbers(difference) == pytest.approx((1.5, 1.5, 1.5))


def test_means_over_regions_are_drawn_by_groups():
    before, after, areas = random_audits()
    rows_left = [row for row in range(NUM_ROWS) if not np.isnan(before[row]) and not np.isnan(after[row])]
    rises = (after - before)[rows_left]
    means = [rises[rows].mean() for rows in drawn_rows([GROUPS[row] for row in rows_left], RESAMPLING)]
    measures = audit_change(audit(before, areas), audit(after, areas), GROUPS)
    assert ends(measures["share"].difference) == pytest.approx(middle(means, RESAMPLING), abs=1e-12)
    halves = np.array(middle(means, RESAMPLING)) / 2
    assert ends(measures["delta_prob"].difference) == pytest.approx(halves, abs=1e-12)


def test_copies_in_one_group_leave_the_differences_of_regions():
    before, after, areas = random_audits()
    once = audit_change(audit(before, areas), audit(after, areas), ROW_IDS)
    names = [f"{row_id} copy {copy}" for copy in range(3) for row_id in ROW_IDS]
    copies = [audit(np.tile(shares, 3), np.tile(areas, 3), row_ids=names) for shares in (before, after)]
    thrice = audit_change(*copies, ROW_IDS * 3, names)
    for name in ("share", "lift", "delta_prob"):
        assert numbers(thrice[name].difference) == pytest.approx(numbers(once[name].difference), abs=1e-12)


def test_likeness_of_maps_is_drawn_by_groups():
    reference, maps = np.random.default_rng(3).random((2, NUM_ROWS, 3, 4))
    maps += reference * np.linspace(0, 3, NUM_ROWS)[:, None, None]
    maps[[0, 11, 12]] = NAN
    rows_left = [row for row in range(NUM_ROWS) if row not in (0, 11, 12)]
    similarity = np.array([spearmanr(reference[row].ravel(), maps[row].ravel()).statistic for row in rows_left])
    means = [similarity[rows].mean() for rows in drawn_rows([GROUPS[row] for row in rows_left], RESAMPLING)]
    found = compared_maps(reference, maps, GROUPS)
    assert found.num_undefined == 3
    assert found.mean.value == pytest.approx(similarity.mean())
    assert ends(found.mean) == pytest.approx(middle(means, RESAMPLING), abs=1e-12)


def test_copies_in_one_group_leave_the_likeness_of_maps():
    reference, maps = np.random.default_rng(4).random((2, NUM_ROWS, 3, 4))
    once = compared_maps(reference, maps, None)
    thrice = compared_maps(np.tile(reference, (3, 1, 1)), np.tile(maps, (3, 1, 1)), ROW_IDS * 3)
    assert numbers(thrice.mean) == pytest.approx(numbers(once.mean), abs=1e-12)


def test_differences_of_verdicts_are_drawn_by_groups():
    generator = np.random.default_rng(5)
    labels = np.arange(NUM_ROWS) % 2
    before, after = (Predictions(labels, generator.dirichlet([1, 1], NUM_ROWS)) for _ in range(2))
    (pair,) = compare_predictions(
        {"first": before, "second": after}, class_names=["x", "y"], groups=GROUPS, resampling=RESAMPLING,
        min_difference=0.02,
    )  # fmt: skip
    gained = (after.pred_labels == labels).astype(float) - (before.pred_labels == labels)
    drawn = drawn_rows(GROUPS, RESAMPLING)
    means = [gained[rows].mean() for rows in drawn]
    assert ends(pair.metrics["accuracy"].difference) == pytest.approx(middle(means, RESAMPLING), abs=1e-12)
    of_class = [[row for row in rows if labels[row] == 1] for rows in drawn]
    recalls = [gained[rows].mean() if rows else NAN for rows in of_class]
    assert ends(pair.classes[1].recall.difference) == pytest.approx(middle(recalls, RESAMPLING), abs=1e-12)
