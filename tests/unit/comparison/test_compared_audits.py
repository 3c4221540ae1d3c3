"""The audits of two runs, paired by row."""

import numpy as np
import pandas as pd
import pytest

from evalharness.audit import Resampling
from evalharness.comparison import compare_audits, describe_category_change

RESAMPLING = Resampling(400, 0.95, 3)


def table(shares, *, uses=None, category="dog", role="distractor", row_ids=None):
    num_rows = len(shares)
    uses = np.zeros(num_rows) if uses is None else np.asarray(uses, float)
    return pd.DataFrame(
        {
            "row_id": row_ids or [f"r{number}" for number in range(num_rows)],
            "map_id": "rollout", "category": category, "role": role, "share": shares, "area": 0.25,
            "uses": uses, "flip": uses, "delta_prob": uses / 2,
            "quadrant": np.where(np.isnan(uses), "undetermined", np.where(uses == 1, "relies", "clean")),
        }
    )  # fmt: skip


def compare(before, after, row_ids=None):
    row_ids = row_ids or [f"r{number}" for number in range(40)]
    return compare_audits(
        before, after, name="second", groups={row_id: row_id for row_id in row_ids}, map_ids=["rollout"],
        resampling=RESAMPLING,
    )  # fmt: skip


def test_differences_are_of_the_same_rows():
    shares = np.random.default_rng(0).random(20) / 2
    shuffled = table(shares + 0.1, row_ids=[f"r{number}" for number in range(20)]).sample(frac=1, random_state=1)
    (change,) = compare(table(shares), shuffled)
    share = change.measures["share"]
    assert (share.reference, share.value) == pytest.approx((shares.mean(), shares.mean() + 0.1))
    # Each row moved by the same, so that no resample differs: the pairing is by row, not by place.
    assert (share.difference.ci_low, share.difference.ci_high) == pytest.approx((0.1, 0.1))
    assert change.measures["lift"].difference.value == pytest.approx(0.1 / 0.25)


def test_rows_that_are_not_compared_are_left_out():
    shares = np.arange(10) / 20
    (change,) = compare(table(shares), table(shares), row_ids=["r2", "r4"])
    assert change.num_images == 2
    assert change.measures["share"].value == pytest.approx((0.1 + 0.2) / 2)


def test_images_without_a_control_say_nothing_of_relying():
    (change,) = compare(table([0.1] * 4, uses=[1, 1, np.nan, 0]), table([0.1] * 4, uses=[0, 1, 1, 0]))
    relies = change.measures["relies"]
    assert (relies.reference, relies.value) == pytest.approx((2 / 3, 1 / 3))
    assert (change.num_images, change.num_judged["relies"], change.num_judged["share"]) == (4, 3, 4)


def test_a_few_images_have_no_interval_and_no_sentence():
    before, after = table([0.4] * 4, uses=[1] * 4), table([0.1] * 4, uses=[0] * 4)
    (change,) = compare(before, after)
    for measure in change.measures.values():
        assert np.isnan([measure.difference.ci_low, measure.difference.ci_high]).all()
    assert change.measures["share"].difference.value == pytest.approx(-0.3)
    assert change.measures["lift"].difference.value == pytest.approx(-0.3 / 0.25)
    assert describe_category_change(change, "first") is None


def test_the_sentence_names_what_changed_and_only_that():
    before, after = table([0.4] * 30, uses=[1] * 30), table([0.1] * 30, uses=[0] * 30)
    (change,) = compare(before, after)
    sentence = describe_category_change(change, "first")
    assert "second has less of its attention on dog" in sentence
    assert "less of its verdicts relying on dog (0.0% against 100.0%" in sentence
    assert sentence.count("30 images") == 2
    assert {name: measure.outcome for name, measure in change.measures.items()} == {
        **dict.fromkeys(("share", "lift", "uses", "relies", "flip", "delta_prob"), "better"),
    }
    (same,) = compare(before, before)
    assert describe_category_change(same, "first") is None
    (flower,) = compare(table([0.4] * 9, role="object"), table([0.1] * 9, role="object"))
    assert describe_category_change(flower, "first") is None
    assert flower.measures["share"].outcome == "lower", "of attention on the object neither is better"
