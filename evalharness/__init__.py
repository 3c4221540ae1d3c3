"""Evaluates fine-tuned Vision Transformers: the verdict, where the model looked, and whether to believe it.

    import evalharness

    result = evalharness.evaluate({"model.weights": "run1.h5", "dataset.csv": "testing_files.csv"})
    result.samples          # a DataFrame, a row per image
    result.show(row_id)     # photo | overlay

Importing the package imports no TensorFlow, MLflow or matplotlib; the first evaluation does.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalharness.api import Result, evaluate
    from evalharness.comparing.pipeline import Comparison, compare

# Read when TensorFlow is imported, which happens in more than one place: no notices on standard error.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.1.0"
__all__ = ["Comparison", "Result", "__version__", "compare", "evaluate"]


def __getattr__(name: str) -> object:
    if name in ("Result", "evaluate"):
        # By name, since everything below imports this module and nothing below may import the API.
        return getattr(import_module("evalharness.api"), name)
    if name in ("Comparison", "compare"):
        return getattr(import_module("evalharness.comparing.pipeline"), name)
    raise AttributeError(f"module 'evalharness' has no attribute {name!r}")
