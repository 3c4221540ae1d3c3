"""Batches of images, decoded by threads ahead of the model that consumes them."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from evalharness.config import DatasetConfig
from evalharness.dataset.decode import ImageError
from evalharness.dataset.images import load_image
from evalharness.records import Dataset, ImageBatch, IntArray, UInt8Array


def iterate_batches(
    dataset: Dataset,
    positions: IntArray,
    *,
    image_size: tuple[int, int],
    config: DatasetConfig,
    batch_size: int,
    num_workers: int,
) -> Iterator[ImageBatch]:
    """Yields the images at the given positions, in order, while the next ones are being decoded.

    While the consumer holds one batch, at most `1 + ceil(num_workers / batch_size)` others are being decoded or wait:
    enough to keep every thread busy, and the same for any number of images. An image that cannot be loaded is told in
    its batch's `failures`, and missing from its `positions` and `images`.

    Args:
        dataset: The samples.
        positions: Positions in `dataset.samples`, shape (n,).
        image_size: (height, width) of the images.
        config: The `dataset` section.
        batch_size: Positions per batch; the last batch may have fewer.
        num_workers: Decoding threads.

    Yields:
        One batch for each `batch_size` consecutive positions, even if none of its images could be loaded.
    """

    def load(position: int) -> UInt8Array:
        return load_image(dataset.samples[position].path, image_size=image_size, config=config)

    stretches = iter(
        [int(p) for p in positions[start : start + batch_size]] for start in range(0, len(positions), batch_size)
    )
    num_ahead = 1 + -(-num_workers // batch_size)
    waiting: deque[tuple[list[int], list[Future[UInt8Array]]]] = deque()
    pool = ThreadPoolExecutor(num_workers, thread_name_prefix="decode")

    def submit_next() -> None:
        stretch = next(stretches, None)
        if stretch is not None:
            waiting.append((stretch, [pool.submit(load, position) for position in stretch]))

    try:
        for _ in range(num_ahead):
            submit_next()
        while waiting:
            submit_next()
            yield _collect(*waiting.popleft(), image_size)
    finally:
        pool.shutdown(cancel_futures=True)


def _collect(stretch: list[int], futures: list[Future[UInt8Array]], image_size: tuple[int, int]) -> ImageBatch:
    """Waits for the images of one batch."""
    positions: list[int] = []
    images: list[UInt8Array] = []
    failures: list[tuple[int, str]] = []
    for position, future in zip(stretch, futures, strict=True):
        try:
            images.append(future.result())
            positions.append(position)
        except ImageError as error:
            failures.append((position, error.reason))
    return ImageBatch(
        positions=np.array(positions, np.int64),
        images=np.stack(images) if images else np.empty((0, *image_size, 3), np.uint8),
        failures=tuple(failures),
    )
