"""What is told before TensorFlow and MLflow are imported, which takes seconds: files that are not there."""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import TYPE_CHECKING

from evalharness.errors import EvalHarnessError

if TYPE_CHECKING:
    from evalharness.config import RunConfig


def missing_files(config: "RunConfig", keys: Collection[str] | None = None) -> Iterator[EvalHarnessError]:
    """Why files and folders that the config names cannot be used, as an evaluation would say it later.

    Args:
        config: Validated.
        keys: Of the config; default all.
    """
    for key, look in _looks(config).items():
        if keys is None or key in keys:
            try:
                look()
            except EvalHarnessError as error:
                yield error


def look_first(config: "RunConfig", keys: Collection[str] | None = None) -> None:
    """Raises the first of what is missing."""
    for error in missing_files(config, keys):
        raise error


def _looks(config: "RunConfig") -> dict[str, Callable[[], object]]:
    """By the key that names it: what raises if a file is not there. Those of a stage that is off are not looked for."""
    from evalharness.dataset.columns import read_rows
    from evalharness.dataset.load import resolve_root
    from evalharness.folders import check_annotations_are_there, check_cutouts_are_there
    from evalharness.model.weights_source import local_path

    weights = {
        "model.weights": config.model.weights,
        "model.reference": config.model.reference,
        "what_is_it.weights": config.what_is_it.weights if config.what_is_it.num_images else None,
    }
    looks: dict[str, Callable[[], object]] = {
        key: partial(local_path, file, key) for key, file in weights.items() if file is not None
    }
    looks["dataset.csv"] = partial(read_rows, config.dataset)
    if config.dataset.root is not None:
        looks["dataset.root"] = partial(resolve_root, config.dataset)
    if config.dataset.annotations is not None:
        looks["dataset.annotations"] = partial(check_annotations_are_there, config.dataset.annotations)
    if config.stress.num_images and config.stress.cutouts is not None:
        looks["stress.cutouts"] = partial(check_cutouts_are_there, config.stress.cutouts)
    return looks
