"""What the config asks for, as maps with ids."""

import pytest

from evalharness.attention import check_options, map_specs
from evalharness.config.schema import AttentionConfig
from evalharness.errors import ConfigError

CLASSES = ("daisy", "バラ")


def specs(methods, target="predicted"):
    return map_specs(AttentionConfig(methods=methods, target=target), CLASSES)


def test_ids_name_method_and_target():
    assert [spec.map_id for spec in specs(["grad_attention", "rollout"])] == ["grad_attention", "rollout"]
    assert [spec.map_id for spec in specs(["grad_attention", "rollout"], "true")] == ["grad_attention.true", "rollout"]
    assert specs(["grad_attention"], "daisy")[0].map_id == "grad_attention.daisy"
    assert specs(["grad_attention"], "バラ")[0].map_id.isascii()


def test_a_variant_needs_a_name():
    late = {"method": "grad_attention", "options": {"start_layer": 2}}
    with pytest.raises(ConfigError, match="without a name"):
        specs([late])
    named = specs(["grad_attention", {**late, "name": "late"}])
    assert [spec.map_id for spec in named] == ["grad_attention", "late"]
    assert named[1].options["start_layer"] == 2


@pytest.mark.parametrize(
    ("methods", "target", "message"),
    [
        (["gradcam"], "predicted", "one of grad_attention, rollout, last_attention"),
        (["rollout", "rollout"], "predicted", "share an id"),
        ([{"method": "rollout", "options": {"head": 1}}], "predicted", "unknown option of rollout"),
        (["grad_attention"], "dasiy", "unknown attention target"),
        ([{"method": "rollout", "name": "a/b"}], "predicted", "cannot be a file name"),
    ],
)
def test_mistakes_are_told(methods, target, message):
    with pytest.raises(ConfigError, match=message):
        specs(methods, target)


def test_layers_are_checked_against_the_model():
    late = specs([{"method": "rollout", "name": "late", "options": {"start_layer": 3}}])
    check_options(late, num_layers=4, num_heads=2, grid_size=(4, 4))
    with pytest.raises(ConfigError, match="expected 0 to 2, got 3"):
        check_options(late, num_layers=3, num_heads=2, grid_size=(4, 4))
