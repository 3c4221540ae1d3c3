"""What is read from the stored tables of pull."""

from types import SimpleNamespace

import pandas as pd
import pytest

from evalharness.audit import PullCell, pull_columns
from evalharness.errors import ResultsError
from evalharness.records import Interval
from evalharness.repairing.harm import read_harm


def cell(category, class_name, value, *, half=0.05, is_significant=True):
    return PullCell(
        category, class_name, 40, Interval(value, value - half, value + half), 0.001, is_significant, float("nan")
    )


CONCEPTS = [
    {"number": 7, "name": "fur", "role": "distractor"},
    {"number": 8, "name": "concept 8", "role": "object"},
]


def result(folder, concepts=CONCEPTS):
    return SimpleNamespace(folder=folder, manifest={"findings": {"concepts": {"concepts": concepts}}})


def store(folder, name, *cells):
    pd.DataFrame(pull_columns(cells)).to_parquet(folder / name, index=False)


def test_harmful_is_what_the_audit_would_name_strongest_first(tmp_path):
    cells = [
        cell("dog", "roses", 0.2),
        cell("cat", "roses", 0.4),
        cell("cat", "tulips", 0.12),  # its interval reaches below the limit
        cell("bird", "roses", 0.5, is_significant=None),
        cell("bird", "daisy", 0.3, is_significant=False),
    ]
    store(tmp_path, "audit_pull.parquet", *cells)
    harm = read_harm(result(tmp_path), 0.1)
    assert (harm.source, harm.categories) == ("regions", ("cat", "dog"))
    assert [(found.category, found.class_name) for found in harm.cells] == [("cat", "roses"), ("dog", "roses")]
    assert (harm.cells[0].pull, harm.cells[0].p_value) == (cells[1].pull, 0.001)


def test_concepts_are_asked_where_the_regions_are_harmless(tmp_path):
    store(tmp_path, "audit_pull.parquet", cell("dog", "roses", 0.02))
    store(tmp_path, "concepts_pull.parquet", cell("7", "roses", 0.5), cell("8", "daisy", 0.9))
    found = read_harm(result(tmp_path), 0.1)
    assert (found.source, found.categories) == ("concepts", ("fur",))
    store(tmp_path, "audit_pull.parquet", cell("dog", "roses", 0.3))
    assert read_harm(result(tmp_path), 0.1).source == "regions"


def test_without_a_table_nothing_is_known(tmp_path):
    assert read_harm(result(tmp_path), 0.1) is None


def test_nothing_to_repair_names_the_strongest(tmp_path):
    store(tmp_path, "audit_pull.parquet", cell("dog", "roses", 0.03), cell("cat", "roses", 0.09, is_significant=None))
    with pytest.raises(ResultsError, match=r"nothing to repair: .*\(0\.1\), got at most dog to roses \+0\.030"):
        read_harm(result(tmp_path), 0.1)
