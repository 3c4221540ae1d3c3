"""Models of `timm`: what its `config.json` says, and what each tensor is."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalharness.config import Pooling
from evalharness.errors import WeightsError
from evalharness.model.checkpoints.assembly import describe_sizes, positions_of, rename
from evalharness.model.checkpoints.description import ModelDescription, Tensors
from evalharness.model.checkpoints.huggingface import distinct
from evalharness.model.checkpoints.photo_settings import photos_of_timm

PARTS = {
    "norm1": "LayerNorm_0", "attn.qkv": "qkv", "attn.proj": "out", "norm2": "LayerNorm_2", "mlp.fc1": "Dense_0",
    "mlp.fc2": "Dense_1",
}  # fmt: skip
OWNERS = {
    "patch_embed.proj": "embedding", "norm": "encoder_norm", "fc_norm": "fc_norm", "head": "head",
    "head_dist": "head_dist",
}  # fmt: skip
TOKENS = {"cls_token": "cls", "dist_token": "dist", "reg_token": "registers", "pos_embed": "positions"}
_BLOCK = re.compile(r"blocks\.(\d+)\.(.+)\.(weight|bias)")
_SCALE = re.compile(r"blocks\.(\d+)\.ls([12])\.gamma")
HEADS = {
    64: 2, 96: 3, 192: 3, 256: 4, 320: 5, 384: 6, 512: 8, 640: 10, 768: 12, 832: 13, 896: 14, 1024: 16, 1152: 16,
    1280: 16, 1408: 16, 1664: 16,
}  # fmt: skip
"""Attention heads by hidden size, of every plain Vision Transformer of timm but the next."""
HEADS_OF = {"vit_base_patch16_gap_224": 16}
FAMILIES = ("vit_", "deit_", "deit3_", "flexivit_")
OTHERS = {
    "siglip": "its pooling is an attention of its own, or its activation another",
    "clip": "it has a norm before its blocks",
    "swin": "its attention is within shifted windows", "dinov3": "its positions are rotary",
    "beit": "its positions are relative, inside attention", "eva": "its positions are rotary",
    "rope": "its positions are rotary", "relpos": "its positions are relative, inside attention",
    "intern": "its norm is another", "so400m": "its activation is another", "_18x2_": "its blocks are parallel",
    "_xp_": "its blocks are parallel", "pwee": "its blocks are parallel",
    "_rpn_": "its norms come after attention and MLP", "_map_": "its pooling is an attention of its own",
    "giant_patch14_dinov2": "its MLP is gated (SwiGLU)", "giant_patch14_reg4": "its MLP is gated (SwiGLU)",
}  # fmt: skip
POOLING: dict[str, Pooling] = {"token": "cls", "avg": "mean"}
EPSILON = 1e-6
"""Of every layer norm in these families."""


def describe(
    config: Mapping[str, Any], tensors: Tensors, architecture: str | None, path: Path
) -> tuple[ModelDescription, Tensors]:
    """Reads the model from its files.

    Args:
        config: Of `config.json`; empty where there is none.
        tensors: By name of the file.
        architecture: timm's name of the model, which comes before that of the config.
        path: Of the checkpoint.

    Returns:
        The description, and the tensors by name here.

    Raises:
        WeightsError: Another architecture, or a pooling that has no place here.
    """
    name = architecture or config.get("architecture")
    settings, arguments = config.get("pretrained_cfg") or {}, config.get("model_args") or {}
    _check_family(name, path)
    named = rename(tensors, _translate, path, f"architecture {name}" if name else "no architecture is named")
    sizes = describe_sizes(named, path)
    tokens = tuple(token for token in ("cls", "dist", "registers") if token in named)
    num_prefix = sum(named[token].shape[-2] for token in tokens)
    outputs = named["head/weight"].shape[0] if "head/weight" in named else None
    photos = photos_of_timm(settings, arguments.get("img_size"))
    height, width = photos.image_size or (0, 0)
    patch = sizes["patch_size"]
    num_heads = (
        arguments.get("num_heads") or HEADS_OF.get(str(name)) or (HEADS.get(sizes["hidden_size"]) if name else None)
    )
    description = ModelDescription(
        architecture=str(name or "timm"),
        **sizes,
        num_heads=num_heads,
        epsilon=EPSILON,
        pooling=_pooling(config, arguments, named, path),
        prefix_tokens=tokens,
        num_prefix_tokens=num_prefix,
        positions=positions_of(named, (num_prefix, 0), (height // patch, width // patch), is_antialiased=True),
        is_normed_before_head="fc_norm/weight" in named,
        num_outputs=outputs,
        classes=_classes(config, outputs, path),
        photos=photos,
    )
    return description, named


def _check_family(name: object, path: Path) -> None:
    if name is None:
        return
    reason = next((reason for part, reason in OTHERS.items() if part in str(name)), None)
    if reason or not str(name).startswith(FAMILIES):
        raise WeightsError(
            f"models like {name} are not read" + (f": {reason}" if reason else ""),
            expected="a plain Vision Transformer of timm (vit_..., deit_..., deit3_...)", got=name, where=path,
        )  # fmt: skip


def _pooling(config: Mapping[str, Any], arguments: Mapping[str, Any], named: Tensors, path: Path) -> Pooling:
    if "head_dist/weight" in named:
        return "cls_dist"
    wanted = arguments.get("global_pool") or config.get("global_pool")
    if wanted is None:
        # timm's own default: a norm behind the pooling belongs to a mean, and so does a model without class token.
        return "mean" if "fc_norm/weight" in named or "cls" not in named else "cls"
    if wanted not in POOLING:
        raise WeightsError(
            f"models with global_pool={wanted} are not read", expected=", ".join(POOLING), got=wanted, where=path
        )
    return POOLING[wanted]


def _classes(config: Mapping[str, Any], num_outputs: int | None, path: Path) -> tuple[str, ...] | None:
    names = config.get("label_names")
    if num_outputs is None or not names:
        return None
    ordered = (
        [str(names[key]) for key in sorted(names, key=int)] if isinstance(names, Mapping) else list(map(str, names))
    )
    if len(ordered) != num_outputs:
        raise WeightsError(
            "config and weights are of different models", expected=f"{num_outputs} label_names", got=len(ordered),
            where=path, fix="Copy all files of the folder again",
        )  # fmt: skip
    return distinct(ordered)


def _translate(name: str) -> str | None:
    # What transformers puts before it where it wraps a model of timm.
    name = name.removeprefix("timm_model.")
    if found := _SCALE.fullmatch(name):
        return f"encoderblock_{found[1]}/scale_{int(found[2]) - 1}"
    if (found := _BLOCK.fullmatch(name)) and found[2] in PARTS:
        return f"encoderblock_{found[1]}/{PARTS[found[2]]}/{found[3]}"
    owner, _, role = name.rpartition(".")
    return f"{OWNERS[owner]}/{role}" if owner in OWNERS else TOKENS.get(name)
