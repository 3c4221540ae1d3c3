"""What is told before TensorFlow and MLflow are imported, which takes seconds: files that are not there."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from evalharness.errors import EvalHarnessError

if TYPE_CHECKING:
    from evalharness.config import RunConfig


def missing_files(config: "RunConfig") -> Iterator[EvalHarnessError]:
    """Why a weights file or the CSV that the config names cannot be used, as an evaluation would say it later."""
    from evalharness.dataset.table import read_table
    from evalharness.model.weights_source import local_path

    namer = config.what_is_it.weights if config.what_is_it.num_images else None
    wanted = {
        "model.weights": config.model.weights,
        "model.reference": config.model.reference,
        "what_is_it.weights": namer,
    }
    looks: list[Callable[[], object]] = [partial(local_path, file, key) for key, file in wanted.items() if file]
    looks.append(partial(read_table, config.dataset.csv))
    for look in looks:
        try:
            look()
        except EvalHarnessError as error:
            yield error


def look_first(config: "RunConfig") -> None:
    """Raises the first of what is missing."""
    for error in missing_files(config):
        raise error
