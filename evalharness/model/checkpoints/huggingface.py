"""Models of `transformers`: what `config.json` says, and what each tensor is."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from evalharness.config import Pooling
from evalharness.errors import WeightsError
from evalharness.model.checkpoints.assembly import describe_sizes, positions_of, rename
from evalharness.model.checkpoints.description import ModelDescription, Tensors
from evalharness.model.checkpoints.photo_settings import photos_of_processor

PARTS = {
    "attention.attention.query": "query", "attention.attention.key": "key", "attention.attention.value": "value",
    "attention.output.dense": "out", "intermediate.dense": "Dense_0", "output.dense": "Dense_1",
    "layernorm_before": "LayerNorm_0", "layernorm_after": "LayerNorm_2",
    "norm1": "LayerNorm_0", "norm2": "LayerNorm_2", "mlp.fc1": "Dense_0", "mlp.fc2": "Dense_1",
}  # fmt: skip
NAMES = {
    "embeddings.cls_token": "cls", "embeddings.distillation_token": "dist", "embeddings.register_tokens": "registers",
    "embeddings.position_embeddings": "positions",
    "embeddings.patch_embeddings.projection.weight": "embedding/weight",
    "embeddings.patch_embeddings.projection.bias": "embedding/bias",
    "layernorm.weight": "encoder_norm/weight", "layernorm.bias": "encoder_norm/bias",
    "classifier.weight": "head/weight", "classifier.bias": "head/bias",
    "cls_classifier.weight": "head/weight", "cls_classifier.bias": "head/bias",
    "distillation_classifier.weight": "head_dist/weight", "distillation_classifier.bias": "head_dist/bias",
}  # fmt: skip
UNUSED = re.compile(r"embeddings\.(mask_token|position_ids)|pooler\.")
"""Of pre-training, and of a pooler that no classifier of these models reads."""
_BLOCK = re.compile(r"encoder\.layer\.(\d+)\.(.+)\.(weight|bias)")
_SCALE = re.compile(r"encoder\.layer\.(\d+)\.layer_scale([12])\.lambda1")


class Kind(NamedTuple):
    """What distinguishes a `model_type`."""

    prefix: str
    """Of the backbone's tensors in a model with a head."""
    tokens: tuple[str, ...] = ("cls",)
    num_positioned: int = 1
    """Tokens before the patches that have a position."""
    pooling: Pooling = "cls"
    is_antialiased: bool = False


KINDS = {
    "vit": Kind("vit."),
    "vit_msn": Kind("vit."),
    "deit": Kind("deit.", ("cls", "dist"), 2),
    "dinov2": Kind("dinov2.", pooling="cls_mean"),
    "dinov2_with_registers": Kind("dinov2_with_registers.", ("cls", "registers"), 1, "cls_mean", is_antialiased=True),
    "ijepa": Kind("ijepa.", (), 0, "mean"),
}
OTHERS = {
    "swin": "its attention is within shifted windows", "swinv2": "its attention is within shifted windows",
    "siglip": "its pooling is an attention of its own", "siglip_vision_model": "its pooling is an attention of its own",
    "siglip2": "its pooling is an attention of its own", "dinov3_vit": "its positions are rotary",
    "beit": "its positions are relative, inside attention",
    "data2vec-vision": "its positions are relative, inside attention",
    "clip": "it has a norm before its blocks and another activation",
    "clip_vision_model": "it has a norm before its blocks and another activation",
    "vit_hybrid": "convolutions come before its blocks", "vit_mae": "it reconstructs images and has no classifier",
}  # fmt: skip
DEFAULT_EPSILON = {"dinov2": 1e-6, "dinov2_with_registers": 1e-6, "vit_msn": 1e-6}


def describe(config: Mapping[str, Any], tensors: Tensors, processor: Mapping[str, Any] | None, path: Path) -> (
    tuple[ModelDescription, Tensors]
):  # fmt: skip
    """Reads the model from its files.

    Args:
        config: Of `config.json`.
        tensors: By name of the file.
        processor: Of `preprocessor_config.json`, if there is one.
        path: Of the checkpoint.

    Returns:
        The description, and the tensors by name here.

    Raises:
        WeightsError: Another architecture, or a setting that changes what a block or the head computes.
    """
    model_type = str(config.get("model_type"))
    kind = _kind(model_type, path)
    _refuse_settings(config, path)
    named = rename(tensors, lambda name: _translate(name, kind.prefix), path, f"model_type {model_type}")
    sizes = describe_sizes(named, path)
    image_size = _image_size(config)
    patch = sizes["patch_size"]
    registers = named["registers"].shape[1] if "registers" in kind.tokens else 0
    outputs = named["head/weight"].shape[0] if "head/weight" in named else None
    description = ModelDescription(
        architecture=str((config.get("architectures") or [model_type])[0]),
        **sizes,
        num_heads=int(config["num_attention_heads"]),
        epsilon=float(config.get("layer_norm_eps", DEFAULT_EPSILON.get(model_type, 1e-12))),
        pooling="cls_dist" if "head_dist/weight" in named else kind.pooling,
        prefix_tokens=kind.tokens,
        num_prefix_tokens=len(kind.tokens) - bool(registers) + registers,
        positions=positions_of(
            named, (kind.num_positioned,), (image_size[0] // patch, image_size[1] // patch),
            is_antialiased=kind.is_antialiased,
        ),
        is_normed_before_head=False,
        num_outputs=outputs,
        classes=_classes(config, outputs, path),
        photos=photos_of_processor(processor),
    )  # fmt: skip
    return description, named


def _kind(model_type: str, path: Path) -> Kind:
    if model_type not in KINDS:
        reason = OTHERS.get(model_type)
        raise WeightsError(
            f"models of type {model_type} are not read" + (f": {reason}" if reason else ""),
            expected=f"model_type {', '.join(KINDS)}", got=model_type, where=path,
        )  # fmt: skip
    return KINDS[model_type]


def _refuse_settings(config: Mapping[str, Any], path: Path) -> None:
    wanted = {"hidden_act": "gelu", "use_swiglu_ffn": False, "num_channels": 3, "quantization_config": None}
    for key, value in wanted.items():
        got = config.get(key, value)
        if got != value:
            raise WeightsError(
                "weights are quantised" if key == "quantization_config" else f"model with {key}={got} is not read",
                expected=f"{key}={value}", got=got, where=path,
                fix="Save the model before it was quantised" if key == "quantization_config" else None,
            )  # fmt: skip
    problem = config.get("problem_type")
    if problem not in (None, "single_label_classification"):
        raise WeightsError(
            "model gives no single label an image", expected="one label an image", got=problem, where=path
        )
    if "num_attention_heads" not in config:
        raise WeightsError("config tells no number of heads", expected="num_attention_heads", where=path)


def _image_size(config: Mapping[str, Any]) -> tuple[int, int]:
    value = config.get("image_size", 224)
    return (int(value[0]), int(value[1])) if isinstance(value, list) else (int(value), int(value))


def _classes(config: Mapping[str, Any], num_outputs: int | None, path: Path) -> tuple[str, ...] | None:
    """None where the names are those that transformers makes up."""
    names = config.get("id2label")
    if num_outputs is None or not isinstance(names, Mapping):
        return None
    ordered = [str(names[key]) for key in sorted(names, key=int)]
    if len(ordered) != num_outputs:
        raise WeightsError(
            "config and weights are of different models", expected=f"{num_outputs} names in id2label",
            got=len(ordered), where=path, fix="Copy all files of the folder again",
        )  # fmt: skip
    return None if ordered == [f"LABEL_{index}" for index in range(num_outputs)] else distinct(ordered)


def distinct(names: list[str]) -> tuple[str, ...]:
    """The names, a repeated one numbered: ImageNet has two cranes."""
    seen: Counter[str] = Counter()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(numbered)


def _translate(name: str, prefix: str) -> str | None:
    name = name.removeprefix(prefix)
    if UNUSED.match(name):
        return ""
    if found := _SCALE.fullmatch(name):
        return f"encoderblock_{found[1]}/scale_{int(found[2]) - 1}"
    if (found := _BLOCK.fullmatch(name)) and found[2] in PARTS:
        return f"encoderblock_{found[1]}/{PARTS[found[2]]}/{found[3]}"
    return NAMES.get(name)
