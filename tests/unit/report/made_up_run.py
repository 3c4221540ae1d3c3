"""A made-up evaluation: verdicts, metrics by hand-countable means, maps with one hot patch, plain photos."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalharness.records import ClassMetrics, Evaluation, Interval

CLASSES = ("daisy", "roses", "バラ")
GRID = (4, 6)
PHOTO_SIZE = (32, 48)


@dataclass(frozen=True)
class MadeUpRun:
    samples: pd.DataFrame
    evaluation: Evaluation
    maps: dict[str, np.ndarray]
    class_names: tuple[str, ...]

    def photo(self, row_id: str) -> np.ndarray:
        shade = int(row_id.split("/")[1].split(".")[0]) * 5
        return np.full((*PHOTO_SIZE, 3), (shade, 255 - shade, 128), np.uint8)


def frame_of(rows):
    """A samples table from (row_id, label, pred_label, confidence)."""
    samples = pd.DataFrame(rows, columns=["row_id", "label", "pred_label", "confidence"])
    correct = samples["label"] == samples["pred_label"]
    return samples.assign(path=samples["row_id"], correct=correct, noise_rank=range(len(samples), 0, -1))


def metrics_of(samples, class_names):
    confusion = np.array(
        [
            [((samples.label == true) & (samples.pred_label == pred)).sum() for pred in class_names]
            for true in class_names
        ]
    )
    per_class = tuple(
        ClassMetrics(name, int(confusion[i].sum()), int(confusion[:, i].sum()), 0.5, 0.25, float("nan"))
        for i, name in enumerate(class_names)
    )
    bins = ((0.25, 0.5, 10), (float("nan"), float("nan"), 0), (0.9, 0.8, len(samples)))
    return Evaluation({"ece": Interval(0.083, 0.05, 0.12)}, per_class, confusion, bins)


def build_run(num_rows=24, class_names=CLASSES):
    rows = []
    for i in range(num_rows):
        label = class_names[i % len(class_names)]
        pred_label = class_names[(i + 1) % len(class_names)] if i % 4 == 0 else label
        rows.append((f"{label}/{i}.jpg", label, pred_label, 0.4 + 0.02 * i))
    samples = frame_of(rows)
    maps = np.zeros((num_rows, *GRID), np.float16)
    maps[np.arange(num_rows), np.arange(num_rows) % GRID[0], np.arange(num_rows) % GRID[1]] = np.prod(GRID)
    maps[3] = np.nan
    return MadeUpRun(
        samples, metrics_of(samples, class_names), {"rollout": maps, "grad_attention.true": maps}, class_names
    )
