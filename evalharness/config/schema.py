"""The validated configuration: frozen models that everything behind the command line takes its values from."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

BACKBONES = ("vit_b16", "vit_b32", "vit_l16", "vit_l32", "custom", "from_file")
CUSTOM_SIZES = ("patch_size", "num_layers", "hidden_size", "num_heads", "mlp_dim")


class Frozen(BaseModel):
    """Base of every section: no unknown keys, no infinite numbers, no changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        kind = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and {int, float} & {kind, *get_args(kind)}:
            raise ValueError(f"expected a number, got {value}")
        return value


def _as_text(value: object) -> object:
    """Hydra reads `key=2024` as a number and `key=true` as a boolean, where a name is meant."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, BeforeValidator(_as_text)]
FilePath = Annotated[Path, BeforeValidator(_as_text)]


def _empty_if_null(value: object) -> object:
    """Hydra lets `key={a: b}` replace null, but not an empty mapping."""
    return {} if value is None else value


def _all_finite(value: dict[str, Any]) -> dict[str, Any]:
    if not _is_finite(value):
        raise ValueError(f"numbers must be finite, got {value}")
    return value


def _is_finite(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


Options = Annotated[dict[str, Any], BeforeValidator(_empty_if_null), AfterValidator(_all_finite)]


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
    backbone: Literal["vit_b16", "vit_b32", "vit_l16", "vit_l32", "custom", "from_file"]
    image_size: ImageSize = Field(description="Pixels: one number, or [height, width].")
    preprocessing: Literal["raw", "vit"] = Field(description="`raw`: 0 to 255; `vit`: x / 127.5 - 1.")
    head: tuple[HeadLayer, ...] = ()
    classes: tuple[Text, ...] | None = Field(None, description="Order of the outputs; default `dataset.classes`.")
    patch_size: int | None = Field(None, gt=0)
    num_layers: int | None = Field(None, gt=0)
    hidden_size: int | None = Field(None, gt=0)
    num_heads: int | None = Field(None, gt=0)
    mlp_dim: int | None = Field(None, gt=0)
    builder: str | None = Field(None, description="`package.module.function` that returns the Keras model.")
    builder_args: Options = Field(default_factory=dict)
    output: Literal["auto", "logits"] = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    allow_code: bool = False
    reference: Text | None = Field(
        None, description="Weights of the same backbone before fine-tuning, with or without a head: where did it look?"
    )
    probe: int = Field(0, ge=0, description="`check` scores this many images under both preprocessings.")

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
        elif len(missing) < len(CUSTOM_SIZES):
            given = [f"model.{name}" for name in CUSTOM_SIZES if name not in missing]
            raise ValueError(f"{', '.join(given)} belong to `model=custom` only")
        if self.backbone == "from_file" and not self.allow_code:
            raise ValueError("backbone `from_file` deserialises a model, which can run code: set model.allow_code=true")
        return self


class DatasetConfig(Frozen):
    """`dataset`: the CSV, its columns and labels, and how images become pixels."""

    csv: FilePath
    name: Text | None = Field(None, description="Shown in MLflow; default: the CSV's name without its ending.")
    root: FilePath | None = Field(None, description="Relative paths resolve against it; default: the CSV's folder.")
    path_columns: tuple[Text, ...] | None = Field(
        None, description="Joined with `/`; default `path`, or the notebook's columns where the CSV has exactly those."
    )
    label_column: Text | None = None
    id_column: Text | None = None
    group: Text | None = Field(None, description="Column whose values the bootstrap resamples together.")
    clean_column: Text | None = Field(
        None,
        description="Column with the row id of the same scene without its distractor: pull is measured against it.",
    )
    label_match: Literal["exact", "substring"] | None = None
    classes: tuple[Text, ...] | None = None
    exclude: tuple[Text, ...] | None = Field(None, description="Rows whose path contains one of these are dropped.")
    resize: Literal["squash", "crop", "pad"] = "squash"
    filter: Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"] = "bilinear"
    exif: Literal["ignore", "apply"] = "ignore"
    verify: Literal["full", "header"] = "full"
    on_error: Literal["fail", "skip"] = "fail"
    annotations: FilePath | None = Field(
        None, description="Regions: COCO JSON, CSV boxes, PNG masks, Pascal VOC or YOLO."
    )
    annotations_format: Literal["coco", "csv", "png", "voc", "yolo"] | None = None
    max_pixels: int = Field(64_000_000, gt=0, description="Larger images are refused from their header.")

    @field_validator("classes")
    @classmethod
    def _classes_are_distinct(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and len(set(value)) != len(value):
            raise ValueError("class names must be distinct")
        return value


class MapConfig(Frozen):
    """One entry of `attention.methods`, when a bare name is not enough."""

    method: str
    target: Text | None = None
    name: Text | None = Field(None, description="The map's id; required when options differ from the defaults.")
    options: Options = Field(default_factory=dict)


def _named_methods(value: object) -> object:
    if isinstance(value, list | tuple):
        return [{"method": entry} if isinstance(entry, str) else entry for entry in value]
    return value


class AttentionConfig(Frozen):
    """`attention`: which maps to compute, and for which class."""

    methods: Annotated[tuple[MapConfig, ...], BeforeValidator(_named_methods)]
    target: Text = Field("predicted", description="`predicted`, `true`, `contrast`, or a class name.")


class ReportConfig(Frozen):
    """`report`: what is drawn."""

    contact_sheet: tuple[Literal["noisiest", "worst_mistakes", "most_confident", "random"], ...] = (
        "noisiest",
        "worst_mistakes",
        "most_confident",
        "random",
    )
    style: Literal["overlay", "darkened"] = Field("overlay", description="`darkened`: the photo times its attention.")
    num_pairs: int = Field(8, ge=1, le=64, description="Pairs on each contact sheet.")
    num_logged_images: int = Field(12, ge=0, le=200, description="Overlays logged under keys that line up across runs.")
    density_max: float = Field(6.0, gt=1, description="Top of the fixed colour scale; 1 is an average patch.")
    html: bool = Field(default=True, description="Write `report.html`: everything in one file, for a browser.")


class BootstrapConfig(Frozen):
    """`bootstrap`: the confidence intervals."""

    num_resamples: int = Field(2000, ge=100)
    confidence: float = Field(0.95, gt=0.5, lt=1)


class TrackingConfig(Frozen):
    """`tracking`: the MLflow store."""

    uri: str | None = Field(None, description="Default: SQLite under `runs_dir`.")
    experiment: Text = Field("evalharness", min_length=1)
    run_name: Text | None = None
    tags: Annotated[dict[Text, Text], BeforeValidator(_empty_if_null)] = Field(default_factory=dict)
    sweep: Text | None = Field(None, description="Set by `run -m`: the tag that the runs of one sweep share.")
    sweep_command: Text | None = None
    sweep_member: Text | None = Field(
        None, description="Set by `run -m`: what sets this run apart from the others, shown behind its name."
    )


class FaithfulnessConfig(Frozen):
    """`faithfulness`: which maps can be believed, measured on some of the images."""

    num_images: int = Field(0, ge=0, description="Seeded, the classes taking turns; 0: not measured.")
    num_steps: int = Field(8, ge=2, le=64, description="Steps of deletion and insertion, groups of SaCo.")
    num_random_heads: int = Field(3, ge=1, le=20)
    max_head_similarity: float = Field(
        0.9, gt=0, le=1, description="A map notices the head if its rank correlation under a random one is below this."
    )


class AuditConfig(Frozen):
    """`audit`: what annotated regions are to the classes, and how they are erased."""

    roles: Annotated[dict[Text, Literal["object", "distractor", "ignore"]], BeforeValidator(_empty_if_null)] = Field(
        default_factory=dict, description="By category; default: `object` if named like a class, else `distractor`."
    )
    erase_roles: tuple[Literal["object", "distractor"], ...] = ("object", "distractor")
    controls_avoid: tuple[Literal["object", "distractor"], ...] = Field(
        ("object", "distractor"),
        description="Regions that the same shape, erased elsewhere, may not touch. Without `object` in photos that the "
        "objects fill, where no place would be left; the threshold then is higher.",
    )
    fill: Literal["mean", "blur", "inpaint"] = "mean"
    num_controls: int = Field(4, ge=1, le=32)
    control_quantile: float = Field(
        0.95, gt=0.5, lt=1, description="Of the controls; looks and uses lie above it, so 5 % do by construction."
    )
    min_effect: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="What erasing a region must also take from the probability of the verdict to be a use, and the "
        "least pull that is called a shortcut.",
    )


class StressConfig(Frozen):
    """`stress`: cut-outs pasted into the user's own photos."""

    num_images: int = Field(0, ge=0, description="Photos, seeded, the classes taking turns; 0: off.")
    cutouts: FilePath | None = Field(
        None, description="Folder of PNG or WebP with alpha, a sub-folder per category; default: the bundled animals."
    )
    scale: tuple[float, float] = Field(
        (0.3, 0.5), description="Smallest and largest length of a cut-out, as part of the photo's shorter side."
    )

    @field_validator("scale")
    @classmethod
    def _scale_rises(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 < value[0] <= value[1] <= 0.9:
            raise ValueError("scale must rise within 0 to 0.9, such as [0.3,0.5]")
        return value


class WhatIsItConfig(Frozen):
    """`what_is_it`: names what the noisiest images' maps light up off the object, with a pre-trained model."""

    num_images: int = Field(0, ge=0, description="The noisiest images of the first map; 0: off.")
    weights: Text | None = Field(None, description="Of the pre-trained model, with its head.")
    classes: tuple[Text, ...] | Literal["imagenet"] | None = Field(None, description="Order of its outputs.")
    model: Options = Field(
        default_factory=dict, description="Where it differs from the run's `model`, such as {preprocessing: vit}."
    )
    download: bool = Field(
        default=False, description="Fetch the published ImageNet weights of vit_b16, vit_b32, vit_l16 or vit_l32."
    )
    margin: float = Field(0.25, ge=0, le=2, description="Added around the region on each side, in parts of its size.")

    @model_validator(mode="after")
    def _model_is_named(self) -> Self:
        if self.num_images and self.download == (self.weights is not None):
            raise ValueError("needs either `weights` (and `classes`), or `download=true`")
        if self.num_images and self.weights is not None and self.classes is None:
            raise ValueError("`weights` needs `classes`: the names of its outputs, in order")
        return self


class GateConfig(Frozen):
    """`gate`: what must hold, or the command ends with exit code 3."""

    attention: bool = Field(default=False, description="The first map can be trusted; needs `faithfulness.num_images`.")
    max_distractor_lift: float | None = Field(None, ge=0, description="Of any distractor on the first map.")
    max_relies_rate: float | None = Field(None, ge=0, le=1, description="Of any distractor on the first map.")
    max_stress_flip_rate: float | None = Field(
        None, ge=0, le=1, description="Of the cut-outs of any category; needs `stress.num_images`."
    )


class CompareConfig(Frozen):
    """`compare`: two or more finished runs against one of them."""

    reference: Text | None = Field(
        None, description="One of the runs, as named on the command line; default the first."
    )
    min_difference: float = Field(
        0.02, gt=0, le=1, description="Difference in accuracy that matters: how many images would tell it?"
    )
    maps: tuple[Text, ...] | None = Field(None, description="Map ids; default: all, which every run must then have.")
    num_flips: int = Field(12, ge=0, le=200, description="Broken, and fixed, images that are drawn.")


class RunConfig(Frozen):
    """One evaluation."""

    model: ModelConfig
    dataset: DatasetConfig
    attention: AttentionConfig
    faithfulness: FaithfulnessConfig = FaithfulnessConfig()
    audit: AuditConfig = AuditConfig()
    stress: StressConfig = StressConfig()
    what_is_it: WhatIsItConfig = WhatIsItConfig()
    gate: GateConfig = GateConfig()
    report: ReportConfig = ReportConfig()
    compare: CompareConfig = CompareConfig()
    bootstrap: BootstrapConfig = BootstrapConfig()
    tracking: TrackingConfig = TrackingConfig()
    runs_dir: FilePath = Path("runs")
    output_dir: FilePath | None = Field(None, description="Default: a folder under `runs_dir`/results named by recipe.")
    batch_size: int = Field(32, ge=1)
    num_workers: int = Field(2, ge=1, description="Threads that decode images ahead of the model.")
    limit: int | None = Field(None, ge=1, description="Evaluate this many rows: seeded, stratified by class.")
    seed: int = Field(123, ge=0, lt=2**32)
    resume: bool = Field(
        default=True, description="Reuse complete results of the same recipe, continue incomplete ones."
    )
