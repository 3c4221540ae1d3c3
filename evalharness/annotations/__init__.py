"""Annotated regions: their formats, the rows that they belong to, and what their categories are to the classes."""

from evalharness.annotations.doubts import Doubt, small_categories
from evalharness.annotations.load import Annotations, Region, load_annotations, load_configured_annotations, unite
from evalharness.annotations.readers import READERS, detect_format, read_annotations
from evalharness.annotations.shapes import RunLengths

__all__ = [
    "READERS",
    "Annotations",
    "Doubt",
    "Region",
    "RunLengths",
    "detect_format",
    "load_annotations",
    "load_configured_annotations",
    "read_annotations",
    "small_categories",
    "unite",
]
