"""The probe before a prediction: would the same weights score clearly better with another setting of the model?"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from evalharness import dataset as datasets
from evalharness import model as models
from evalharness import results
from evalharness.config import PREPROCESSINGS, RunConfig
from evalharness.console import note, warn
from evalharness.evaluating.session import Session
from evalharness.records import Dataset, VisionTransformer

FEWEST_IMAGES = 7
"""With fewer, no difference is significant after the correction for the number of values tried."""


def probe(config: RunConfig, dataset: Dataset, model: VisionTransformer) -> list[models.ProbeResult]:
    """Scores some images, `model.probe` of them, with every value of each setting that the weights file does not tell.

    Raises:
        EvalHarnessError: An image cannot be loaded.
    """
    photos = _load_photos(config, dataset, model)
    if photos is None:
        return []
    scaled = models.probe_preprocessing(model, photos)
    if not has_unknown_heads(config, model):
        return [scaled]
    # Under a wrong preprocessing, the number of heads would be told from noise.
    heads = models.probe_heads(model, photos, scaled.better.value if scaled.better else None)
    return [scaled] if heads is None else [scaled, heads]


def has_unknown_heads(config: RunConfig, model: VisionTransformer) -> bool:
    """Whether only `model.num_heads` says how many heads there are; a saved model and a named backbone say it too."""
    is_custom = config.model.backbone == "custom" and not config.model.builder
    return is_custom and model.weights.file_format in ("h5", "weights.h5")


def probe_first(session: Session, writer: results.ResultsWriter) -> None:
    """Warns, before rows are predicted, of a setting that would score clearly better; the manifest keeps the warnings.

    Left out where nothing is left to predict, and where there are too few images to tell anything.
    """
    inputs, config = session.inputs, session.inputs.config
    count = min(config.model.probe, len(inputs.dataset.samples))
    if not len(writer.pending()) or count < FEWEST_IMAGES:
        return
    found = _probe_and_tell(session, count)
    warnings = [result.warning for result in found if result.warning]
    for text in warnings:
        warn(text)
    results.ProbeWarnings(writer.folder, inputs.fingerprint).write(warnings)


def _probe_and_tell(session: Session, count: int) -> Sequence[models.ProbeResult]:
    config, model = session.inputs.config, session.model
    note(
        f"probe: {count} images under {len(PREPROCESSINGS)} preprocessings, before anything is predicted "
        "(model.probe=0 leaves it out)"
    )
    return probe(config, session.inputs.dataset, model)


def _load_photos(config: RunConfig, dataset: Dataset, model: VisionTransformer) -> models.ProbeImages | None:
    generator = np.random.default_rng(config.seed)
    count = min(config.model.probe, len(dataset.samples))
    positions = np.sort(generator.choice(len(dataset.samples), count, replace=False))
    load = partial(
        datasets.iterate_batches, image_size=model.image_size, config=config.dataset, batch_size=config.batch_size,
        num_workers=config.num_workers,
    )  # fmt: skip
    batches = [batch for batch in load(dataset, positions) if len(batch.positions)]
    if not batches:
        return None
    samples = [dataset.samples[position] for batch in batches for position in batch.positions]
    return models.ProbeImages(
        np.concatenate([batch.images for batch in batches]),
        np.array([model.classes.index(sample.label) for sample in samples]),
        [sample.group for sample in samples],
    )
