"""From annotation files to the regions of every row, checked against the images."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from evalharness.annotations.doubts import Doubt, ShapeCounts
from evalharness.annotations.frames import frame_size, tell_frame, to_stored
from evalharness.annotations.matching import Matches, match_images
from evalharness.annotations.parsed import ParsedImage, faults_error
from evalharness.annotations.readers import read_annotations
from evalharness.annotations.roles import assign_roles, describe_unknown
from evalharness.annotations.shapes import RunLengths, ShapeError, Size, count_pixels, decode, encode
from evalharness.audit import BoolArray, ImageRegions, Placement, Role, place_regions
from evalharness.config import RunConfig
from evalharness.records import ImageInfo, Sample

MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class Region:
    """One annotated region of one image."""

    category: str
    runs: RunLengths
    """Its mask in the pixels of the file as stored."""

    def decode(self) -> BoolArray:
        """The mask, (stored height, stored width)."""
        return decode(self.runs)


def unite(regions: Iterable[Region]) -> dict[str, BoolArray]:
    """The union of each category's regions."""
    masks: dict[str, BoolArray] = {}
    for region in regions:
        mask = region.decode()
        masks[region.category] = mask | masks[region.category] if region.category in masks else mask
    return masks


@dataclass(frozen=True, slots=True)
class Annotations:
    """The annotated regions of a dataset."""

    source: Path
    annotations_format: str
    digest: str
    """SHA-256 over rows, categories and masks: equal for equal regions, whatever the format."""
    regions: Mapping[str, tuple[Region, ...]]
    """By `row_id`; annotated rows only, without regions where the image was looked at and nothing found."""
    roles: Mapping[str, Role]
    """By category, all that the annotations have."""
    unmatched_images: tuple[str, ...]
    """Annotated images that no row of the CSV has."""
    hints: tuple[str, ...]
    """What they look like, as sentences."""
    left_out_images: tuple[str, ...]
    """Annotated images of rows that are not evaluated."""
    renamed_images: Mapping[str, tuple[tuple[str, str], ...]]
    """By what the names differ in: the name in the annotations, and the path in the CSV."""
    unmatched_rows: tuple[str, ...]
    """Row ids without annotations."""
    unknown_categories: tuple[str, ...]
    """Categories of the config that the annotations do not have."""
    empty_regions: tuple[str, ...]
    """Regions, described, that cover no pixel; not among `regions`."""
    full_regions: tuple[str, ...]
    """Regions, described, that cover every pixel; among `regions`, though nothing can be measured on them alone."""
    upright_rows: tuple[str, ...]
    """Rows of photos that are stored turned whose regions were drawn on the upright photo, and are turned with it."""
    if_upright: Mapping[str, tuple[Region, ...]]
    """Of photos that are stored turned where nothing tells: the regions if they were drawn upright."""
    doubts: tuple[Doubt, ...]
    """What is unlikely, and should be looked at."""
    notes: tuple[str, ...]
    """What the reader passed over."""

    def masks(self, row_id: str) -> dict[str, BoolArray]:
        """The union of each category's regions in a row, (stored height, stored width); empty if there are none."""
        return unite(self.regions.get(row_id, ()))

    def on_input(self, row_id: str, placement: Placement, orientation: int) -> ImageRegions | None:
        """A row's regions on the model's input; None if there are none.

        Args:
            row_id: Of the row.
            placement: Where its upright photo lands on the model's input.
            orientation: The EXIF orientation that the photo is turned by first.
        """
        masks = self.masks(row_id)
        return place_regions(masks, self.roles, placement, orientation=orientation) if masks else None

    @property
    def areas(self) -> dict[str, list[tuple[str, float]]]:
        """By category: row id and part of its image that each region covers."""
        found: dict[str, list[tuple[str, float]]] = {}
        for row_id, regions in self.regions.items():
            for region in regions:
                height, width = region.runs.size
                found.setdefault(region.category, []).append((row_id, count_pixels(region.runs) / (height * width)))
        return found

    @property
    def messages(self) -> tuple[str, ...]:
        """What a user should know, as sentences."""
        num_rows = len(self.regions) + len(self.unmatched_rows)
        lists = (
            (f"{len(self.unmatched_rows):,} of {num_rows:,} rows have no annotations", self.unmatched_rows),
            (f"{len(self.unmatched_images):,} annotated images are in no row", self.unmatched_images),
            (f"{len(self.empty_regions):,} regions cover no pixel and are left out", self.empty_regions),
            (f"{len(self.full_regions):,} regions cover their whole image", self.full_regions),
        )
        found = [f"{what}: {_list(names)}." for what, names in lists if names]
        found += [*self.hints, *self.taken_otherwise]
        if self.left_out_images:
            found.append(f"{len(self.left_out_images):,} annotated images are of rows that are not evaluated.")
        if self.unknown_categories:
            found.append(describe_unknown(self.unknown_categories, self.roles))
        return (*found, *self.notes)

    @property
    def taken_otherwise(self) -> tuple[str, ...]:
        """What was used in another way than it stands in the annotations, as sentences."""
        found = []
        for differs, pairs in self.renamed_images.items():
            named = _list([f"{name} for {path}" for name, path in pairs])
            found.append(f"{len(pairs):,} annotated images were found in spite of {differs}: {named}.")
        if self.upright_rows:
            found.append(
                f"{len(self.upright_rows):,} photos are stored turned (EXIF) and were annotated upright; their regions "
                f"are turned with them: {_list(self.upright_rows)}."
            )
        return tuple(found)


def load_configured_annotations(
    config: RunConfig,
    path: Path,
    *,
    samples: Sequence[Sample],
    images: Mapping[str, ImageInfo],
    classes: Collection[str],
    left_out: Sequence[tuple[str, Path]],
) -> Annotations:
    """As `load_annotations`, with the format, the frame and the roles of a config.

    Args:
        config: Of the run.
        path: Its `dataset.annotations`.
        samples: The rows.
        images: By `row_id`.
        classes: Of the model.
        left_out: Of the rows of the CSV that are not among the samples.
    """
    return load_annotations(
        path,
        samples=samples,
        images=images,
        classes=classes,
        roles=config.audit.roles,
        annotations_format=config.dataset.annotations_format,
        frame=config.dataset.annotations_frame,
        left_out=left_out,
    )


def load_annotations(
    path: Path,
    *,
    samples: Sequence[Sample],
    images: Mapping[str, ImageInfo],
    classes: Collection[str],
    roles: Mapping[str, str] | None = None,
    annotations_format: str | None = None,
    left_out: Sequence[tuple[str, Path]] = (),
    frame: str = "auto",
) -> Annotations:
    """Reads annotations, finds the rows that they belong to, and checks them against the images.

    Args:
        path: A file or folder in one of the formats of `READERS`.
        samples: The rows.
        images: By `row_id`.
        classes: Of the model.
        roles: Role by category, where it is not the default.
        annotations_format: Of `READERS`; default: what the path tells.
        left_out: Path as written, and resolved, of the rows of the CSV that are not among the samples.
        frame: What regions of photos that are stored turned were drawn on: `stored`, `upright`, or `auto`: as sizes
            tell, and as stored, with a doubt, where they do not.

    Raises:
        ConfigError: A format or role that there is not.
        DatasetError: Annotations that cannot be read, are ambiguous, or are of another size than their image; all of a
            kind are listed.
    """
    name, parsed = read_annotations(path, annotations_format)
    categories = dict.fromkeys(category for image in parsed.images for category, _ in image.shapes)
    assigned, unknown = assign_roles(categories, roles or {}, classes)
    matches = match_images(parsed.images, samples, left_out)
    encoded = _encode_regions(matches, images, path, frame)
    return Annotations(
        source=path,
        annotations_format=name,
        digest=_digest(encoded.regions),
        regions=encoded.regions,
        roles=assigned,
        unmatched_images=matches.unmatched,
        hints=matches.hints,
        left_out_images=matches.left_out,
        renamed_images=matches.renamed,
        unmatched_rows=tuple(sample.row_id for sample in samples if sample.row_id not in encoded.regions),
        unknown_categories=unknown,
        empty_regions=tuple(encoded.empty),
        full_regions=tuple(encoded.full),
        upright_rows=tuple(encoded.upright),
        if_upright=encoded.if_upright,
        doubts=(*_doubts_of_frames(encoded), *encoded.counts.doubts),
        notes=parsed.notes,
    )


def _doubts_of_frames(encoded: "_Encoded") -> tuple[Doubt, ...]:
    if not encoded.if_upright:
        return ()
    told = {"upright": len(encoded.upright), "as stored": encoded.num_told_stored}
    others = " and ".join(f"{count:,} {frame}" for frame, count in told.items() if count)
    sentence = (
        f"{len(encoded.if_upright):,} annotated photos are stored turned (EXIF), and nothing tells whether their "
        "regions were drawn on the photo as it is stored or upright. They are taken as stored; evalharness check draws "
        "both, and dataset.annotations_frame=stored or upright settles it"
    )
    if others:
        sentence += f". By their sizes, others were drawn {others}"
    return (Doubt(sentence, tuple(encoded.if_upright), "stored turned: region in place?"),)


@dataclass
class _Encoded:
    """The regions by row, and what there is to say of them."""

    regions: dict[str, tuple[Region, ...]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    full: list[str] = field(default_factory=list)
    upright: dict[str, None] = field(default_factory=dict)
    """Rows whose regions were drawn on the upright photo, as the sizes tell or the config says."""
    num_told_stored: int = 0
    """Annotated images, stored turned, that were drawn as stored, as the sizes tell."""
    if_upright: dict[str, tuple[Region, ...]] = field(default_factory=dict)
    """By row of a photo that is stored turned where nothing tells: the regions if they were drawn upright."""
    counts: ShapeCounts = field(default_factory=ShapeCounts)


def _encode_regions(matches: Matches, images: Mapping[str, ImageInfo], path: Path, frame: str) -> _Encoded:
    encoded = _Encoded()
    for row_id, parsed_images in matches.by_row.items():
        parts = [_encode_image(row_id, parsed, images[row_id], frame, encoded) for parsed in parsed_images]
        encoded.regions[row_id] = tuple(region for part in parts for region in part)
    if encoded.faults:
        fix = (
            "Annotations are in the pixels of the file as stored, or of the photo upright (dataset.annotations_frame): "
            "export them for these very files, not for resized copies."
        )
        raise faults_error(f"{len(encoded.faults)} annotations in {path} do not fit their images", encoded.faults, fix)
    return encoded


def _encode_image(row_id: str, parsed: ParsedImage, info: ImageInfo, wanted: str, encoded: _Encoded) -> list[Region]:
    """The regions of one image in the pixels of the file; notes what is wrong or worth saying."""
    annotated_size = _size_of(parsed)
    frame = tell_frame(annotated_size, info, wanted)
    size = frame_size(info, frame or "stored")
    if annotated_size is not None and annotated_size != size:
        encoded.faults.append(_describe_size(row_id, parsed, annotated_size, info, wanted))
        return []
    if parsed.shapes and frame == "upright":
        encoded.upright[row_id] = None
    encoded.num_told_stored += bool(parsed.shapes) and frame == "stored" and info.exif_orientation != 1
    if parsed.shapes and frame is None:
        encoded.if_upright[row_id] = (*encoded.if_upright.get(row_id, ()), *_encode_upright(parsed, info))
    kept = []
    for number, (category, shape) in enumerate(parsed.shapes, start=1):
        described = f"{category!r} in {row_id!r} ({parsed.where})"
        encoded.counts.add(row_id, shape, size)
        try:
            on_file = to_stored(shape, size, info.exif_orientation) if frame == "upright" else shape
            runs = encode(on_file, frame_size(info, "stored"))
        except ShapeError as error:
            encoded.faults.append(f"{described}, region {number}: {error}")
            continue
        covered = count_pixels(runs)
        if covered == size[0] * size[1]:
            encoded.full.append(described)
        if covered:
            kept.append(Region(category, runs))
        else:
            encoded.empty.append(described)
    return kept


def _size_of(parsed: ParsedImage) -> Size | None:
    """(height, width) of the image, as the annotations or else their masks say."""
    return parsed.size or next((shape.size for _, shape in parsed.shapes if isinstance(shape, RunLengths)), None)


def _encode_upright(parsed: ParsedImage, info: ImageInfo) -> Iterator[Region]:
    """The regions as if drawn on the upright photo, in the pixels of the file; without those that mean nothing."""
    for category, shape in parsed.shapes:
        with suppress(ShapeError):
            on_file = to_stored(shape, frame_size(info, "upright"), info.exif_orientation)
            yield Region(category, encode(on_file, frame_size(info, "stored")))


def _describe_size(row_id: str, parsed: ParsedImage, size: Size, info: ImageInfo, wanted: str) -> str:
    height, width = size
    sizes = f"annotated at {width} x {height} pixels, the file has {info.width} x {info.height}"
    text = f"{row_id!r} ({parsed.where}): {sizes}"
    is_other_frame = info.is_turned and (height, width) in ((info.width, info.height), (info.height, info.width))
    return f"{text}, stored turned (EXIF), and dataset.annotations_frame={wanted}" if is_other_frame else text


def _digest(regions: Mapping[str, tuple[Region, ...]]) -> str:
    digest = hashlib.sha256()
    for row_id in sorted(regions):
        digest.update(b"row" + _packed(row_id))
        entries = [(region.category, region.runs.size, region.runs.counts) for region in regions[row_id]]
        for category, size, counts in sorted(entries):
            digest.update(b"region" + _packed(category) + _packed(f"{size[0]}x{size[1]}") + _packed(counts.decode()))
    return digest.hexdigest()


def _packed(text: str) -> bytes:
    content = text.encode("utf-8", "surrogatepass")
    return len(content).to_bytes(8, "little") + content


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
