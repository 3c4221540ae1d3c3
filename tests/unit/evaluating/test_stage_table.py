"""Every stage of the table meets what the loops over it expect."""

import json
from dataclasses import dataclass

import pandas as pd
import pytest

from evalharness.config import RunConfig
from evalharness.config.compose import compose_config, overrides_from
from evalharness.evaluating.complete import plain_findings
from evalharness.evaluating.pipeline import broken_gates, examine
from evalharness.evaluating.stage import Finding, Findings, Stage
from evalharness.evaluating.stages.registry import STAGES

each_stage = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)


@pytest.fixture(scope="module")
def config():
    return compose_config(overrides_from({"model.weights": "a.h5", "dataset.csv": "b.csv"}))


def test_names_and_digests_are_of_one_stage_each(config):
    names = [stage.name for stage in STAGES]
    digests = [name for stage in STAGES for name in stage.prepare(config).digests]
    assert len(set(names)) == len(names)
    assert len(set(digests)) == len(digests)
    assert "broken_gates" not in names


@each_stage
def test_a_stage_is_off_by_default_and_its_section_is_one_of_the_config(stage, config):
    prepared = stage.prepare(config)
    assert set(prepared.digests.values()) <= {None}
    assert tuple(prepared.long_checks) == ()
    assert tuple(prepared.broken_gates(config.gate, None)) == ()
    assert stage.section is None or stage.section in RunConfig.model_fields
    json.dumps(stage.nothing)


def test_what_no_stage_found_is_nothing_in_the_order_of_the_table():
    plain = plain_findings(Findings({}), ["a gate"])
    assert list(plain) == [*(stage.name for stage in STAGES), "broken_gates"]
    assert plain == {**{stage.name: stage.nothing for stage in STAGES}, "broken_gates": ["a gate"]}


@dataclass(frozen=True)
class Counted(Finding):
    """How many findings there were before."""

    count: int

    @property
    def title(self):
        return "Counted"

    @property
    def sentence(self):
        return f"{self.count} before."

    @property
    def plain(self):
        return {"count": self.count}


class Count(Stage[Counted]):
    """Counts what was found before it."""

    name = "count"

    @classmethod
    def prepare(cls, config):
        return cls()

    def examine(self, rows, earlier):
        return Counted(len(list(earlier)))

    def broken_gates(self, config, found):
        return (found.sentence,)


class Again(Count):
    """The same, told of the first."""

    name = "again"

    def examine(self, rows, earlier):
        return Counted(10 + earlier.of(Counted).count + len(list(earlier)))


class Off(Count):
    """Finds nothing."""

    name = "off"

    def examine(self, rows, earlier):
        return None

    def broken_gates(self, config, found):
        return () if found is None else ("found",)


def test_stages_run_in_their_order_and_see_what_those_before_them_found(config):
    stages = [Count(), Off(), Again()]
    findings = examine(None, stages)
    assert {name: found and found.count for name, found in findings.by_stage.items()} == {
        "count": 0, "off": None, "again": 11,
    }  # fmt: skip
    assert [found.count for found in findings] == [0, 11]
    inputs = type("Inputs", (), {"config": config})
    assert broken_gates(inputs, stages, findings) == ["0 before.", "11 before."]


@dataclass(frozen=True)
class Remarked(Counted):
    """Says something of some rows."""

    of_rows: dict[str, str]

    @property
    def row_columns(self):
        return {"remark": pd.Series(self.of_rows, dtype=object)}


def test_a_row_keeps_what_the_first_stage_says_of_it():
    findings = Findings({"one": Remarked(1, {"a": "cat"}), "two": Remarked(2, {"a": "concept 1", "b": "concept 2"})})
    (column,) = findings.row_columns.values()
    assert column.to_dict() == {"a": "cat", "b": "concept 2"}


def test_a_finding_has_no_numbers_columns_or_figures_unless_it_says_so():
    found = Counted(1)
    assert (found.measures, found.row_columns, found.draw(None)) == ({}, {}, None)
