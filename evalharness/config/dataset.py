"""The `dataset` section: the CSV, its columns and labels, and how images become pixels."""

from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from evalharness.config.base import ClassName, FilePath, Frozen, Text
from evalharness.config.model import ImageSize


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
    classes: tuple[ClassName, ...] | None = None
    exclude: tuple[Text, ...] | None = Field(None, description="Rows whose path contains one of these are dropped.")
    resize: Literal["squash", "crop", "pad"] = "squash"
    resize_size: ImageSize | None = Field(
        None,
        description="Pixels that `squash` scales to and `crop` covers before the centre is cut out; default: the "
        "model's image size.",
    )
    filter: Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"] = "bilinear"
    exif: Literal["ignore", "apply"] = "ignore"
    verify: Literal["full", "header"] = "full"
    on_error: Literal["fail", "skip"] = "fail"
    annotations: FilePath | None = Field(
        None, description="Regions: COCO JSON, CSV boxes, PNG masks, Pascal VOC or YOLO."
    )
    annotations_format: Literal["coco", "csv", "png", "voc", "yolo"] | None = None
    annotations_frame: Literal["auto", "stored", "upright"] = Field(
        "auto", description="What regions of photos that are stored turned (EXIF) were drawn on; auto: as sizes tell."
    )
    max_pixels: int = Field(64_000_000, gt=0, description="Larger images are refused from their header.")

    @field_validator("resize", "filter", mode="before")
    @classmethod
    def _null_is_the_default(cls, value: object, info: ValidationInfo) -> object:
        return cls.model_fields[str(info.field_name)].default if value is None else value

    @model_validator(mode="after")
    def _padding_needs_no_size(self) -> Self:
        if self.resize == "pad" and self.resize_size is not None:
            raise ValueError("resize_size belongs to dataset.resize=squash and crop")
        return self

    @field_validator("classes")
    @classmethod
    def _classes_are_distinct(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and len(set(value)) != len(value):
            raise ValueError("class names must be distinct")
        return value
