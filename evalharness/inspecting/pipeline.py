"""Single images, as a person at a bench looks at them: the verdict, where the model looked, and can it be believed?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from evalharness import dataset as datasets
from evalharness import model as models
from evalharness import report, tracking
from evalharness.annotations import Annotations, load_annotations
from evalharness.attention import map_specs
from evalharness.audit import grid_coverage, measure_looks, place_mask, place_regions
from evalharness.config.schema import RunConfig
from evalharness.console import note
from evalharness.dataset.columns import resolve_classes, resolve_layout
from evalharness.dataset.decode import FORMATS
from evalharness.dataset.scan import inspect_file
from evalharness.dataset.table import read_table
from evalharness.errors import ConfigError, EvalHarnessError, ResultsError, WeightsError
from evalharness.inference import ForwardPass
from evalharness.inspecting.evaluated_images import Background
from evalharness.inspecting.inspection import Inspection, Unreadable
from evalharness.records import BatchOutput, FloatArray, ImageInfo, MapSpec, Sample, UInt8Array, WeightsSource
from evalharness.report.inspection import draw_inspection
from evalharness.results import StoredResult
from evalharness.slugs import slug

Box = tuple[float, float, float, float]
ENDINGS = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".ppm", ".jp2", ".avif"}
MAX_DRAWN_SIDE = 512
FIRST_TURNED_ORIENTATION = 5


@dataclass(frozen=True)
class Bench:
    """One model, loaded once, and what is known of the images it was evaluated on."""

    config: RunConfig
    classes: tuple[str, ...]
    source: WeightsSource
    spec: MapSpec | None
    stored: StoredResult | None = None
    top_k: int = 3

    @cached_property
    def forward(self) -> ForwardPass:
        """The compiled model."""
        model = models.load_model(self.config.model, classes=self.classes, source=self.source)
        return ForwardPass(model, () if self.spec is None else (self.spec,))

    @cached_property
    def background(self) -> Background | None:
        """Of the stored evaluation."""
        return None if self.stored is None else Background.of(self.stored, self.spec.map_id if self.spec else None)

    def inspect(
        self, paths: Sequence[Path], *, box: Box | None = None, folder: Path | None = None
    ) -> Iterator[Inspection | Unreadable]:
        """Inspects images in batches, in order; those that cannot be read are told and passed over.

        Args:
            paths: Image files.
            box: x, y, width and height of the object, in pixels of each file as stored.
            folder: Where pictures go; None: none are drawn.
        """
        size = self.config.batch_size
        regions: Annotations | None = None
        if box is None and self.config.dataset.annotations is not None:
            regions = self._read_annotations(paths)
        for start in range(0, len(paths), size):
            loaded = [self._load(path) for path in paths[start : start + size]]
            readable = [entry for entry in loaded if not isinstance(entry, Unreadable)]
            found = iter(self._inspect_batch(readable, box, regions, folder))
            for entry in loaded:
                yield entry if isinstance(entry, Unreadable) else next(found)

    def _load(self, path: Path) -> "Unreadable | _Loaded":
        try:
            info = inspect_file(path, self.config.dataset).info
            size = self.config.model.image_size
            return _Loaded(path, info, datasets.load_image(path, image_size=size, config=self.config.dataset))
        except datasets.ImageError as error:
            return Unreadable(path, error.reason)

    def _inspect_batch(
        self, loaded: "Sequence[_Loaded]", box: Box | None, regions: Annotations | None, folder: Path | None
    ) -> list[Inspection]:
        if not loaded:
            return []
        output = self._run(np.stack([entry.pixels for entry in loaded]), [entry.path.name for entry in loaded])
        probs = softmax(np.asarray(output.logits, np.float64), axis=1)
        density = next(iter(output.densities.values()), None)
        digests = [entry.info.sha256 for entry in loaded]
        judged = self.background.judge(output, digests) if self.background else [None] * len(loaded)
        found = []
        for index, entry in enumerate(loaded):
            ranked = np.argsort(-probs[index], kind="stable")
            own = None if density is None else np.asarray(density[index], np.float32)
            inspection = Inspection(
                path=entry.path,
                verdict=self.classes[ranked[0]],
                confidence=float(probs[index, ranked[0]]),
                top=tuple((self.classes[place], float(probs[index, place])) for place in ranked[: self.top_k]),
                map_id=self.spec.map_id if self.spec else None,
                density=own,
                shares={} if own is None else self._shares(entry, own, box, regions),
                judged=judged[index],
            )
            found.append(self._draw(inspection, entry, box, folder) if folder else inspection)
        return found

    def _run(self, images: UInt8Array, names: Sequence[str]) -> BatchOutput:
        labels = np.zeros(len(images), np.int32)
        if self.spec is not None and self.spec.target == "contrast":
            # Predicted minus runner-up: what the target means where the verdict is right.
            labels = self.forward.logits(images).argmax(axis=1).astype(np.int32)
        return self.forward(images, labels, names)

    def _placement(self, info: ImageInfo) -> datasets.Placement:
        is_turned = self._orientation(info) >= FIRST_TURNED_ORIENTATION
        photo_size = (info.width, info.height) if is_turned else (info.height, info.width)
        return datasets.place(photo_size, self.config.model.image_size, self.config.dataset.resize)

    def _orientation(self, info: ImageInfo) -> int:
        return info.exif_orientation if self.config.dataset.exif == "apply" else 1

    def _shares(
        self, entry: "_Loaded", density: FloatArray, box: Box | None, annotations: Annotations | None
    ) -> dict[str, float]:
        placement, orientation = self._placement(entry.info), self._orientation(entry.info)
        ignored = None
        if box is not None:
            mask = _box_mask(box, entry)
            coverage = {"object": place_mask(mask, placement, orientation=orientation)}
        elif annotations is not None and (masks := annotations.masks(entry.path.as_posix())):
            regions = place_regions(masks, annotations.roles, placement, orientation=orientation)
            ignored = grid_coverage(regions.ignored, density.shape)[None]  # type: ignore[arg-type]
            own = [c for name, c in regions.coverage.items() if annotations.roles[name] == "object"]
            coverage = {"object": np.maximum.reduce(own)} if own else {}
            coverage |= {name: c for name, c in regions.coverage.items() if annotations.roles[name] == "distractor"}
        else:
            return {}
        shares: dict[str, float] = {}
        for name, covered in coverage.items():
            on_grid = grid_coverage(covered, density.shape)[None]  # type: ignore[arg-type]
            share = float(measure_looks(density[None], on_grid, ignored).share[0])
            if np.isfinite(share):
                shares |= {name: share, "outside": 1 - share} if name == "object" else {name: share}
        return shares

    def _draw(self, inspection: Inspection, entry: "_Loaded", box: Box | None, folder: Path) -> Inspection:
        photo = datasets.load_photo(entry.path, config=self.config.dataset, max_side=MAX_DRAWN_SIDE)
        boxes = []
        if box is not None and self._orientation(entry.info) == 1:
            width, height = entry.info.width, entry.info.height
            boxes = [(box[0] / width, box[1] / height, box[2] / width, box[3] / height)]
        figure = draw_inspection(
            entry.path.name,
            photo,
            inspection.density,
            inspection.lines,
            inspection.warnings,
            style=self.config.report.style,
            density_max=self.config.report.density_max,
            extent=report.Extent(*self._placement(entry.info).extent),
            boxes=boxes,
        )
        folder.mkdir(parents=True, exist_ok=True)
        path = report.save_figure(figure, folder / f"{slug(entry.path.as_posix())}.png")
        return replace(inspection, picture=path)

    def _read_annotations(self, paths: Sequence[Path]) -> Annotations | None:
        """Regions of the images by path; those of a stored evaluation only for the very files that it evaluated."""
        source = self.config.dataset.annotations
        is_own = self.stored is None or str(source) != self.stored.manifest["config"]["dataset"]["annotations"]
        samples, images = [], {}
        for path in paths:
            entry = self._load(path)
            if isinstance(entry, Unreadable):
                continue
            name = path.as_posix()
            written = (
                name if is_own or self.background is None else self.background.written_paths.get(entry.info.sha256)
            )
            if written is not None:
                samples.append(Sample(name, path.absolute(), written, "", 0, name))
                images[name] = entry.info
        if source is None or not samples or not (is_own or source.exists()):
            return None
        return load_annotations(
            source,
            samples=samples,
            images=images,
            classes=self.classes,
            roles=self.config.audit.roles,
            annotations_format=self.config.dataset.annotations_format,
        )


@dataclass(frozen=True)
class _Loaded:
    """One readable image."""

    path: Path
    info: ImageInfo
    pixels: UInt8Array
    """As the model sees it."""


def open_bench(config: RunConfig, *, stored: StoredResult | None = None, has_csv: bool = True, top_k: int = 3) -> Bench:
    """Finds the weights, the classes and the map, and sets TensorFlow up.

    Args:
        config: Of the stored evaluation, or composed.
        stored: An evaluation of the same model, to judge images by.
        has_csv: Whether `dataset.csv` names a file, which then tells the classes.
        top_k: How many classes to name.

    Raises:
        EvalHarnessError: Weights or classes that cannot be used, or weights that are not those of the evaluation.
    """
    source = models.resolve_weights(
        config.model.weights,
        tracking_uri=tracking.resolve_uri(config.tracking.uri, config.runs_dir),
        cache_dir=config.runs_dir / "cache" / "weights",
    )
    if stored is not None and source.sha256 != stored.recipe["model"]["weights_sha256"]:
        raise WeightsError(
            "weights are not those of the evaluation",
            expected=f"SHA-256 {stored.recipe['model']['weights_sha256'][:12]}",
            got=source.sha256[:12],
            where=source.path,
            fix="Name the file with model.weights=, or evaluate again",
        )
    classes = stored.classes if stored is not None else known_classes(config, has_csv=has_csv)
    models.configure_tensorflow(config.seed)
    return Bench(config, classes, source, bench_map(config, classes), stored, top_k)


def known_classes(config: RunConfig, *, has_csv: bool) -> tuple[str, ...]:
    """The model's classes: from the config, or from the CSV as in an evaluation.

    Raises:
        ConfigError: Neither tells.
    """
    given = config.model.classes or config.dataset.classes
    if given is None and has_csv:
        table = read_table(config.dataset.csv)
        layout = resolve_layout(config.dataset, table)
        labels = {row.cells[layout.label_column] for row in table.rows} - {""}
        given = resolve_classes(config.dataset, layout, None, labels)
    if given is None:
        raise ConfigError(
            "the model's classes are not known",
            expected="names in the order of its outputs",
            got="none",
            where="model.classes",
            fix="Set model.classes=[...], or name an evaluation with --run, or its dataset.csv",
        )
    return given


def bench_map(config: RunConfig, classes: Sequence[str]) -> MapSpec | None:
    """The first map that needs no true label; None if the config has no maps.

    Raises:
        ConfigError: All maps explain the true class, which nobody knows here.
    """
    specs = map_specs(config.attention, classes)
    usable = [spec for spec in specs if spec.target != "true"]
    if specs and not usable:
        raise ConfigError(
            "no map can be drawn: they explain the true class, which is not known here",
            expected="predicted, contrast or a class", got="true", where="attention.target",
            fix="Set attention.target=predicted",
        )  # fmt: skip
    return usable[0] if usable else None


def list_images(names: Sequence[str]) -> list[Path]:
    """The files named, and the images in the folders named, each folder sorted.

    Raises:
        ConfigError: Nothing by that name, or a folder without images.
    """
    found: list[Path] = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            images = sorted(each for each in path.rglob("*") if each.suffix.lower() in ENDINGS and each.is_file())
            if not images:
                raise ConfigError("no images in the folder", expected=", ".join(FORMATS), got="none", where=path)
            found += images
        elif path.is_file():
            found.append(path)
        else:
            raise ConfigError("no such image", expected="an image file or a folder", got=name)
    return found


def check_same_input(stored: StoredResult, config: RunConfig) -> None:
    """A stored evaluation tells of images that were prepared as it prepared its own.

    Raises:
        ResultsError: The settings of the input are others.
    """
    now = {"image_size": list(config.model.image_size), "preprocessing": config.model.preprocessing}
    now |= {name: getattr(config.dataset, name) for name in ("resize", "filter", "exif")}
    unlike = [name for name, value in stored.recipe["input"].items() if now[name] != value]
    if unlike:
        raise ResultsError(
            "the evaluation was made with another input", got=", ".join(unlike), where=stored.folder,
            fix="Leave these settings to --run",
        )  # fmt: skip


def tell_background(bench: Bench) -> None:
    """Notes what the stored evaluation can tell and what it cannot."""
    if bench.background is not None:
        for sentence in bench.background.notes:
            note(sentence)


def _box_mask(box: Box, entry: _Loaded) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    x, y, width, height = box
    if not (0 <= x < x + width <= entry.info.width and 0 <= y < y + height <= entry.info.height):
        raise EvalHarnessError(
            "the object's box is not inside the image",
            expected=f"within {entry.info.width} x {entry.info.height} pixels",
            got=f"x={x:g}, y={y:g}, width={width:g}, height={height:g}",
            where=entry.path,
            fix="Give object=x,y,width,height in pixels of the file as stored",
        )
    mask = np.zeros((entry.info.height, entry.info.width), np.bool_)
    mask[round(y) : max(round(y) + 1, round(y + height)), round(x) : max(round(x) + 1, round(x + width))] = True
    return mask
