"""The results folder: the seam between an evaluation and everything that reads it."""

from evalharness.results.failed_rows import Settlement, settle_failures
from evalharness.results.manifest import SCHEMA_VERSION, holds_results, read_manifest
from evalharness.results.manifest_content import (
    build_manifest,
    default_folder,
    map_measures,
    request_of,
    speed_measures,
)
from evalharness.results.model_properties import model_facts, read_facts, write_facts
from evalharness.results.recipe import build_recipe, fingerprint
from evalharness.results.stage_tables import Stages
from evalharness.results.stored_result import StoredResult
from evalharness.results.tables import samples_table, write_tables
from evalharness.results.writer import ArrayLayout, ResultsWriter

__all__ = [
    "SCHEMA_VERSION",
    "ArrayLayout",
    "ResultsWriter",
    "Settlement",
    "Stages",
    "StoredResult",
    "build_manifest",
    "build_recipe",
    "default_folder",
    "fingerprint",
    "holds_results",
    "map_measures",
    "model_facts",
    "read_facts",
    "read_manifest",
    "request_of",
    "samples_table",
    "settle_failures",
    "speed_measures",
    "write_facts",
    "write_tables",
]
