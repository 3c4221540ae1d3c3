"""The sections of what comes out: intervals, figures, MLflow, and the comparison of runs."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from evalharness.config.base import Frozen, Text, empty_if_null


class ReportConfig(Frozen):
    """`report`: what is drawn."""

    contact_sheet: tuple[Literal["noisiest", "worst_mistakes", "most_confident", "random"], ...] = (
        "noisiest",
        "worst_mistakes",
        "most_confident",
        "random",
    )
    style: Literal["overlay", "darkened"] = Field("overlay", description="`darkened`: the photo times its attention.")
    num_pairs: int = Field(8, ge=1, le=64, description="Pairs on each contact sheet; twice as many mistakes.")
    num_logged_images: int = Field(12, ge=0, le=200, description="Overlays logged under keys that line up across runs.")
    density_max: float = Field(12.0, gt=1, description="Top of the fixed colour scale; 1 is an average patch.")
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
    tags: Annotated[dict[Text, Text], BeforeValidator(empty_if_null)] = Field(default_factory=dict)
    sweep: Text | None = Field(None, description="Set by `run -m`: the tag that the runs of one sweep share.")
    sweep_command: Text | None = None
    sweep_member: Text | None = Field(
        None, description="Set by `run -m`: what sets this run apart from the others, shown behind its name."
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
