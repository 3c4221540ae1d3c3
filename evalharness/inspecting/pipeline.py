"""The story of an inspection: single images, their verdict, where the model looked, and can it be believed?"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.special import softmax

from evalharness import dataset as datasets
from evalharness.annotations import Annotations
from evalharness.inspecting.attention_shares import Box, measure_shares, read_annotations
from evalharness.inspecting.bench import Bench
from evalharness.inspecting.evaluated_images import PlaceAmong
from evalharness.inspecting.images import LoadedImage, load
from evalharness.inspecting.inspection import Inspection, Unreadable
from evalharness.inspecting.judgement import NO_JUDGE, NOT_JUDGED, Judgement
from evalharness.records import BatchOutput, UInt8Array
from evalharness.slugs import slug


def inspect_images(
    bench: Bench, paths: Sequence[Path], *, box: Box | None = None, folder: Path | None = None
) -> Iterator[Inspection | Unreadable]:
    """Inspects images in batches, in order; those that cannot be read are told and passed over.

    Args:
        bench: The model, and the evaluation to judge by.
        paths: Image files.
        box: Of the object, in pixels of each file as stored.
        folder: Where pictures go; None: none are drawn.
    """
    size = bench.config.batch_size
    annotations = read_annotations(bench, paths) if box is None else None
    for start in range(0, len(paths), size):
        loaded = [load(path, bench.config) for path in paths[start : start + size]]
        readable = [image for image in loaded if isinstance(image, LoadedImage)]
        inspected = iter(_inspect_batch(bench, readable, box, annotations))
        for image in loaded:
            if isinstance(image, Unreadable):
                yield image
            else:
                inspection = next(inspected)
                yield _draw(bench, inspection, image, box, folder) if folder else inspection


def _inspect_batch(
    bench: Bench, images: Sequence[LoadedImage], box: Box | None, annotations: Annotations | None
) -> list[Inspection]:
    if not images:
        return []
    output = _predict(bench, np.stack([image.pixels for image in images]), [image.path.name for image in images])
    probs = softmax(np.asarray(output.logits, np.float64), axis=1)
    density = next(iter(output.densities.values()), None)
    digests = [image.info.sha256 for image in images]
    places = bench.evaluated.place(output, digests) if bench.evaluated else [None] * len(images)
    judgements = _judge(bench, images, output)
    found = []
    for index, image in enumerate(images):
        ranked = np.argsort(-probs[index], kind="stable")
        own = None if density is None else np.asarray(density[index], np.float32)
        found.append(
            Inspection(
                path=image.path,
                verdict=bench.classes[ranked[0]],
                confidence=float(probs[index, ranked[0]]),
                top=tuple((bench.classes[place], float(probs[index, place])) for place in ranked[: bench.top_k]),
                map_id=bench.spec.map_id if bench.spec else None,
                density=own,
                shares={} if own is None else measure_shares(image, own, box, annotations),
                place=_with_novelty(places[index], judgements[index]),
                judgement=judgements[index],
            )
        )
    return found


def _judge(bench: Bench, images: Sequence[LoadedImage], output: BatchOutput) -> list[Judgement]:
    if bench.judge is None:
        return [NOT_JUDGED if bench.stored is None else NO_JUDGE] * len(images)
    return bench.judge.judge(images, output, bench.forward, bench.tokens_of)


def _with_novelty(place: PlaceAmong | None, judgement: Judgement) -> PlaceAmong | None:
    """One novelty, the judge's."""
    return place if place is None or judgement.novelty is None else replace(place, novelty=judgement.novelty)


def _predict(bench: Bench, images: UInt8Array, names: Sequence[str]) -> BatchOutput:
    labels = np.zeros(len(images), np.int32)
    if bench.spec is not None and bench.spec.target == "contrast":
        # Predicted minus runner-up: what the target means where the verdict is right.
        labels = bench.forward.logits(images).argmax(axis=1).astype(np.int32)
    return bench.forward(images, labels, names)


def _draw(bench: Bench, inspection: Inspection, image: LoadedImage, box: Box | None, folder: Path) -> Inspection:
    from evalharness.report.inspection import draw_inspection
    from evalharness.report.style import save_figure

    config = bench.config
    boxes = []
    if box is not None and image.orientation == 1:
        width, height = image.info.width, image.info.height
        boxes = [(box[0] / width, box[1] / height, box[2] / width, box[3] / height)]
    figure = draw_inspection(
        image.path.name,
        datasets.load_photo(image.path, config=config.dataset, max_side=datasets.MAX_DRAWN_SIDE),
        inspection.density,
        inspection.lines,
        inspection.warnings,
        belief=inspection.belief,
        style=config.report.style,
        density_max=config.report.density_max,
        extent=image.placement.extent,
        boxes=boxes,
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = save_figure(figure, folder / f"{slug(image.path.as_posix())}.png")
    return replace(inspection, picture=path)
