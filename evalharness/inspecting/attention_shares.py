"""Where the attention lies: on the object, outside it, and on each annotated distractor."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evalharness.annotations import Annotations, load_configured_annotations
from evalharness.audit import BoolArray, find_photo, grid_coverage, place_mask
from evalharness.audit.looks import measure_share
from evalharness.console import note, warn
from evalharness.dataset import list_rows
from evalharness.errors import EvalHarnessError
from evalharness.inspecting.bench import Bench
from evalharness.inspecting.images import LoadedImage, load
from evalharness.inspecting.inspection import Unreadable
from evalharness.records import FloatArray, Sample
from evalharness.results import StoredResult

Box = tuple[float, float, float, float]
"""x, y, width and height in pixels of the file as stored."""


def measure_shares(
    image: LoadedImage, density: FloatArray, box: Box | None, annotations: Annotations | None
) -> dict[str, float]:
    """Parts of the attention on the photo: the object (`object`), outside it (`outside`), each annotated distractor.

    Args:
        image: The image.
        density: Of its map, (grid rows, grid columns).
        box: Of the object; None: what the annotations say.
        annotations: By path; None where there are none.

    Returns:
        Empty where nothing says where the object is, or the map is not defined.
    """
    rows, columns = density.shape
    left_out = (~find_photo(image.placement)).astype(np.float32)
    if box is not None:
        coverage = {"object": place_mask(box_mask(box, image), image.placement, orientation=image.orientation)}
    elif annotations is not None and (
        regions := annotations.on_input(image.path.as_posix(), image.placement, image.orientation)
    ):
        roles = annotations.roles
        left_out = regions.left_out
        own = [covered for name, covered in regions.coverage.items() if roles[name] == "object"]
        coverage = {"object": np.maximum.reduce(own)} if own else {}
        coverage |= {name: covered for name, covered in regions.coverage.items() if roles[name] == "distractor"}
    else:
        return {}
    ignored, shares = grid_coverage(left_out, (rows, columns))[None], dict[str, float]()
    for name, covered in coverage.items():
        share = float(measure_share(density[None], grid_coverage(covered, (rows, columns))[None], ignored)[0])
        if np.isfinite(share):
            shares |= {name: share, "outside": 1 - share} if name == "object" else {name: share}
    return shares


def box_mask(box: Box, image: LoadedImage) -> BoolArray:
    """The pixels of the file that a box covers, (height, width).

    Raises:
        EvalHarnessError: The box is not inside the image.
    """
    x, y, width, height = box
    if not (0 <= x < x + width <= image.info.width and 0 <= y < y + height <= image.info.height):
        raise EvalHarnessError(
            "the object's box is not inside the image",
            expected=f"within {image.info.width} x {image.info.height} pixels",
            got=f"x={x:g}, y={y:g}, width={width:g}, height={height:g}",
            where=image.path,
            fix="Give object=x,y,width,height in pixels of the file as stored",
        )
    mask = np.zeros((image.info.height, image.info.width), np.bool_)
    mask[round(y) : max(round(y) + 1, round(y + height)), round(x) : max(round(x) + 1, round(x + width))] = True
    return mask


def read_annotations(bench: Bench, paths: Sequence[Path]) -> Annotations | None:
    """Regions of the images by path; those of a stored evaluation only for the very files that it evaluated."""
    config, stored = bench.config, bench.stored
    source = config.dataset.annotations
    is_own = stored is None or str(source) != stored.manifest["config"]["dataset"]["annotations"]
    if source is None or not (is_own or source.exists()):
        return None
    evaluated = {} if stored is None or is_own else _evaluated_places(stored)
    samples, images = [], {}
    for path in paths:
        image = load(path, config)
        if isinstance(image, Unreadable):
            continue
        name = path.as_posix()
        place = (name, path.absolute()) if is_own else evaluated.get(image.info.sha256)
        if place is not None:
            samples.append(Sample(name, place[1], place[0], "", 0, name))
            images[name] = image.info
    if not samples:
        return None
    found = load_configured_annotations(
        config,
        source,
        samples=samples,
        images=images,
        classes=bench.classes,
        # What a name means depends on all rows.
        left_out=[] if stored is None or is_own else [*evaluated.values(), *list_rows(config.dataset, _root(stored))],
    )
    for text in found.taken_otherwise:
        note(f"annotations: {text}")
    for doubt in found.doubts:
        warn(f"annotations: {doubt.text}")
    return found


def _evaluated_places(stored: StoredResult) -> dict[str, tuple[str, Path]]:
    """Path as in the CSV, and resolved, of each evaluated image, by SHA-256 of its file."""
    places = zip(stored.samples["sha256"], stored.samples["path"], strict=True)
    return {digest: (path, Path(os.path.normpath(_root(stored) / path))) for digest, path in places}


def _root(stored: StoredResult) -> Path:
    return Path(stored.manifest["provenance"]["dataset"]["root"])
