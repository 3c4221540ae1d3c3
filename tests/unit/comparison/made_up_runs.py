"""Small made-up runs for comparisons."""

import numpy as np

from evalharness.comparison import ComparedRun

MAPS = {"rollout": {"method": "rollout", "target": "predicted", "options": {"start_layer": 0}, "version": 1}}


def made_up_run(name="first", **changes) -> ComparedRun:
    """Four rows of two classes."""
    values = {
        "name": name,
        "row_ids": ("a", "b", "c", "d"),
        "labels": ("x", "x", "y", "y"),
        "digests": ("1", "2", "3", "4"),
        "groups": ("a", "b", "c", "d"),
        "skipped": (),
        "classes": ("x", "y"),
        "probs": np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.8, 0.2]]),
        "maps": MAPS,
        "settings": {"input.resize": "squash", "input.exif": "ignore", "model.weights_sha256": "w"},
        "image_size": (32, 32),
        "backbone_sha256": "b",
    }
    return ComparedRun(**{**values, **changes})
