"""The `repair` section: a head fitted anew on photos with pasted cut-outs."""

from typing import Literal

from pydantic import Field

from evalharness.config.base import FilePath, Frozen
from evalharness.config.stages import CutoutScale


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
    scale: CutoutScale = (0.3, 0.5)
