import hashlib

import pandas as pd
import pytest

from evalharness.report import select_logged, select_rows

SAMPLES = pd.DataFrame(
    [
        ("a1", "a", "a", 0.99),
        ("a2", "a", "a", 0.98),
        ("a3", "a", "b", 0.60),
        ("a4", "a", "a", 0.97),
        ("b1", "b", "a", 0.90),
        ("b2", "b", "b", 0.70),
        ("b3", "b", "a", 0.90),
        ("c1", "c", "c", 0.80),
        ("c2", "c", "b", 0.95),
        ("c3", "c", "c", 0.80),
    ],
    columns=["row_id", "label", "pred_label", "confidence"],
).assign(correct=lambda rows: rows["label"] == rows["pred_label"])
RULES = ["worst_mistakes", "most_confident", "random"]


def by_hash(row_ids, seed):
    return sorted(row_ids, key=lambda row_id: hashlib.sha256(f"{seed}:{row_id}".encode()).hexdigest())


def test_the_noisiest_go_by_their_place_and_maps_without_one_are_left_out():
    ranked = SAMPLES.assign(noise_rank=pd.array([3, 1, 1, None, 2, 9, 8, 7, 6, 5], dtype="Int64"))
    assert select_rows(ranked, "noisiest", 4, seed=1) == ["a2", "a3", "b1", "a1"]
    assert len(select_rows(ranked, "noisiest", 99, seed=1)) == 9
    assert select_rows(SAMPLES, "noisiest", 4, seed=1) == []


def test_worst_mistakes_are_the_most_confident_wrong_ones_and_no_class_fills_them():
    assert select_rows(SAMPLES, "worst_mistakes", 4, seed=0) == ["c2", "b1", "a3", "b3"]


def test_most_confident_takes_the_classes_in_turn():
    assert select_rows(SAMPLES, "most_confident", 5, seed=0) == ["a1", "c1", "b2", "a2", "c3"]


def test_random_goes_by_hash():
    assert select_rows(SAMPLES, "random", 4, seed=7) == by_hash(SAMPLES["row_id"], 7)[:4]
    assert select_rows(SAMPLES, "random", 4, seed=7) != select_rows(SAMPLES, "random", 4, seed=8)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("num", [1, 3, 100])
def test_order_and_index_of_the_table_have_no_influence(rule, num):
    expected = select_rows(SAMPLES, rule, num, seed=1)
    for state in range(5):
        assert select_rows(SAMPLES.sample(frac=1, random_state=state), rule, num, seed=1) == expected


def test_fewer_rows_than_wanted():
    assert sorted(select_rows(SAMPLES, "worst_mistakes", 50, seed=0)) == ["a3", "b1", "b3", "c2"]
    assert len(select_rows(SAMPLES, "most_confident", 50, seed=0)) == 6
    assert len(select_rows(SAMPLES, "random", 50, seed=0)) == 10


def test_no_wrong_rows_no_mistakes():
    assert select_rows(SAMPLES[SAMPLES["correct"]], "worst_mistakes", 5, seed=0) == []
    assert select_rows(SAMPLES[~SAMPLES["correct"]], "most_confident", 5, seed=0) == []


@pytest.mark.parametrize("rule", RULES)
def test_table_is_left_as_it_was(rule):
    before = SAMPLES.copy()
    select_rows(SAMPLES, rule, 3, seed=0)
    select_logged(SAMPLES, 3, seed=0)
    pd.testing.assert_frame_equal(SAMPLES, before)


def test_logged_rows_take_the_classes_in_turn_by_hash():
    chosen = select_logged(SAMPLES, 6, seed=3)
    for name in "abc":
        rows = [row_id for row_id in chosen if row_id.startswith(name)]
        assert rows == by_hash(SAMPLES["row_id"][SAMPLES["label"] == name], 3)[:2]
    assert {row_id[0] for row_id in chosen[:3]} == set("abc")


def test_logged_rows_ignore_the_results():
    other_run = SAMPLES.assign(pred_label="b", confidence=0.5, correct=SAMPLES["label"] == "b").iloc[::-1]
    assert select_logged(other_run, 4, seed=3) == select_logged(SAMPLES, 4, seed=3)


def test_logging_no_images():
    assert select_logged(SAMPLES, 0, seed=3) == []
