"""What the finding says of single rows."""

from types import SimpleNamespace

import pandas as pd

from evalharness.evaluating.stages.concepts.finding import ConceptsFinding


def measured(number, name, *, role="distractor", is_harmful=False):
    return SimpleNamespace(concept=SimpleNamespace(number=number, name=name, role=role, is_harmful=is_harmful))


def test_a_row_says_which_concept_most_of_its_map_lies_on():
    rows = [("a", 1, 0.2, True), ("a", 2, 0.6, True), ("b", 1, 0.3, True), ("b", 2, 0.9, False), ("c", 3, 0.5, True)]
    table = pd.DataFrame(rows, columns=["row_id", "concept", "share", "is_assigned"])
    concepts = (measured(2, "cat", is_harmful=True), measured(1, "concept 1", role="object"))
    finding = ConceptsFinding("m", 12, 1, 1, 1, 1, 0, concepts, (), None, "", None, table)
    assert {name: values.to_dict() for name, values in finding.row_columns.items()} == {
        "looks_at.m": {"a": "60% on cat (harmful)", "b": "30% on concept 1 (object)"}
    }
