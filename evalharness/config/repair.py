"""The `repair` section: a head fitted anew on photos with pasted cut-outs."""

from typing import Literal

from pydantic import Field, field_validator

from evalharness.config.base import FilePath, Frozen


class RepairConfig(Frozen):
    """`repair`: the head of an evaluated run, fitted anew on photos with and without what harms it."""

    csv: FilePath | None = Field(
        None, description="Training photos, none of them evaluated; in the columns of the run."
    )
    root: FilePath | None = Field(
        None,
        description="Relative paths resolve against it; default: `dataset.root` of the run, else the CSV's folder.",
    )
    cutouts: FilePath | None = Field(
        None,
        description="Folder of PNG or WebP with alpha, a sub-folder per category; default: regions of the run.",
    )
    export: FilePath | None = Field(None, description="Folder that the training photos with cut-outs are written to.")
    layer: Literal["auto", "linear", "last"] = Field(
        "auto",
        description="`linear`: one dense layer on the class token instead of the head. `last`: only the head's last "
        "layer. `auto`: the better of both by cross-validation.",
    )
    num_photos: int | None = Field(None, ge=1, description="Seeded, the classes taking turns; default: all.")
    scale: tuple[float, float] = Field(
        (0.3, 0.5), description="Smallest and largest length of a cut-out, as part of the photo's shorter side."
    )

    @field_validator("scale")
    @classmethod
    def _scale_rises(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 < value[0] <= value[1] <= 0.9:
            raise ValueError("scale must rise within 0 to 0.9, such as [0.3,0.5]")
        return value
