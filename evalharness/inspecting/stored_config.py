"""A stored evaluation and its config, with overrides on top."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalharness.config import RunConfig
from evalharness.config.compose import compose_section, parse_config
from evalharness.config.plain_values import value_of
from evalharness.errors import ConfigError
from evalharness.finished_runs import find_result
from evalharness.results import StoredResult

STORE_KEYS = ("tracking.", "runs_dir=")


def stored_config(run: str, overrides: Sequence[str]) -> tuple[StoredResult, RunConfig]:
    """Finds an evaluation, and the config to inspect with.

    Args:
        run: A results folder, or an MLflow run id.
        overrides: Values on top of those of the evaluation.

    Raises:
        ConfigError: No such run, or an override that does not fit.
        ResultsError: A folder without finished results.
        TrackingError: The store cannot be reached, or has no such run.
    """
    own = [override for override in overrides if override.startswith(STORE_KEYS)]
    if Path(run).is_dir() and not own:
        # Hydra takes a second to look for its plugins, and has nothing to compose.
        result, runs_dir = StoredResult(Path(run)), RunConfig.model_fields["runs_dir"].default
    else:
        section = compose_section(own, "tracking", "runs_dir")
        runs_dir = section["runs_dir"]
        result = find_result(run, section["tracking"], runs_dir)
    values: dict[str, Any] = json.loads(json.dumps(result.manifest["config"]))
    values["runs_dir"] = str(runs_dir)
    for override in overrides:
        _put(values, override)
    return result, parse_config(values)


def _put(values: dict[str, Any], override: str) -> None:
    key, _, text = override.lstrip("+").partition("=")
    *sections, name = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError("no such key", got=key, fix="`evalharness inspect --help` lists the keys")
    values[name] = value_of(key, text)
