"""The `model` section: the backbone, the head, the weights, and what the outputs mean."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from evalharness.config.base import ClassName, Frozen, Options, Text
from evalharness.config.preprocessing import Preprocessing

BACKBONES = ("vit_b16", "vit_b32", "vit_l16", "vit_l32", "custom", "from_file", "huggingface", "timm")
CHECKPOINTS = ("huggingface", "timm")
"""Backbones whose files tell everything else."""
CUSTOM_SIZES = ("patch_size", "num_layers", "hidden_size", "num_heads", "mlp_dim")


Pooling = Literal["cls", "mean", "cls_mean", "cls_dist"]
"""What the head reads: the class token, the mean of the patches, both side by side, or class and distillation token."""


class HeadLayer(Frozen):
    """One layer on top of the backbone's class token."""

    layer: Literal["flatten", "batch_normalization", "layer_normalization", "dropout", "dense", "activation"]
    units: int | Literal["classes"] | None = Field(None, description="Width of a dense layer; `classes`: one a class.")
    activation: str | None = Field(
        None, description="A Keras activation, or `tfa_gelu`: tensorflow-addons' default gelu, the tanh form."
    )
    rate: float = Field(0.1, ge=0, lt=1, description="Of a dropout layer; without effect in evaluation.")
    epsilon: float = Field(1e-3, gt=0, description="Of a normalization layer.")

    @field_validator("units", mode="before")
    @classmethod
    def _units_are_a_width(cls, value: object) -> object:
        if isinstance(value, int) and value < 1:
            raise ValueError(f"expected a number above 0, or `classes`, got {value}")
        return value

    @model_validator(mode="after")
    def _fields_fit_kind(self) -> Self:
        if self.layer == "dense" and self.units is None:
            raise ValueError("a dense layer needs `units` (a number, or `classes`)")
        if self.layer == "activation" and self.activation is None:
            raise ValueError("an activation layer needs `activation`")
        return self


def _size_pair(value: object) -> object:
    if isinstance(value, list | tuple):
        return value
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"expected a number of pixels above 0, or [height,width], got {value!r}")
    return (value, value)


Side = Annotated[int, Field(gt=0)]
ImageSize = Annotated[tuple[Side, Side], BeforeValidator(_size_pair)]


class ModelConfig(Frozen):
    """`model`: the backbone, the head, the weights, and what the outputs mean."""

    weights: Text = Field(description="Path of the weights file, or an MLflow uri (`runs:/...`, `models:/...`).")
    backbone: Literal["vit_b16", "vit_b32", "vit_l16", "vit_l32", "custom", "from_file", "huggingface", "timm"]
    image_size: ImageSize = Field(description="Pixels: one number, or [height, width].")
    preprocessing: Preprocessing = Field(
        description="`raw`: 0 to 255; `vit`: x / 127.5 - 1; `rescale`: x / 255; `imagenet`, or `{mean: [r,g,b], "
        "std: [r,g,b]}`: (x / 255 - mean) / std."
    )
    head: tuple[HeadLayer, ...] = ()
    classes: tuple[ClassName, ...] | None = Field(None, description="Order of the outputs; default `dataset.classes`.")
    patch_size: int | None = Field(None, gt=0)
    num_layers: int | None = Field(None, gt=0)
    hidden_size: int | None = Field(None, gt=0)
    num_heads: int | None = Field(None, gt=0)
    mlp_dim: int | None = Field(None, gt=0)
    epsilon: float | None = Field(None, gt=0, description="Of the layer norms of a checkpoint.")
    pooling: Pooling | None = Field(
        None,
        description="What the head of a checkpoint reads: `cls`, `mean` (of the patches), `cls_mean` or `cls_dist`.",
    )
    architecture: Text | None = Field(None, description="timm's name of the model, where no config.json has it.")
    builder: str | None = Field(None, description="`package.module.function` that returns the Keras model.")
    builder_args: Options = Field(default_factory=dict)
    output: Literal["auto", "logits"] = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    allow_code: bool = False
    reference: Text | None = Field(
        None, description="Weights of the same backbone before fine-tuning, with or without a head: where did it look?"
    )
    probe: int = Field(
        32,
        ge=0,
        description="Images that `check`, and `run` before it predicts, score under every preprocessing; 0: none.",
    )

    @property
    def is_built_here(self) -> bool:
        """Whether this package makes the model, so that none of its layers is the user's own."""
        return self.builder is None and self.backbone != "from_file"

    @field_validator("classes")
    @classmethod
    def _classes_are_distinct(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and len(set(value)) != len(value):
            raise ValueError("class names must be distinct")
        if value is not None and len(value) < 2:
            raise ValueError("at least two classes are needed")
        return value

    @model_validator(mode="after")
    def _sizes_fit_backbone(self) -> Self:
        missing = [name for name in CUSTOM_SIZES if getattr(self, name) is None]
        if self.builder is None and self.backbone == "custom":
            if missing:
                raise ValueError(f"backbone `custom` needs {', '.join('model.' + name for name in missing)}")
            if self.hidden_size % self.num_heads:  # type: ignore[operator]
                raise ValueError(f"hidden_size {self.hidden_size} must be a multiple of num_heads {self.num_heads}")
            if any(side % self.patch_size for side in self.image_size):  # type: ignore[operator]
                raise ValueError(f"image_size {self.image_size} must be a multiple of patch_size {self.patch_size}")
        elif self.backbone in CHECKPOINTS:
            self._check_checkpoint(missing)
        elif len(missing) < len(CUSTOM_SIZES):
            given = [f"model.{name}" for name in CUSTOM_SIZES if name not in missing]
            raise ValueError(f"{', '.join(given)} belong to `model=custom` only")
        others = [name for name in ("epsilon", "pooling", "architecture") if getattr(self, name) is not None]
        if others and self.backbone not in CHECKPOINTS:
            raise ValueError(
                f"{', '.join('model.' + name for name in others)} belong to model=huggingface and model=timm"
            )
        if self.backbone == "from_file" and not self.allow_code:
            raise ValueError("backbone `from_file` deserialises a model, which can run code: set model.allow_code=true")
        return self

    def _check_checkpoint(self, missing: list[str]) -> None:
        if self.head:
            raise ValueError(f"model.head is that of the files where backbone is `{self.backbone}`: leave it out")
        missing = [*missing, *(name for name in ("epsilon", "pooling") if getattr(self, name) is None)]
        if missing:
            raise ValueError(f"the files do not tell {', '.join(missing)}")
        if any(side % self.patch_size for side in self.image_size):  # type: ignore[operator]
            raise ValueError(f"image_size {self.image_size} must be a multiple of patch_size {self.patch_size}")
