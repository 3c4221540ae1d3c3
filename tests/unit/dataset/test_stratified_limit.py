from pathlib import Path

import pytest

from evalharness.dataset.stratified_limit import allocate, select_stratified
from evalharness.records import Sample


def make_samples(counts):
    names = [f"{label}{number}" for label, count in counts.items() for number in range(count)]
    return [Sample(name, Path(name), name, name[0], line, name) for line, name in enumerate(names, 2)]


@pytest.mark.parametrize(
    ("counts", "limit", "expected"),
    [
        ({"a": 50, "b": 30, "c": 20}, 10, {"a": 5, "b": 3, "c": 2}),
        # Quotas 4.5, 3.15, 1.35: the remainder goes to a.
        ({"a": 50, "b": 35, "c": 15}, 9, {"a": 5, "b": 3, "c": 1}),
        # Quotas 1/3 each: the tie goes to the first name.
        ({"b": 4, "a": 4, "c": 4}, 1, {"a": 1, "b": 0, "c": 0}),
        # Quotas 0.5 and 1.5: the tie goes to the larger class.
        ({"a": 2, "b": 6}, 2, {"a": 0, "b": 2}),
        ({"a": 2, "b": 1}, 7, {"a": 2, "b": 1}),
    ],
)
def test_largest_remainder(counts, limit, expected):
    assert allocate(counts, limit) == expected


def test_choice_does_not_depend_on_the_order_of_the_csv():
    samples = make_samples({"a": 9, "b": 7})
    forward = {sample.row_id for sample in select_stratified(samples, 6, seed=123)}
    backward = {sample.row_id for sample in select_stratified(samples[::-1], 6, seed=123)}
    assert forward == backward


def test_seeds_draw_every_sample_about_equally_often():
    samples = make_samples({"a": 10})
    drawn = [sample.row_id for seed in range(1000) for sample in select_stratified(samples, 1, seed)]
    counts = [drawn.count(sample.row_id) for sample in samples]
    # Binomial(1000, 0.1) has standard deviation 9.5.
    assert min(counts) > 60
    assert max(counts) < 140
