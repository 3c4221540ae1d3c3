"""What the schema takes and refuses, through Hydra as on the command line."""

import pytest

from evalharness.config.compose import compose_config, compose_section
from evalharness.errors import ConfigError

NEEDED = ["model.weights=a.h5", "dataset.csv=b.csv"]
CUSTOM = [
    *("model=custom", "model.preprocessing=vit", "model.image_size=32", "model.patch_size=8"),
    *("model.num_layers=2", "model.hidden_size=16", "model.num_heads=2", "model.mlp_dim=24"),
]


def config(*overrides):
    return compose_config([*NEEDED, *overrides])


def refusal(*overrides):
    with pytest.raises(ConfigError) as raised:
        config(*overrides)
    return str(raised.value)


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("seed=-1", "seed: Input should be greater than or equal to 0, got -1"),
        ("seed=4294967296", "seed: Input should be less than 4294967296"),
        ("batch_size=true", "batch_size: expected a number, got True"),
        ("limit=true", "limit: expected a number, got True"),
        ("model.image_size=true", "model.image_size: expected a number of pixels above 0, or [height,width], got True"),
        ("model.image_size=-224", "model.image_size: expected a number of pixels above 0"),
        ("model.image_size=0", "model.image_size: expected a number of pixels above 0"),
        ("model.image_size=[0,224]", "model.image_size.0: Input should be greater than 0"),
        ("model.head=[{layer: dense, units: 0}]", "model.head.0.units: expected a number above 0, or `classes`, got 0"),
        ("model.head=[{layer: dense, units: true}]", "model.head.0.units: expected a number, got True"),
        ("model.head=[{layer: dropout, rate: 1}]", "model.head.0.rate"),
        ("report.density_max=inf", "report.density_max: Input should be a finite number, got inf"),
        ("report.density_max=nan", "report.density_max: Input should be a finite number, got nan"),
        ("gate.max_distractor_lift=inf", "gate.max_distractor_lift: Input should be a finite number"),
        ("stress.scale=[nan,0.5]", "stress.scale.0: Input should be a finite number"),
        ("model.head=[{layer: batch_normalization, epsilon: inf}]", "model.head.0.epsilon: Input should be a finite"),
        ("what_is_it.model={a: [1, nan]}", "what_is_it.model: numbers must be finite"),
        (
            "attention.methods=[{method: rollout, options: {a: inf}}]",
            "attention.methods.0.options: numbers must be fin",
        ),
        ("tracking.experiment=''", "tracking.experiment: String should have at least 1 character"),
        ("attention.methods=rollout", "attention.methods: expected a list, such as [rollout], got 'rollout'"),
        ("what_is_it.classes=cat", "what_is_it.classes: expected a list, such as [cat], got 'cat'"),
        ("audit.roles=cat", "audit.roles: expected a mapping, such as {a: b}, got 'cat'"),
    ],
)
def test_values_out_of_range_are_refused(override, part):
    assert part in refusal(override)


@pytest.mark.parametrize("size", ["patch_size", "num_layers", "hidden_size", "num_heads", "mlp_dim"])
@pytest.mark.parametrize("value", ["0", "-1", "true"])
def test_sizes_of_a_backbone_are_numbers_above_0(size, value):
    assert f"model.{size}: " in refusal(*CUSTOM, f"model.{size}={value}")


def test_the_whole_range_of_seeds_and_of_switches_is_taken():
    assert [config(f"seed={seed}").seed for seed in (0, 2**32 - 1)] == [0, 2**32 - 1]
    assert config("report.html=false").report.html is False


def test_the_target_true_is_a_word():
    assert config("attention.target=true").attention.target == "true"
    found = config("attention.methods=[{method: grad_attention, target: true}]")
    assert found.attention.methods[0].target == "true"


def test_numbers_and_booleans_are_taken_as_names():
    found = config(
        "dataset.name=2024", "dataset.classes=[0,1,2]", "model.classes=[true,false]", "tracking.run_name=7",
        "tracking.experiment=2.5", "runs_dir=2024", "output_dir=3", "dataset.label_column=0",
    )  # fmt: skip
    assert (found.dataset.name, found.dataset.classes, found.dataset.label_column) == ("2024", ("0", "1", "2"), "0")
    assert found.model.classes == ("true", "false")
    assert (found.tracking.run_name, found.tracking.experiment) == ("7", "2.5")
    assert (str(found.runs_dir), str(found.output_dir)) == ("2024", "3")


@pytest.mark.parametrize(
    ("override", "tags"),
    [
        ("tracking.tags={team: x}", {"team": "x"}),
        ("+tracking.tags.team=x", {"team": "x"}),
        ("tracking.tags={a: 1, 2: true}", {"a": "1", "2": "true"}),
        ("tracking.tags={}", {}),
        ("tracking.tags=null", {}),
    ],
)
def test_tags(override, tags):
    assert config(override).tracking.tags == tags


@pytest.mark.parametrize("override", ["model.builder_args={a: 1}", "+model.builder_args.a=1"])
def test_arguments_of_a_builder(override):
    found = config("model=builder", "model.builder=mine.build", "model.preprocessing=vit", override)
    assert found.model.builder_args == {"a": 1}


@pytest.mark.parametrize(
    "preset",
    [
        *(["model=notebook"], CUSTOM, ["model=from_file", "model.allow_code=true", "model.preprocessing=vit"]),
        ["model=builder", "model.builder=mine.build", "model.preprocessing=vit"],
        *([f"model={name}", "model.preprocessing=vit"] for name in ("vit_b16", "vit_b32", "vit_l16", "vit_l32")),
    ],
    ids=lambda preset: preset[0],
)
def test_output_and_precision_can_be_set_with_every_preset(preset):
    found = config(*preset).model
    assert (found.output, found.precision) == ("auto", "float32")
    found = config(*preset, "model.output=logits", "model.precision=bfloat16").model
    assert (found.output, found.precision) == ("logits", "bfloat16")


def test_a_section_is_checked_as_the_whole_is():
    assert str(compose_section(["runs_dir=2024"], "runs_dir")["runs_dir"]) == "2024"
    assert compose_section(["tracking.tags={a: 1}"], "tracking")["tracking"].tags == {"a": "1"}
    with pytest.raises(ConfigError, match=r"tracking\.experiment: String should have at least 1 character"):
        compose_section(["tracking.experiment=''"], "tracking", "runs_dir")


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("dataset.classes=[a,b", ["[a,b] for lists", "inner quotes"]),
        ("audit.roles={花: object}", ["inner quotes", "got audit.roles={花: object}"]),
        ("bootstrap.confidence=0,9(5)", ["\"bootstrap.confidence='0,9(5)'\""]),
        ("batch_size=${x}", ["inner quotes", r"""'model.weights="\${my}.h5"'"""]),
        ("limit", ["key=value"]),
        ("tracking.tags.team=x", ["+tracking.tags.team=x", "open mapping"]),
        ("attention.methods={method: rollout}", ["[a,b]"]),
    ],
)
def test_what_hydra_refuses_comes_with_the_cure(override, parts):
    message = refusal(override)
    assert "LexerNoViableAlt" not in message
    for part in parts:
        assert part in message


def test_the_cures_work():
    assert config("model.weights='花.h5'").model.weights == "花.h5"
    assert config(r'model.weights="\${my}.h5"').model.weights == "${my}.h5"
