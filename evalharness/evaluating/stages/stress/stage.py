"""Stress: cut-outs pasted into the user's own photos, with the mask known and the clean original at hand."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from evalharness import results
from evalharness.attention import METHODS
from evalharness.audit import (
    BoolArray,
    PullCell,
    PullEvidence,
    PullLead,
    Resampling,
    clean_gains,
    describe_pull,
    erase,
    grid_coverage,
    measure_effects,
    measure_lead,
    measure_looks,
    paste_cutout,
    pull_matrix,
)
from evalharness.audit.intervals import mean_interval, ratio_interval
from evalharness.console import progress_bar, tell_cost
from evalharness.evaluating.inputs import Inputs, timed
from evalharness.evaluating.other_inputs import Cutouts
from evalharness.inference import ForwardPass
from evalharness.records import FloatArray, Interval, MapSpec, Sample, UInt8Array
from evalharness.report import select_logged
from evalharness.slugs import slug

VERSION = 1
"""Of the stored table's numbers."""


@dataclass(frozen=True)
class PastedPhoto:
    """One photo with a cut-out in it, as the model sees it."""

    category: str
    cutout: str
    """Name of the cut-out."""
    clean: UInt8Array
    """RGB (height, width, 3)."""
    image: UInt8Array
    """The same with the cut-out."""
    mask: BoolArray
    """Where the cut-out is, (height, width)."""


@dataclass(frozen=True)
class StressedCategory:
    """What cut-outs of one category do to the verdicts."""

    category: str
    num_images: int
    flips: Interval
    """Part of the verdicts that differ from those on the clean photos."""
    hidden_flips: Interval
    """The same where the cut-out's outline was filled with the photo's mean colour: what hiding alone does."""
    flips_to: Mapping[str, int]
    """New verdicts, the most frequent first."""
    share: Interval
    """Captured: part of the map on the cut-out; NaN without maps."""
    clean_share: Interval
    """Part of the clean photo's map at the same place."""
    area: Interval
    lift: Interval
    delta_prob: Interval
    """What the cut-out takes from the probability of the clean photo's verdict."""


@dataclass(frozen=True)
class StressTest:
    """Everything that the pasted cut-outs tell."""

    map_id: str | None
    categories: tuple[StressedCategory, ...]
    pull: tuple[PullCell, ...]
    lead: PullLead | None
    sentence: str
    table: pd.DataFrame
    """A row per photo and category: `stress.parquet`."""

    @property
    def measures(self) -> dict[str, float]:
        """What runs are compared by, by MLflow name."""
        found: dict[str, float] = {}
        for entry in self.categories:
            name = f"stress/{slug(entry.category)}"
            found |= {f"{name}/flip_rate": entry.flips.value}
            found |= {f"{name}/captured_share": entry.share.value} if self.map_id else {}
        return found

    @property
    def plain(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        return {
            "map_id": self.map_id,
            "sentence": self.sentence,
            "lead": asdict(self.lead) if self.lead else None,
            "categories": [asdict(entry) for entry in self.categories],
            "pull": [asdict(cell) for cell in self.pull],
        }


def stress_verdicts(
    inputs: Inputs, samples: Sequence[Sample], writer: results.ResultsWriter, stages: results.Stages
) -> StressTest | None:
    """Pastes a cut-out of each category into some of the photos and asks the model again; None where that is off.

    Writes `stress.parquet`.

    Args:
        inputs: The evaluation.
        samples: The evaluated rows.
        writer: Their maps and logits: what the model said of the clean photos.
        stages: Where the table is kept.
    """
    if inputs.extras.cutouts is None:
        return None
    spec = mapped_spec(inputs.specs)
    key = {
        "version": VERSION,
        "fingerprint": inputs.fingerprint,
        "settings": inputs.config.stress.model_dump(mode="json", exclude={"cutouts"}),
        "cutouts": inputs.extras.cutouts.digest,
        "map": spec.map_id if spec else None,
    }
    table = stages.read("stress", key)
    if table is None:
        with timed("stress", inputs.durations_s):
            table = _paste_all(inputs, samples, writer, spec)
        stages.write("stress", key, table)
    return _summarise(inputs, table, spec.map_id if spec else None)


def required_cutouts(inputs: Inputs) -> Cutouts:
    """The cut-outs, where a step has made sure that there are some."""
    if inputs.extras.cutouts is None:
        raise ValueError("there are no cut-outs")
    return inputs.extras.cutouts


def mapped_spec(specs: Sequence[MapSpec]) -> MapSpec | None:
    """The map that tells what a cut-out captures: the first that depends on the class, else the first."""
    specific = [spec for spec in specs if METHODS[spec.method].is_class_specific]
    return next(iter([*specific, *specs]), None)


def paste_into(inputs: Inputs, row_id: str, category: str) -> PastedPhoto:
    """Pastes the row's cut-out of a category into its photo as the model sees it; the same in every run.

    Where the photo is padded, the cut-out lies inside the photo.
    """
    cutouts, image, placement = required_cutouts(inputs), inputs.load_image(row_id), inputs.placement(row_id)
    name, cutout = cutouts.pick(row_id, category)
    top, left = max(0, placement.top), max(0, placement.left)
    height, width = placement.scaled_size
    window = (slice(top, max(0, placement.top + height)), slice(left, max(0, placement.left + width)))
    pasted = paste_cutout(image[window], cutout, row_id=row_id, name=category, scale_range=inputs.config.stress.scale)
    whole, mask = image.copy(), np.zeros(image.shape[:2], np.bool_)
    whole[window], mask[window] = pasted.image, pasted.mask
    return PastedPhoto(category, name, image, whole, mask)


def _paste_all(
    inputs: Inputs, samples: Sequence[Sample], writer: results.ResultsWriter, spec: MapSpec | None
) -> pd.DataFrame:
    categories = list(required_cutouts(inputs).by_category)
    listed = pd.DataFrame({"row_id": [s.row_id for s in samples], "label": [s.label for s in samples]})
    row_ids = select_logged(listed, inputs.config.stress.num_images, inputs.config.seed)
    positions = {sample.row_id: position for position, sample in enumerate(samples)}
    forward = ForwardPass(inputs.model, [spec] if spec else [])
    blank: UInt8Array = np.zeros((len(categories), *inputs.model.image_size, 3), np.uint8)
    tell_cost(
        f"pasting cut-outs of {', '.join(categories)} into {len(row_ids)} photos",
        # One with the cut-out and its map, one with its outline filled.
        num_passes=len(categories) * len(row_ids) * (forward.num_forward_passes + 1),
        run_once=lambda: (forward(blank, np.zeros(len(blank), np.int32), categories), forward.logits(blank)),
        passes_per_run=len(categories) * (forward.num_forward_passes + 1),
    )
    rows: list[dict[str, Any]] = []
    with progress_bar("Pasting cut-outs", len(row_ids)) as advance:
        for row_id in row_ids:
            position = positions[row_id]
            logits = np.asarray(writer.array("logits.npy")[position], np.float64)
            density = np.asarray(writer.maps()[spec.map_id][position], np.float64) if spec else None
            rows += _stress_one(inputs, samples[position], forward, logits, density)
            advance(1)
    return pd.DataFrame(rows)


def _stress_one(
    inputs: Inputs, sample: Sample, forward: ForwardPass, clean_logits: FloatArray, clean_density: FloatArray | None
) -> Iterator[dict[str, Any]]:
    """All categories of one photo in one batch; a row of the table each."""
    photos = [paste_into(inputs, sample.row_id, category) for category in required_cutouts(inputs).by_category]
    output = forward(
        np.stack([photo.image for photo in photos]),
        np.full(len(photos), inputs.classes.index(sample.label), np.int32),
        [f"{sample.row_id}+{photo.category}" for photo in photos],
    )
    hidden = forward.logits(np.stack([erase(photo.clean, photo.mask, "mean") for photo in photos]))
    effects = measure_effects(np.repeat(clean_logits[None], len(photos), axis=0), output.logits, hidden[:, None])
    coverage = np.stack([grid_coverage(photo.mask.astype(np.float32), forward.model.grid_size) for photo in photos])
    nothing = np.full(coverage.shape, np.nan)
    maps = next(iter(output.densities.values()), nothing)
    before = nothing if clean_density is None else np.broadcast_to(clean_density, coverage.shape)
    looks, looked = measure_looks(maps, coverage), measure_looks(before, coverage)
    for index, photo in enumerate(photos):
        yield {
            "row_id": sample.row_id,
            "category": photo.category,
            "cutout": photo.cutout,
            "label": sample.label,
            "group": sample.group,
            "clean_pred_label": inputs.classes[int(clean_logits.argmax())],
            "pred_label": inputs.classes[int(output.logits[index].argmax())],
            "flip": effects.flips[index],
            "hidden_flip": effects.control_flips[index, 0],
            "delta_logit": effects.delta_logit[index],
            "delta_prob": effects.delta_prob[index],
            "share": looks.share[index],
            "clean_share": looked.share[index],
            "area": looks.area[index],
            "lift": looks.lift[index],
            "clean_logits": clean_logits.tolist(),
            "logits": output.logits[index].tolist(),
            "density": np.asarray(maps[index], np.float32).ravel().tolist(),
        }


def _summarise(inputs: Inputs, table: pd.DataFrame, map_id: str | None) -> StressTest:
    resampling = inputs.resampling
    parts = [(str(category), rows) for category, rows in table.groupby("category", sort=True)]
    evidence = [
        PullEvidence(
            category,
            np.array([inputs.classes.index(label) for label in rows["label"]]),
            clean_gains(_probs(rows["logits"]), _probs(rows["clean_logits"])),
            rows["group"].tolist(),
        )
        for category, rows in parts
    ]
    cells = pull_matrix(evidence, inputs.classes, resampling=resampling)
    lead = measure_lead(cells, evidence, inputs.classes, resampling=resampling)
    sentence = describe_pull(cells, lead, min_effect=inputs.config.audit.min_effect)
    categories = tuple(summarise_category(category, rows, resampling) for category, rows in parts)
    return StressTest(map_id, categories, cells, lead, sentence, table)


def summarise_category(category: str, rows: pd.DataFrame, resampling: Resampling) -> StressedCategory:
    """Means over the photos, with intervals.

    Args:
        category: Of the cut-outs.
        rows: Its rows of `stress.parquet`.
        resampling: How to draw.
    """
    groups = rows["group"].tolist()
    columns = ("flip", "hidden_flip", "share", "clean_share", "area", "delta_prob")
    values = {name: rows[name].to_numpy(np.float64) for name in columns}
    has_map = ~np.isnan(values["share"])
    if has_map.any():
        # Share and area stand side by side: they are of the same photos.
        values["area"] = np.where(has_map, values["area"], np.nan)
    means = {name: mean_interval(values[name], groups, resampling) for name in columns}
    return StressedCategory(
        category=category,
        num_images=len(rows),
        flips=means["flip"],
        hidden_flips=means["hidden_flip"],
        flips_to=dict(Counter(rows.loc[rows["flip"] == 1, "pred_label"]).most_common()),
        share=means["share"],
        clean_share=means["clean_share"],
        area=means["area"],
        lift=ratio_interval(values["share"], values["area"], groups, resampling),
        delta_prob=means["delta_prob"],
    )


def _probs(logits: pd.Series) -> FloatArray:
    probs: FloatArray = softmax(np.stack([np.asarray(row, np.float64) for row in logits]), axis=1)
    return probs
