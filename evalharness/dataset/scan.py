"""One look at every image before anything else starts: is it there, can it be decoded, and what is its hash?"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from evalharness import console
from evalharness.config import DatasetConfig
from evalharness.dataset.bad_rows import Fault
from evalharness.dataset.decode import (
    ImageError,
    check_pixels,
    count_frames,
    decode_pixels,
    open_header,
    read_file,
    read_orientation,
)
from evalharness.dataset.scan_cache import ScanCache, ScannedImage, Stamp
from evalharness.records import BadRow, ImageInfo, Sample

IMAGES_PER_COMMIT = 256


@dataclass(frozen=True, slots=True)
class Scan:
    """What the scan found."""

    images: Mapping[str, ImageInfo]
    """Of the good images, by `row_id`, in the order of the samples."""
    faults: tuple[Fault, ...]


def scan_images(samples: Sequence[Sample], config: DatasetConfig, cache_dir: Path, num_workers: int) -> Scan:
    """Checks the image of every sample, reading each file at most once.

    With `verify=full` the first frame is decoded; with `header` only the header is, and a truncated file surfaces
    when it is loaded. Files whose size and time of change are those of an earlier scan are not read again.

    Args:
        samples: The samples; several may share a file.
        config: The `dataset` section.
        cache_dir: Folder of the cache.
        num_workers: Threads.
    """
    paths = list(dict.fromkeys(sample.path for sample in samples))
    outcomes: dict[Path, ImageInfo | ImageError] = {}
    with (
        ScanCache(cache_dir, is_decoded=config.verify == "full") as cache,
        console.progress_bar("Checking images", total=len(paths)) as advance,
    ):
        for path, outcome in _scan_files(paths, config, cache, num_workers):
            outcomes[path] = outcome
            advance(1)
    images: dict[str, ImageInfo] = {}
    faults: list[Fault] = []
    for sample in samples:
        outcome = outcomes[sample.path]
        if isinstance(outcome, ImageInfo):
            images[sample.row_id] = outcome
        else:
            row = BadRow(sample.row_id, sample.relative_path, sample.csv_line, outcome.reason)
            faults.append(Fault(outcome.kind, row))
    return Scan(images, tuple(faults))


def inspect_file(path: Path, config: DatasetConfig) -> ScannedImage:
    """Reads one file: its hash, its header, and with `verify=full` all of its pixels.

    Raises:
        ImageError: The file cannot be used, and why.
    """
    content, status = read_file(path, config.max_pixels)
    with open_header(content, path, config.max_pixels) as image:
        if config.verify == "full":
            decode_pixels(image, path)
        info = ImageInfo(
            sha256=hashlib.sha256(content).hexdigest(),
            width=image.width,
            height=image.height,
            mode=image.mode,
            image_format=image.format or "",
            exif_orientation=read_orientation(image),
            num_frames=count_frames(image),
        )
    return ScannedImage(path, _stamp(status), info)


def _scan_files(
    paths: Sequence[Path], config: DatasetConfig, cache: ScanCache, num_workers: int
) -> Iterator[tuple[Path, ImageInfo | ImageError]]:
    """Yields each path with what was found, in the order of completion; what was read is stored even if interrupted."""
    known = cache.find(paths)
    fresh: list[ScannedImage] = []
    pool = ThreadPoolExecutor(num_workers, thread_name_prefix="scan")
    try:
        futures = {pool.submit(_look_up_or_inspect, path, known.get(path, []), config): path for path in paths}
        for future in as_completed(futures):
            path = futures[future]
            try:
                image, is_fresh = future.result()
            except ImageError as error:
                yield path, error
                continue
            if is_fresh:
                fresh.append(image)
            if len(fresh) == IMAGES_PER_COMMIT:
                cache.add(fresh)
                fresh = []
            yield path, image.info
    finally:
        pool.shutdown(cancel_futures=True)
        if fresh:
            cache.add(fresh)


def _look_up_or_inspect(path: Path, known: Sequence[ScannedImage], config: DatasetConfig) -> tuple[ScannedImage, bool]:
    try:
        stamp = _stamp(path.stat()) if known else None
    except OSError:
        stamp = None
    for image in known:
        if image.stamp == stamp:
            check_pixels(image.info.width, image.info.height, config.max_pixels, path)
            return image, False
    return inspect_file(path, config), True


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_size, status.st_mtime_ns)
