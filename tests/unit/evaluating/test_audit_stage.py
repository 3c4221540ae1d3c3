"""Steps between regions, erased images and the audit: controls on the grid, clean rows, gates."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from evalharness.audit import (
    CategoryRegions,
    ImageRegions,
    PullCell,
    PullEvidence,
    Resampling,
    audit_category,
    measure_effects,
    pull_matrix,
)
from evalharness.config import GateConfig
from evalharness.evaluating.stages.audit.erasures import plan_regions
from evalharness.evaluating.stages.audit.finding import AuditFinding, CategoryAccuracy
from evalharness.evaluating.stages.audit.gates import broken_gates
from evalharness.evaluating.stages.audit.outlines import store_outlines
from evalharness.evaluating.stages.audit.stage import _accuracies, _gains, _on_grid, _seen_in_few
from evalharness.records import Extent, Interval

SIDE, PATCH = 16, 4
CONFIG = SimpleNamespace(num_controls=2, controls_avoid=("distractor",), erase_roles=("object",))
ROLES = {"rose": "object", "dog": "distractor"}
ROWS = SimpleNamespace(
    session=SimpleNamespace(
        model_properties=SimpleNamespace(grid_size=(4, 4)),
        inputs=SimpleNamespace(config=SimpleNamespace(audit=CONFIG)),
    )
)


def rectangle(top, left, height, width):
    pixels = np.zeros((SIDE, SIDE), np.float32)
    pixels[top : top + height, left : left + width] = 1
    return pixels


def regions(coverage, ignored=None):
    nothing = np.zeros((SIDE, SIDE), np.float32)
    return ImageRegions(coverage, nothing if ignored is None else ignored, np.ones((SIDE, SIDE), np.bool_))


def test_a_control_loses_what_is_ignored_as_its_region_would():
    found = regions({"dog": rectangle(0, 0, 4, 8)}, ignored=rectangle(8, 4, 8, 12))
    row = {
        "category": "dog",
        "offsets": [8, 0],
        "erased_logits": [0.0, 0.0],
        "control_logits": [0.0, 0.0, np.nan, np.nan],
    }
    on_grid = _on_grid(ROWS, found, row)
    first, missing = on_grid["controls"]
    # Two patches further down; the right one is ignored.
    expected = np.zeros((4, 4))
    expected[2, 0] = 1
    np.testing.assert_array_equal(first, expected)
    assert np.isnan(missing).all()
    np.testing.assert_array_equal(on_grid["coverage"], [[1, 1, 0, 0], *[[0] * 4] * 3])


def test_heat_on_ignored_patches_raises_no_threshold():
    """A map that is hot on an ignored patch alone, over which every control lies with one half."""
    num_images = 12
    maps = np.ones((num_images, 1, 4))
    maps[:, 0, 3] = 97
    ignored = np.tile([[0, 0, 0, 1.0]], (num_images, 1, 1))
    coverage = np.tile([[1.0, 0, 0, 0]], (num_images, 1, 1))
    control = np.tile([[0, 0, 1.0, 0]], (num_images, 2, 1, 1))
    logits = np.tile([2.0, 0.0], (num_images, 1))
    summary, _ = audit_category(
        "m",
        maps,
        CategoryRegions("dog", "distractor", coverage, ignored, control),
        measure_effects(logits, logits, np.repeat(logits[:, None], 2, axis=1)),
    )
    assert summary.looks_threshold == pytest.approx(1)
    assert summary.looks.lift.value == pytest.approx(1)


def test_a_control_never_overlaps_its_own_region():
    """Objects are erased and, in photos that they fill, not avoided: but a control is to be elsewhere."""
    sample = SimpleNamespace(row_id="a")
    num_controls = 0
    for number in range(40):
        sample.row_id = f"row {number}"
        (plan,) = plan_regions(sample, regions({"rose": rectangle(2, 2, 4, 4)}), ROLES, CONFIG)
        for index in range(len(plan.erasure.offsets)):
            num_controls += 1
            assert not (plan.erasure.control(index) & (rectangle(2, 2, 4, 4) > 0)).any()
    assert num_controls == 80


def test_gains_are_against_the_clean_row_where_the_csv_names_one():
    rows = SimpleNamespace(
        samples=[SimpleNamespace(clean_row_id=clean) for clean in ("", "0", "gone")],
        positions={"0": 0},
        logits=np.log([[0.8, 0.2], [0.3, 0.7], [0.5, 0.5]]),
    )
    parts = {
        "position": np.array([1, 2]),
        "erased_logits": np.log([[0.5, 0.5], [0.1, 0.9]]),
        "control_logits": np.log([[[0.3, 0.7]], [[0.5, 0.5]]]),
    }
    clean = _gains(rows, parts, names_clean_rows=True)
    np.testing.assert_allclose(clean, [[-0.5, 0.5], [np.nan, np.nan]])
    erased = _gains(rows, parts, names_clean_rows=False)
    np.testing.assert_allclose(erased, [[-0.2, 0.2], [0.4, -0.4]])


def audited(num_images, *, deltas, lift):
    """A dog of which this many images hold some."""
    logits = np.tile([5.0, 0.0], (num_images, 1))
    erased = logits - np.stack([deltas, np.zeros(num_images)], axis=1)
    controls = np.repeat(logits[:, None], 4, axis=1)
    maps = np.ones((num_images, 2, 2))
    maps[:, 0, 0] = lift
    coverage, control = np.zeros((num_images, 2, 2)), np.zeros((num_images, 4, 2, 2))
    coverage[:, 0, 0], control[:, :, 1, 1] = 1, 1
    found = CategoryRegions("dog", "distractor", coverage, np.zeros_like(coverage), control)
    summary, scores = audit_category("m", maps, found, measure_effects(logits, erased, controls))
    table = pd.DataFrame(
        {
            "row_id": [f"r{number}" for number in range(num_images)], "map_id": "m", "category": "dog",
            "lift": scores.looks.lift, "quadrant": scores.judgement.quadrants, "delta_logit": deltas,
        }
    )  # fmt: skip
    return AuditFinding((summary,), (), (), None, "", "", table)


def test_looks_compare_lifts_and_effects_are_of_the_probability():
    found = audited(10, deltas=np.full(10, 6.0), lift=1.2).categories[0]
    # Lift 4 x 1.2 / 4.2, above the controls' 4 / 4.2; its share of 0.29 is below.
    assert found.looks_threshold == pytest.approx(4 / 4.2)
    assert found.quadrants["relies"].interval.value == 1
    assert found.delta_prob.value == pytest.approx(1 / (1 + np.exp(-5)) - 1 / (1 + np.exp(1)))
    assert found.flips.interval.value == 1


def test_gates_name_the_worst_rows():
    found = audited(10, deltas=np.where(np.arange(10) < 4, np.arange(10) + 1.0, 0), lift=5)
    broken = broken_gates(GateConfig(max_relies_rate=0.3, max_distractor_lift=2), found)
    assert broken == (
        "gate.max_distractor_lift: the lift of dog on m is 2.50, more than 2; highest in r0, r1, r2, r3, r4",
        "gate.max_relies_rate: 40.0% of verdicts rely on dog (m), more than 30.0%; first of all r3, r2, r1, r0",
    )
    assert broken_gates(GateConfig(max_relies_rate=0.4, max_distractor_lift=2.5), found) == ()


def test_a_row_says_which_region_most_of_its_map_lies_on():
    rows = [("a", "m", "dog", 0.2, "clean"), ("a", "m", "cat", 0.7, "relies"), ("b", "m", "dog", 0.31, "undetermined"),
            ("c", "m", "dog", np.nan, "clean"), ("a", "n", "dog", 0.5, "looks only"),
            ("d", "m", "rose", 0.9, "relies")]  # fmt: skip
    table = pd.DataFrame(rows, columns=["row_id", "map_id", "category", "share", "quadrant"])
    table["role"] = np.where(table["category"] == "rose", "object", "distractor")
    columns = replace(audited(4, deltas=np.ones(4), lift=1), table=table).row_columns
    assert {name: values.to_dict() for name, values in columns.items()} == {
        "looks_at.m": {"a": "70% on cat (relies)", "b": "31% on dog", "d": "90% on rose (object)"},
        "looks_at.n": {"a": "50% on dog (looks only)"},
    }


def test_what_is_not_known_does_not_hold():
    found = audited(4, deltas=np.ones(4), lift=np.nan)
    broken = broken_gates(GateConfig(max_relies_rate=0.9, max_distractor_lift=9), found)
    assert [text.split(":")[0] for text in broken] == ["gate.max_distractor_lift", "gate.max_relies_rate"]
    assert all("too few of its 4 images can tell" in text for text in broken)
    assert broken_gates(GateConfig(), found) == ()


def test_a_gate_on_distractors_does_not_hold_where_none_was_measured():
    gate = GateConfig(max_relies_rate=0.9)
    (text,) = broken_gates(gate, None)
    assert text.startswith("gate.max_relies_rate: not known: no distractor was measured")
    found = audited(10, deltas=np.zeros(10), lift=1)
    flower = AuditFinding((replace(found.categories[0], role="object"),), (), (), None, "", "", found.table)
    assert broken_gates(gate, flower) == (text,)
    assert broken_gates(GateConfig(), flower) == ()


def test_padding_is_left_out_on_the_grid():
    """A photo in the upper half of the input, its leaf ignored: the lower half counts no more than the leaf."""
    photo = rectangle(0, 0, 8, 16) > 0
    found = ImageRegions({"dog": rectangle(0, 0, 4, 8)}, rectangle(4, 12, 4, 4), photo)
    row = {"category": "dog", "offsets": [], "erased_logits": [0.0, 0.0], "control_logits": [np.nan] * 4}
    expected = [[0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
    np.testing.assert_array_equal(_on_grid(ROWS, found, row)["ignored"], expected)
    (plan,) = plan_regions(
        SimpleNamespace(row_id="a"), found, ROLES, SimpleNamespace(**{**vars(CONFIG), "erase_roles": ("distractor",)})
    )
    image = np.where(photo[..., None], 90, 0).astype(np.uint8).repeat(3, axis=2)
    assert (plan.erase(image, plan.erasure.pixels, "mean") == image).all()


def _category(name, positions, role="distractor", flips=None):
    flips = np.zeros(len(positions)) if flips is None else np.array(flips, float)
    return SimpleNamespace(
        regions=SimpleNamespace(category=name, role=role), positions=positions, effects=SimpleNamespace(flips=flips)
    )


def _six_rows():
    """Verdicts right, wrong, right, wrong, right, right."""
    verdicts = np.array([0, 1, 1, 0, 0, 1])
    return SimpleNamespace(
        is_wrong=verdicts != np.array([0, 0, 1, 1, 0, 1]),
        groups=list("abcdef"),
        session=SimpleNamespace(inputs=SimpleNamespace(resampling=Resampling(50))),
    )


def test_accuracy_is_told_without_a_distractor_and_with_each():
    categories = [_category("cat", [1, 2]), _category("dog", [2, 3]), _category("rose", [4], role="object")]
    found = _accuracies(_six_rows(), categories)
    assert [(entry.category, entry.num_images, entry.accuracy.value) for entry in found] == [
        (None, 3, 1.0), ("cat", 2, 0.5), ("dog", 2, 0.5),
    ]  # fmt: skip
    assert _accuracies(_six_rows(), categories[2:]) == ()


def test_a_distractor_in_too_few_images_is_told_by_what_was_seen():
    cells = pull_matrix([PullEvidence("cat", np.array([0, 1]), np.zeros((2, 2)))], ["rose", "tulip"])
    table = pd.DataFrame({"map_id": ["m", "m", "n"], "category": ["cat", "cat", "cat"], "looks": [1.0, 0.0, 0.0]})
    (found,) = _seen_in_few(_six_rows(), [_category("cat", [1, 2], flips=[1, 0])], cells, table)
    assert found.is_wrong.tolist() == [True, False]
    assert found.looks.tolist() == [1, 0]
    assert found.num_able == 1
    tested = [replace(cells[0], is_significant=False), cells[1]]
    assert _seen_in_few(_six_rows(), [_category("cat", [1, 2])], tested, table) == []


def test_runs_are_compared_by_accuracy_with_and_without_distractors_and_by_the_strongest_pull():
    with_cat = CategoryAccuracy("cat", 80, Interval(0.7, 0.6, 0.8))
    cells = [PullCell("cat", name, 80, Interval(pull, 0, 1), 0.01, True, 0) for name, pull in (("a", 0.3), ("b", 0.1))]
    found = replace(
        audited(10, deltas=np.zeros(10), lift=1),
        accuracies=(CategoryAccuracy(None, 300, Interval(0.9, 0.8, 1)), with_cat),
        pull=(*cells, PullCell("dog", "a", 3, Interval(0.9, 0, 1), np.nan, None, 0)),
    )
    numbers = found.measures
    assert numbers["audit/accuracy_without_distractor"] == 0.9
    assert numbers["audit/cat/accuracy"] == numbers["audit/lowest_accuracy"] == 0.7
    assert numbers["audit/cat/pull"] == numbers["audit/max_pull"] == 0.3
    assert "audit/dog/pull" not in numbers


def test_outlines_are_kept_of_every_annotated_category_of_every_annotated_image():
    thin = np.zeros((SIDE, SIDE), np.float32)
    thin[:, 3] = 0.2
    found = {"both": regions({"rose": rectangle(0, 0, 8, 8), "dog": thin}), "none": None}
    session = SimpleNamespace(
        inputs=SimpleNamespace(fingerprint="f"),
        regions_on_input=found.get,
        photos=SimpleNamespace(extent=lambda _: Extent(0.0, 1.0, -0.5, 1.5)),
    )
    kept = []

    def stored_table(name, key, make):
        kept.append((name, key["annotations"]))
        return make()

    rows = SimpleNamespace(
        session=session, stored_table=stored_table,
        samples=[SimpleNamespace(row_id=name) for name in ("both", "none", "unseen")],
    )  # fmt: skip
    annotations = SimpleNamespace(digest="d", roles=ROLES, regions={"both": (1,), "none": ()})
    table = store_outlines(rows, annotations)
    assert kept == [("region_outlines", "d")]
    assert list(zip(table["row_id"], table["category"], table["role"], strict=True)) == [
        ("both", "rose", "object"), ("both", "dog", "distractor"),
    ]  # fmt: skip
    (rose,), (dog,) = table["outlines"]
    # The photo is twice as wide as what the model saw of it, which begins at a quarter.
    np.testing.assert_allclose((min(rose[::2]), max(rose[::2]), max(rose[1::2])), (0.25, 0.5, 0.5), atol=0.01)
    assert max(dog[1::2]) == pytest.approx(1, abs=0.01), "though no pixel is half covered"
