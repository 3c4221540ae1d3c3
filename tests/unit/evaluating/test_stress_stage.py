"""Rates, shares and the gate, from a made-up table of pasted cut-outs."""

import numpy as np
import pandas as pd
import pytest

from evalharness.attention import METHODS
from evalharness.audit import Resampling
from evalharness.config import GateConfig
from evalharness.evaluating.stages.stress import Stress, StressFinding
from evalharness.evaluating.stages.stress.stage import mapped_spec, summarise_category
from evalharness.records import MapSpec

ROWS = pd.DataFrame(
    {
        "row_id": ["1", "2", "3", "4"],
        "category": "dog",
        "group": ["1", "2", "3", "4"],
        "pred_label": ["roses", "tulips", "roses", "daisy"],
        "flip": [1.0, 1.0, 1.0, 0.0],
        "hidden_flip": [0.0, 1.0, 0.0, 0.0],
        "share": [0.5, 0.1, 0.3, np.nan],
        "clean_share": [0.1, 0.1, 0.1, 0.1],
        "area": [0.1, 0.1, 0.2, 0.4],
        "delta_prob": [0.2, 0.9, 0.4, -0.1],
    }
)
RESAMPLING = Resampling(num_resamples=200)


def dog():
    return summarise_category("dog", ROWS, RESAMPLING)


def found(map_id):
    return StressFinding(map_id, (dog(),), (), None, "", ROWS, paste=None)


def test_means_leave_out_what_is_not_defined_and_lift_is_a_ratio_of_means():
    entry = dog()
    assert (entry.num_images, entry.flips.value, entry.hidden_flips.value) == (4, 0.75, 0.25)
    assert entry.share.value == pytest.approx(0.3)
    # 0.9 / 0.4 over the three images that have a share; the area beside it is of the same three.
    assert entry.area.value == pytest.approx(0.4 / 3)
    assert entry.lift.value == pytest.approx(2.25)
    assert entry.delta_prob.value == pytest.approx(0.35)
    assert list(entry.flips_to.items()) == [("roses", 2), ("tulips", 1)]


@pytest.mark.parametrize(("highest", "is_broken"), [(None, False), (0.75, False), (0.74, True)])
def test_the_gate_names_the_flipped_rows_most_weakened_first(highest, is_broken):
    broken = Stress(None).broken_gates(GateConfig(max_stress_flip_rate=highest), found("m"))
    assert len(broken) == is_broken
    if is_broken:
        assert "dog changes 75.0% of verdicts, more than 74.0%; most in 2, 3, 1" in broken[0]


def test_metrics_leave_out_the_share_where_there_is_no_map():
    assert set(found("m").measures) == {
        "stress/dog/flip_rate",
        "stress/dog/captured_share",
    }
    assert set(found(None).measures) == {"stress/dog/flip_rate"}


def test_the_first_map_that_depends_on_the_class_tells_what_is_captured():
    specs = [MapSpec(name, name, "predicted", {}, METHODS[name].version) for name in ("rollout", "legrad", "grad_cam")]
    assert mapped_spec(specs).map_id == "legrad"
    assert mapped_spec(specs[:1]).map_id == "rollout"
    assert mapped_spec([]) is None
