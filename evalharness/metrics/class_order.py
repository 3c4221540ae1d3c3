"""Notices a model whose outputs carry the wrong names."""

from collections.abc import Sequence

import numpy as np

from evalharness.config.compose import quoted
from evalharness.lazy import LazyModule
from evalharness.records import IntArray

optimize = LazyModule("scipy.optimize")

MIN_GAIN = 0.2
"""Share of rows that another order must get right in addition."""


def class_order_warning(confusion: IntArray, class_names: Sequence[str]) -> str | None:
    """Says so if another assignment of outputs to classes would raise accuracy by more than 20 points.

    A class that no row has offers its output for free: nothing tells that it is needed elsewhere. So one class that
    would do better with such an output is no evidence of a wrong order, only of a weak model; two are.

    Args:
        confusion: Counts, true classes in rows, shape (C, C).
        class_names: C names, in the order of the outputs.

    Returns:
        A warning with the better order as an override of `model.classes`, or None.
    """
    num_classes, num_rows = len(confusion), int(confusion.sum())
    if num_rows == 0:
        return None
    # Among equally accurate orders the one that moves the fewest names: counts weigh more than all names together.
    weights = confusion.astype(np.int64) * (num_classes + 1) + np.eye(num_classes, dtype=np.int64)
    classes, outputs = optimize.linear_sum_assignment(weights, maximize=True)
    gains = confusion[classes, outputs] - np.diag(confusion)
    gaining = np.flatnonzero(gains > 0)
    occurs = confusion.sum(axis=1) > 0
    if gains.sum() <= MIN_GAIN * num_rows or (len(gaining) == 1 and not occurs[outputs[gaining[0]]]):
        return None
    names = [class_names[index] for index in np.argsort(outputs)]
    accuracy = np.trace(confusion) / num_rows
    return (
        f"the model's outputs may carry the wrong names: accuracy is {accuracy:.1%}, and would be "
        f"{accuracy + gains.sum() / num_rows:.1%} with the classes in another order. If that was the order in "
        f'training, add "model.classes={quoted(names)}".'
    )
