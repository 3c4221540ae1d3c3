"""The weights files that a config names: paths, or artifacts of the MLflow store that it names too."""

from evalharness import model as models
from evalharness import tracking
from evalharness.config import RunConfig
from evalharness.errors import WeightsError
from evalharness.records import WeightsSource
from evalharness.results import StoredResult


def find_weights(config: RunConfig, weights: str | None = None, *, key: str = "model.weights") -> WeightsSource:
    """Finds a weights file, tells its format and hashes it.

    Args:
        config: Of the run.
        weights: A path or an MLflow uri; default `model.weights`.
        key: Where the config names it, for messages.

    Raises:
        WeightsError: No such file or artifact, or not a weights file.
    """
    named = config.model.weights if weights is None else weights
    return models.resolve_weights(
        named,
        # Of a path no store is asked, whose library takes long to import.
        tracking_uri=tracking.resolve_uri(config.tracking.uri, config.runs_dir) if models.is_artifact(named) else None,
        cache_dir=config.runs_dir / "cache" / "weights",
        key=key,
    )


def find_evaluated_weights(config: RunConfig, stored: StoredResult) -> WeightsSource:
    """The weights file of the config, which must be the one that was evaluated.

    Raises:
        WeightsError: No such file, or another one.
    """
    weights = find_weights(config)
    expected = stored.recipe["model"]["weights_sha256"]
    if weights.sha256 != expected:
        raise WeightsError(
            "weights are not those of the evaluation",
            expected=f"SHA-256 {expected[:12]}",
            got=weights.sha256[:12],
            where=weights.path,
            fix="Name the file with model.weights=, or evaluate again",
        )
    return weights
