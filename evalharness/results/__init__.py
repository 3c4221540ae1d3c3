"""The results folder: the seam between an evaluation and everything that reads it."""

from evalharness.results.failed_rows import KeptRows, drop_failed_rows
from evalharness.results.manifest_content import (
    build_manifest,
    completeness_measures,
    completeness_warnings,
    default_folder,
    map_measures,
    request_of,
    speed_measures,
)
from evalharness.results.model_properties import ModelProperties
from evalharness.results.probe_warnings import ProbeWarnings
from evalharness.results.recipe import build_recipe, fingerprint, input_settings
from evalharness.results.stage_tables import StageTables
from evalharness.results.stored_result import StoredResult
from evalharness.results.tables import samples_table, write_tables
from evalharness.results.writer import ArrayLayout, ResultsWriter

__all__ = [
    "ArrayLayout",
    "KeptRows",
    "ModelProperties",
    "ProbeWarnings",
    "ResultsWriter",
    "StageTables",
    "StoredResult",
    "build_manifest",
    "build_recipe",
    "completeness_measures",
    "completeness_warnings",
    "default_folder",
    "drop_failed_rows",
    "fingerprint",
    "input_settings",
    "map_measures",
    "request_of",
    "samples_table",
    "speed_measures",
    "write_tables",
]
