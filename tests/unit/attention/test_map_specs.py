"""What the config asks for, as maps with ids; and every mistake in it, told once and clearly."""

import numpy as np
import pytest
import tensorflow as tf

from evalharness.attention import METHODS, ambiguous_targets, check_options, map_specs, target_weights
from evalharness.config import AttentionConfig
from evalharness.errors import ConfigError

CLASSES = ("daisy", "バラ")
EVERY_METHOD = "libra, grad_attention, legrad, grad_cam, rollout, last_attention, occlusion, random, center"


def specs(methods, target="predicted"):
    return map_specs(AttentionConfig(methods=methods, target=target), CLASSES)


def variant(method, **options):
    return {"method": method, "name": "variant", "options": options}


def check(entry):
    check_options(specs([entry]), num_layers=3, num_heads=2, grid_size=(6, 4))


def test_the_table_has_the_nine_methods_in_the_order_of_messages():
    assert ", ".join(METHODS) == EVERY_METHOD
    assert all(method.version >= 1 and method.source for method in METHODS.values())
    is_class_specific = [name for name, method in METHODS.items() if method.is_class_specific]
    assert is_class_specific == ["libra", "grad_attention", "legrad", "grad_cam", "occlusion"]


def test_ids_name_method_and_target():
    assert [spec.map_id for spec in specs(["grad_attention", "rollout"])] == ["grad_attention", "rollout"]
    assert [spec.map_id for spec in specs(["grad_attention", "rollout"], "true")] == ["grad_attention.true", "rollout"]
    assert specs(["grad_attention"], "daisy")[0].map_id == "grad_attention.daisy"
    assert specs(["grad_attention"], "バラ")[0].map_id.isascii()


def test_one_method_for_several_targets_and_their_order_is_kept():
    entries = [{"method": "legrad", "target": target} for target in ("contrast", "predicted", "true", "daisy")]
    found = specs(["center", *entries], "true")
    assert [spec.map_id for spec in found] == ["center", "legrad.contrast", "legrad", "legrad.true", "legrad.daisy"]
    assert [spec.target for spec in found[1:]] == ["contrast", "predicted", "true", "daisy"]


@pytest.mark.parametrize("method", ["rollout", "last_attention", "random", "center"])
def test_maps_that_do_not_see_the_head_have_no_target(method):
    (spec,) = specs([{"method": method, "target": "daisy"}])
    assert (spec.map_id, spec.target) == (method, "predicted")
    with pytest.raises(ConfigError, match="share an id"):
        specs([{"method": method, "target": "daisy"}, method])


def test_specs_carry_options_version_and_sign():
    found = {spec.method: spec for spec in specs([*METHODS])}
    assert {name: spec.options for name, spec in found.items()} == {
        "libra": {"start_layer": 0},
        "grad_attention": {"start_layer": 0},
        "legrad": {"readout": "mean", "start_layer": 0},
        "grad_cam": {},
        "rollout": {"start_layer": 0},
        "last_attention": {"layer": -1, "head": None},
        "occlusion": {"group_size": 2},
        "random": {},
        "center": {},
    }
    assert [name for name, spec in found.items() if spec.is_signed] == ["libra", "occlusion"]
    assert [name for name, spec in found.items() if spec.is_complete] == ["libra"]
    assert all(spec.version == METHODS[name].version for name, spec in found.items())


def test_a_variant_needs_a_name():
    late = {"method": "grad_attention", "options": {"start_layer": 2}}
    with pytest.raises(ConfigError, match=r"variant of grad_attention without a name .*Add a name"):
        specs([late])
    named = specs(["grad_attention", {**late, "name": "late"}])
    assert [spec.map_id for spec in named] == ["grad_attention", "late"]
    assert named[1].options["start_layer"] == 2


def test_options_as_they_are_by_default_need_no_name_and_keep_the_others():
    assert specs([{"method": "occlusion", "options": {"group_size": 2}}])[0].map_id == "occlusion"
    assert specs([variant("last_attention", head=1)])[0].options == {"layer": -1, "head": 1}


@pytest.mark.parametrize(
    ("methods", "target", "message"),
    [
        (["gradcam"], "predicted", f"unknown attention method: expected one of {EVERY_METHOD}, got gradcam"),
        (["rollout", "rollout"], "predicted", "two maps share an id: got rollout .*Give one of them a `name`"),
        (
            ["center", {"method": "center", "name": "center"}],
            "predicted",
            "two maps share an id: got center",
        ),
        ([variant("rollout", head=1)], "predicted", "unknown option of rollout: expected start_layer, got head"),
        ([variant("grad_cam", layer=1)], "predicted", "unknown option of grad_cam: expected none, got layer"),
        (
            [variant("last_attention", heads=1, block=2)],
            "predicted",
            "unknown option of last_attention: expected layer, head, got block, heads",
        ),
        (
            ["grad_attention"],
            "dasiy",
            "unknown attention target: expected predicted, true, contrast, nearest, or one of daisy, バラ, got dasiy",
        ),
        (
            [{"method": "legrad", "target": "rose"}],
            "predicted",
            "unknown attention target: expected predicted, true, contrast, nearest, or one of daisy, バラ, got rose",
        ),
        (
            [{"method": "rollout", "name": "a/b"}],
            "predicted",
            "cannot be a file name: expected at most 80 letters.* got a/b",
        ),
        ([{"method": "rollout", "name": "地図"}], "predicted", "cannot be a file name"),
        ([{"method": "rollout", "name": ""}], "predicted", "cannot be a file name"),
        ([{"method": "rollout", "name": ".."}], "predicted", "cannot be a file name"),
        ([{"method": "rollout", "name": "a" * 81}], "predicted", "cannot be a file name"),
        # Their arrays would be those of another map, or stand for a yardstick.
        (["occlusion", {"method": "rollout", "name": "occlusion.signed"}], "predicted", "map name of rollout is taken"),
        ([{"method": "rollout", "name": "grad_attention.sum"}], "predicted", "map name of rollout is taken"),
        ([{"method": "rollout", "name": "libra.completeness"}], "predicted", "map name of rollout is taken"),
        ([{"method": "rollout", "name": "random"}], "predicted", "map name of rollout is taken"),
    ],
)
def test_mistakes_are_told(methods, target, message):
    with pytest.raises(ConfigError, match=message) as caught:
        specs(methods, target)
    assert "attention." in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (variant("rollout", start_layer=3), "option start_layer of map variant .*: expected 0 to 2, got 3"),
        (variant("grad_attention", start_layer=-1), "expected 0 to 2, got -1"),
        (variant("grad_attention", start_layer=1.5), "expected 0 to 2, got 1.5"),
        (variant("grad_attention", start_layer="first"), "expected 0 to 2, got first"),
        (variant("grad_attention", start_layer=None), "expected 0 to 2, got null"),
        (variant("grad_attention", start_layer=True), "expected 0 to 2, got True"),
        (variant("last_attention", layer=3), "option layer .*: expected -3 to 2, got 3"),
        (variant("last_attention", layer=-4), "expected -3 to 2, got -4"),
        (variant("last_attention", head=2), "option head .*: expected null, or 0 to 1, got 2"),
        (variant("last_attention", head=-1), "expected null, or 0 to 1, got -1"),
        (variant("legrad", readout="max"), "option readout .*: expected head or cls or mean, got max"),
        (variant("legrad", readout=["cls"]), "expected head or cls or mean, got "),
        (variant("occlusion", group_size=0), "option group_size .*: expected 1 to 5 patches, got 0"),
        (variant("occlusion", group_size=6), "expected 1 to 5 patches, got 6"),
        (variant("occlusion", group_size="2"), "expected 1 to 5 patches, got 2"),
    ],
)
def test_options_that_the_model_does_not_have_are_told(entry, message):
    with pytest.raises(ConfigError, match=message) as caught:
        check(entry)
    assert "attention.methods" in str(caught.value)


@pytest.mark.parametrize(
    "entry",
    [
        variant("rollout", start_layer=2),
        variant("last_attention", layer=-3, head=0),
        variant("last_attention", layer=2, head=1),
        variant("last_attention", head=None),
        variant("legrad", readout="mean"),
        variant("occlusion", group_size=1),
        variant("occlusion", group_size=5),
        *METHODS,
    ],
)
def test_options_that_the_model_has_are_taken(entry):
    check(entry)


def test_one_group_that_hides_the_whole_image_is_refused():
    whole = specs([variant("occlusion", group_size=4)])
    with pytest.raises(ConfigError, match="expected 1 to 3 patches, got 4"):
        check_options(whole, num_layers=3, num_heads=2, grid_size=(4, 4))


class TestClassesThatAreCalledLikeTargets:
    CLASSES = ("predicted", "true", "false")

    def spec(self, target):
        (found,) = map_specs(AttentionConfig(methods=["grad_attention"], target=target), self.CLASSES)
        return found

    def test_the_word_is_the_target_and_the_prefix_the_class(self):
        assert self.spec("true").map_id == "grad_attention.true"
        named = self.spec("class:true")
        assert named.target == "class:true"
        assert named.map_id not in ("grad_attention.true", "grad_attention")
        logits, labels = tf.constant([[3.0, 2.0, 1.0]]), tf.constant([2])
        np.testing.assert_array_equal(target_weights("true", logits, labels, self.CLASSES), [[0, 0, 1]])
        np.testing.assert_array_equal(target_weights(named.target, logits, labels, self.CLASSES), [[0, 1, 0]])

    def test_the_prefix_changes_nothing_for_other_classes(self):
        assert self.spec("class:false") == self.spec("false")

    def test_it_is_told(self):
        (sentence,) = ambiguous_targets([self.spec("true")], self.CLASSES)
        assert "not the class called true, which is class:true" in sentence
        assert ambiguous_targets([self.spec("class:true"), self.spec("contrast")], self.CLASSES) == []
        assert ambiguous_targets([self.spec("true")], ("a", "b")) == []

    def test_unknown_targets_list_the_prefix(self):
        with pytest.raises(ConfigError, match="class:predicted, class:true, false"):
            self.spec("roses")
