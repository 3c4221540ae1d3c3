"""Evaluates fine-tuned Vision Transformers: the verdict, where the model looked, and whether to believe it.

    import evalharness

    result = evalharness.evaluate({"model.weights": "run1.h5", "dataset.csv": "testing_files.csv"})
    result.samples          # a DataFrame, a row per image
    result.show(row_id)     # photo | map, with the verdict
    evalharness.compare(result, evalharness.load("runs/results/other"))

Importing the package imports no TensorFlow, MLflow or matplotlib; the first evaluation does.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalharness.api import Result, compare, evaluate, load
    from evalharness.comparing.finished_comparison import Comparison
    from evalharness.repairing.finished_repair import Repair
    from evalharness.repairing.pipeline import repair

# Read when TensorFlow is imported, which happens in more than one place: no notices on standard error.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.1.0"
__all__ = ["Comparison", "Repair", "Result", "__version__", "compare", "evaluate", "load", "repair"]

# By name, since everything below imports this module and nothing below may import these.
_HOMES = {
    "Comparison": "evalharness.comparing.finished_comparison",
    "Repair": "evalharness.repairing.finished_repair",
    "Result": "evalharness.api",
    "compare": "evalharness.api",
    "evaluate": "evalharness.api",
    "load": "evalharness.api",
    "repair": "evalharness.repairing.pipeline",
}


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'evalharness' has no attribute {name!r}")
