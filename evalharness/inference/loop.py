"""The loop over batches: decode ahead, run, store."""

import time
from collections.abc import Iterable, Sequence
from typing import Protocol

from evalharness.console import progress_bar
from evalharness.inference.forward import ForwardPass
from evalharness.records import BatchOutput, ImageBatch, IntArray


class PredictionSink(Protocol):
    """Where finished rows go."""

    def write(self, positions: IntArray, output: BatchOutput) -> None:
        """Stores the rows at these positions, so that they survive the process."""

    def fail(self, position: int, reason: str) -> None:
        """Records that a row could not be evaluated."""


def run_inference(
    forward: ForwardPass,
    batches: Iterable[ImageBatch],
    labels: IntArray,
    row_ids: Sequence[str],
    sink: PredictionSink,
    *,
    num_images: int,
) -> float:
    """Evaluates the batches in order and stores each as soon as it is done.

    Args:
        forward: The compiled model.
        batches: Decoded ahead of the model by whoever made the iterator.
        labels: Class index of every sample of the dataset, by position.
        row_ids: Key of every sample, by position.
        sink: Where finished rows go.
        num_images: Number of images in the batches.

    Returns:
        Seconds spent.
    """
    start = time.perf_counter()
    with progress_bar("Predicting", num_images) as advance:
        for batch in batches:
            for position, reason in batch.failures:
                sink.fail(position, reason)
            if len(batch.positions):
                keys = [row_ids[position] for position in batch.positions]
                sink.write(batch.positions, forward(batch.images, labels[batch.positions], keys))
            advance(len(batch.positions) + len(batch.failures))
    return time.perf_counter() - start
