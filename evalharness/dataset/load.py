"""Loads a dataset: the CSV, its labels and paths, and a look at every image."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from evalharness import console
from evalharness.config import DatasetConfig
from evalharness.dataset.bad_rows import bad_rows_error
from evalharness.dataset.columns import Layout, read_rows, resolve_classes, resolve_layout
from evalharness.dataset.rows import check_clean_ids, is_excluded, join_path, list_samples
from evalharness.dataset.scan import scan_images
from evalharness.dataset.stratified_limit import select_stratified
from evalharness.dataset.table import Table
from evalharness.errors import DatasetError, EvalHarnessError
from evalharness.records import Dataset, ImageInfo, Sample


def load_dataset(
    config: DatasetConfig,
    *,
    model_classes: tuple[str, ...] | None,
    runs_dir: Path,
    limit: int | None,
    seed: int,
    num_workers: int,
) -> Dataset:
    """Reads the CSV and checks every row and every image that is wanted.

    Args:
        config: The `dataset` section.
        model_classes: `model.classes`, where the config names them.
        runs_dir: The scan is remembered in its folder `cache`.
        limit: Keep this many rows, stratified by class; applied before any image is read.
        seed: Of the choice that `limit` makes.
        num_workers: Threads that read images.

    Returns:
        The samples in CSV order; rows that cannot be evaluated are in `skipped` if `on_error=skip`.

    Raises:
        DatasetError: The CSV cannot be used, or rows cannot (`on_error=fail`; all of them are told at once), or no
            row is left.
        ConfigError: The classes are not those of the model, or cannot be determined.
    """
    table = read_rows(config)
    for remark in table.remarks:
        console.note(f"dataset.csv: {remark}")
    layout = resolve_layout(config, table)
    check_clean_ids(table, layout)
    rows = [row for row in table.rows if not is_excluded(row, layout)]
    num_excluded = len(table.rows) - len(rows)
    if not rows:
        raise _no_rows_error(config, num_excluded)
    labels = {row.cells[layout.label_column] for row in rows} - {""}
    classes = resolve_classes(config, layout, model_classes, labels)
    root = resolve_root(config)
    listing = list_samples(rows, layout, classes, root)
    wanted = listing.samples if limit is None else select_stratified(listing.samples, limit, seed)
    scan = scan_images(wanted, config, runs_dir / "cache", num_workers)
    faults = sorted((*listing.faults, *scan.faults), key=lambda fault: fault.row.csv_line)
    samples = tuple(sample for sample in wanted if sample.row_id in scan.images)
    if faults and (config.on_error == "fail" or not samples):
        raise bad_rows_error(faults, len(wanted) + len(listing.faults), config.csv, is_fatal=not samples)
    return Dataset(
        name=config.csv.stem if config.name is None else config.name,
        csv=config.csv,
        csv_sha256=table.sha256,
        root=root,
        classes=classes,
        samples=samples,
        skipped=tuple(fault.row for fault in faults),
        images=scan.images,
        digest=digest_samples(samples, scan.images),
        left_out=_left_out(table, layout, samples, root),
        num_excluded=num_excluded,
        num_rotated=sum(image.exif_orientation != 1 for image in scan.images.values()),
    )


def list_rows(config: DatasetConfig, root: Path) -> tuple[tuple[str, Path], ...]:
    """Path as written, and resolved, of every row that the CSV of an earlier evaluation has.

    Args:
        config: Of the evaluation.
        root: Of the evaluation; paths resolve against it.

    Returns:
        Nothing where the CSV is gone or has other columns by now.
    """
    try:
        table = read_rows(config)
        return _left_out(table, resolve_layout(config, table), (), root)
    except EvalHarnessError:
        return ()


def _left_out(table: Table, layout: Layout, samples: Sequence[Sample], root: Path) -> tuple[tuple[str, Path], ...]:
    lines = {sample.csv_line for sample in samples}
    written = (join_path(row, layout) for row in table.rows if row.line not in lines)
    return tuple((path, Path(os.path.normpath(root / path))) for path in written if path)


def resolve_root(config: DatasetConfig) -> Path:
    """Returns the folder that relative paths resolve against, absolute, with symbolic links left as they are.

    Raises:
        DatasetError: There is no such folder.
    """
    # Not Path.resolve(), which would follow the links.
    root = Path(os.path.abspath(config.csv.parent if config.root is None else config.root))  # noqa: PTH100
    if not root.is_dir():
        raise DatasetError("the dataset's root", expected="a folder", got=f"no folder at {root}", where="dataset.root")
    return root


def digest_samples(samples: Sequence[Sample], images: Mapping[str, ImageInfo]) -> str:
    """Computes the SHA-256 over `row_id NUL label NUL sha256 newline` of every sample, in order."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(f"{sample.row_id}\0{sample.label}\0{images[sample.row_id].sha256}\n".encode())
    return digest.hexdigest()


def _no_rows_error(config: DatasetConfig, num_excluded: int) -> DatasetError:
    if num_excluded:
        return DatasetError(
            "no row is left",
            got=f"all {num_excluded:,} rows excluded by dataset.exclude",
            where=config.csv,
            fix="Set dataset.exclude=[] to keep them",
        )
    return DatasetError("the dataset CSV has no rows", got="only a header", where=f"{config.csv}, dataset.csv")
