"""The sections of the stages behind prediction, and the gates on what they find."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from evalharness.config.base import ClassName, FilePath, Frozen, Options, Text, empty_if_null


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

    roles: Annotated[dict[Text, Literal["object", "distractor", "ignore"]], BeforeValidator(empty_if_null)] = Field(
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
        description="What erasing a region must also take from the probability of the verdict to be a use.",
    )
    min_pull: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="What the interval of a pull must lie above to be called a shortcut, in probability. The planted "
        "shortcuts at hand begin at 0.27, the pulls of runs without one at 0.03 or below: docs/audit.md.",
    )


def _rises(value: tuple[float, float]) -> tuple[float, float]:
    if not 0 < value[0] <= value[1] <= 0.9:
        raise ValueError("scale must rise within 0 to 0.9, such as [0.3,0.5]")
    return value


CutoutScale = Annotated[
    tuple[float, float],
    AfterValidator(_rises),
    Field(description="Smallest and largest length of a cut-out, as part of the photo's shorter side."),
]


class StressConfig(Frozen):
    """`stress`: cut-outs pasted into the user's own photos."""

    num_images: int = Field(0, ge=0, description="Photos, seeded, the classes taking turns; 0: off.")
    cutouts: FilePath | None = Field(
        None, description="Folder of PNG or WebP with alpha, a sub-folder per category; default: the bundled animals."
    )
    scale: CutoutScale = (0.3, 0.5)


class WhatIsItConfig(Frozen):
    """`what_is_it`: names what the noisiest images' maps light up off the object, with a pre-trained model."""

    num_images: int = Field(0, ge=0, description="The noisiest images of the first map; 0: off.")
    weights: Text | None = Field(None, description="Of the pre-trained model, with its head.")
    classes: tuple[ClassName, ...] | Literal["imagenet"] | None = Field(None, description="Order of its outputs.")
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


def _as_count(value: object) -> object:
    if value == "all" or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise ValueError(f"expected a number of photos, all, or 0, got {value}")


class ConceptsConfig(Frozen):
    """`concepts`: what a map lights up again and again, grouped without annotations, and tested for pull."""

    num_images: Annotated[int | Literal["all"], BeforeValidator(_as_count)] = Field(
        0, description="Photos, seeded, the classes taking turns; `all`; 0: off."
    )
    threshold: float = Field(2.0, gt=1, description="Density from which on a patch is hot.")
    min_share: float = Field(0.03, ge=0, lt=1, description="Least part of the map that a region holds.")
    block: int | None = Field(
        None, ge=1, description="Whose patch tokens tell regions apart, from 1; default: the last."
    )
    views: tuple[Literal["photo", "alone", "crop"], ...] = Field(
        ("photo",), min_length=1, description="What tells regions apart: see `conf/config.yaml`."
    )
    num_concepts: int | None = Field(16, ge=2, description="None: the number with the best silhouette.")
    assign_quantile: float = Field(
        0.95, gt=0.5, le=1, description="Of the distances in the fitting half: a region farther away belongs to none."
    )
    num_controls: int = Field(1, ge=1, le=8, description="Times the same shape is erased off the hot patches.")
    names: Annotated[dict[int, Text], BeforeValidator(empty_if_null)] = Field(
        default_factory=dict, description="By number, as `{3: dog}`."
    )
    roles: Annotated[dict[int, Literal["object", "distractor", "ignore"]], BeforeValidator(empty_if_null)] = Field(
        default_factory=dict, description="By number; default: `object` if measured as such, else `distractor`."
    )


class BelieveConfig(Frozen):
    """`believe`: which verdicts may be believed, with a guarantee."""

    max_error: float = Field(0.02, gt=0, lt=1, description="Part of the believed verdicts that may be wrong.")
    confidence: float = Field(
        0.9, ge=0.5, lt=1, description="With which that holds, for photos like the evaluated ones."
    )


class GateConfig(Frozen):
    """`gate`: what must hold, or the command ends with exit code 3."""

    attention: bool = Field(default=False, description="The first map can be trusted; needs `faithfulness.num_images`.")
    max_distractor_lift: float | None = Field(None, ge=0, description="Of any distractor on the first map.")
    max_relies_rate: float | None = Field(None, ge=0, le=1, description="Of any distractor on the first map.")
    max_stress_flip_rate: float | None = Field(
        None, ge=0, le=1, description="Of the cut-outs of any category; needs `stress.num_images`."
    )
    max_concept_pull: float | None = Field(
        None, ge=0, le=1, description="Of any concept but objects, where significant; needs `concepts.num_images`."
    )
    min_coverage: float | None = Field(
        None, ge=0, le=1, description="Part of the verdicts that may be believed, under `believe`."
    )
