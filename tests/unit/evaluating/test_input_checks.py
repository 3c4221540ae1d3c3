"""What is refused before anything is computed: gates that nothing measures, regions without a map."""

import pytest

from evalharness.config.compose import compose_config, overrides_from
from evalharness.errors import ConfigError
from evalharness.evaluating.inputs import read_regions
from evalharness.evaluating.stages.registry import STAGES

CONTRAST = {"method": "grad_attention", "target": "contrast"}


def config(values):
    return compose_config(overrides_from({"model.weights": "a.h5", "dataset.csv": "b.csv", **values}))


def prepare(values):
    return [stage.prepare(config(values)) for stage in STAGES]


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"gate.attention": True}, "faithfulness.num_images"),
        ({"gate.max_stress_flip_rate": 0.1}, "stress.num_images"),
        ({"gate.max_distractor_lift": 2}, "dataset.annotations"),
        ({"gate.max_relies_rate": 0.1}, "dataset.annotations"),
        ({"gate.attention": True, "faithfulness.num_images": 8, "attention.target": "true"}, "attention.methods"),
        ({"gate.attention": True, "faithfulness.num_images": 8, "attention.methods": []}, "attention.methods"),
        (
            {"gate.attention": True, "faithfulness.num_images": 8, "attention.methods": [CONTRAST, "grad_attention"]},
            "attention.methods",
        ),
    ],
)
def test_a_gate_that_nothing_measures_is_refused(values, where):
    with pytest.raises(ConfigError, match=where):
        prepare(values)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"gate.attention": True, "faithfulness.num_images": 8},
        {"gate.attention": True, "faithfulness.num_images": 8, "attention.methods": ["grad_attention", CONTRAST]},
        {"gate.max_stress_flip_rate": 0.1, "stress.num_images": 4},
        {"gate.max_distractor_lift": 2, "gate.max_relies_rate": 0.1, "dataset.annotations": "regions.json"},
    ],
)
def test_a_gate_that_is_measured_is_accepted(values):
    prepare(values)


def test_regions_without_a_map_to_audit_are_refused():
    settings = config({"dataset.annotations": "regions.json", "attention.methods": []})
    with pytest.raises(ConfigError, match=r"attention\.methods.*dataset\.annotations=null"):
        read_regions(settings, None, ())
