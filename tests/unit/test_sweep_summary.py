"""The end of a sweep on a terminal: what sets runs apart, what the audit found, which is best."""

import json

import pytest

from evalharness.cli.job import JobOutcome
from evalharness.cli.sweep import what_sets_apart
from evalharness.cli.sweep_summary import _endings, _Member, _name_best, _table
from evalharness.manifest import known_pulls, strongest_pull


def cell(category, class_name, value, is_significant):
    return {"category": category, "class_name": class_name, "is_significant": is_significant, "pull": {"value": value}}


def manifest(accuracy, *, cells=(), with_cat=None, concepts=None):
    accuracies = [{"category": None, "accuracy": {"value": 1.0}}]
    if with_cat is not None:
        accuracies.append({"category": "cat", "accuracy": {"value": with_cat}})
    return {
        "schema_version": 1,
        "metrics": {"accuracy": accuracy, "macro_f1": accuracy, "believe/coverage": 0.5},
        "findings": {
            "regions": {"pull": list(cells), "accuracies": accuracies} if cells else None,
            "concepts": concepts,
        },
    }


@pytest.fixture
def members(tmp_path):
    found = [
        manifest(0.9, cells=[cell("cat", "rose", 0.3, True), cell("dog", "rose", 0.4, False)], with_cat=0.5),
        manifest(0.8, cells=[cell("cat", "rose", 0.01, False)], with_cat=0.7),
    ]
    outcomes = []
    for number, content in enumerate(found):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
        overrides = (f"model.weights='/w/{number}/run{number}.h5'", "attention.methods=[libra]")
        outcomes.append(JobOutcome(number, overrides, results=str(folder), run_name=f"run{number}"))
    outcomes.append(JobOutcome(2, ("model.weights=/w/none.h5", "attention.methods=[libra]"), error="no file\n  at x"))
    return [_Member.of(outcome) for outcome in outcomes]


def test_the_table_has_what_differs_and_what_the_audit_found(members):
    table = _table(members)
    columns = {str(column.header): [cell.plain for cell in column.cells] for column in table.columns}
    assert columns == {
        "#": ["0", "1", "2"],
        "weights": ["run0.h5", "run1.h5", "none.h5"],
        "accuracy": ["0.900", "0.800", "-"],
        "F1": ["0.900", "0.800", "-"],
        "believed": ["0.500", "0.500", "-"],
        "worst with": ["0.500 cat", "0.700 cat", "-"],
        "strongest pull": ["cat to rose +0.300", "none", "-"],
    }


def test_the_best_is_named_by_accuracy_and_by_what_a_distractor_costs(members):
    assert _name_best(members) == [
        "Highest accuracy: #0 (run0), 0.9000; next #1 (run1), 0.8000.",
        "Least harmed by a distractor: #1 (run1), accuracy 0.700 with the worst of them.",
    ]
    assert _name_best(members[1:]) == []
    assert _endings([member.outcome for member in members]) == ["#2: no file at x"]


def test_nothing_is_named_best_where_two_are_equal(members):
    assert _name_best([members[0], members[0]])[0] == "Highest accuracy: several, 0.9000."


def test_pull_is_that_of_concepts_where_nothing_was_annotated():
    entries = [{"name": "concept 1", "role": "distractor"}, {"name": "concept 2", "role": "object"}]
    cells = [
        cell("concept 1", "rose", 0.2, True),
        cell("concept 2", "rose", 0.6, True),
        cell("concept 1", "lily", 0, None),
    ]
    found = manifest(0.9, concepts={"concepts": entries, "pull": cells})
    assert known_pulls(found) == cells[:1]
    assert strongest_pull(found) == cells[0]


def test_weights_of_one_name_in_two_folders_are_told_apart():
    members = [("model.weights=/w/a/x/weights.h5", "seed=1"), ("model.weights='/w/b/weights.h5'", "seed=1")]
    assert [what_sets_apart(own, members) for own in members] == ["a/x", "b"]
    other = [("model.weights=/w/a/one.h5",), ("model.weights=/w/b/two.h5",)]
    assert what_sets_apart(other[0], other) is None
