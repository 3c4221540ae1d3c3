"""Stress: cut-outs pasted into the user's own photos, with the mask known and the clean original at hand."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from rich.table import Table
from rich.text import Text
from scipy.special import softmax

from evalharness.attention import METHODS
from evalharness.audit import (
    PullEvidence,
    Resampling,
    clean_gains,
    describe_pull,
    erase,
    grid_coverage,
    measure_effects,
    measure_lead,
    measure_looks,
    pull_matrix,
)
from evalharness.audit.intervals import mean_interval, ratio_interval
from evalharness.config import GateConfig, RunConfig, StressConfig
from evalharness.console import progress_bar, tell_cost
from evalharness.dataset.cutouts import Cutouts, load_cutouts
from evalharness.dataset.pasting import PastedPhoto, paste_into
from evalharness.errors import ConfigError
from evalharness.evaluating.inputs import Inputs
from evalharness.evaluating.session import EvaluatedRows
from evalharness.evaluating.stage import Findings, Stage, name_rows
from evalharness.evaluating.stages.stress.finding import StressedCategory, StressFinding, tell_stress
from evalharness.inference import ForwardPass
from evalharness.records import FloatArray, MapSpec, UInt8Array

VERSION = 2
"""Of the stored table's numbers."""
Paste = Callable[[str, str], PastedPhoto]


@dataclass(frozen=True)
class Stress(Stage[StressFinding]):
    """Pastes a cut-out of each category into some of the photos and asks the model again."""

    cutouts: Cutouts | None
    """What is pasted; None: nothing is stressed."""

    name: ClassVar[str] = "stress"
    section: ClassVar[str | None] = "stress"

    @classmethod
    def prepare(cls, config: RunConfig) -> Self:
        """Reads the cut-outs; refuses the gate where nothing is stressed."""
        if config.gate.max_stress_flip_rate is not None and not config.stress.num_images:
            raise ConfigError(
                "gate.max_stress_flip_rate reads the stress test, which is off",
                expected="a number of images",
                got=0,
                where="stress.num_images",
                fix="Set stress.num_images=40, or leave the gate out",
            )
        return cls(gather_cutouts(config.stress))

    @property
    def digests(self) -> Mapping[str, str | None]:
        """Of the cut-outs."""
        return {"cutouts": self.cutouts.digest if self.cutouts else None}

    def examine(self, rows: EvaluatedRows, earlier: Findings) -> StressFinding | None:  # noqa: ARG002
        """Stresses some of the rows; None where that is off. Writes `stress.parquet`."""
        cutouts, inputs = self.cutouts, rows.session.inputs
        if cutouts is None:
            return None
        spec = mapped_spec(inputs.specs)
        key = {
            "version": VERSION,
            "fingerprint": inputs.fingerprint,
            "settings": inputs.config.stress.model_dump(mode="json", exclude={"cutouts"}),
            "cutouts": cutouts.digest,
            "map": spec.map_id if spec else None,
        }

        def paste(row_id: str, category: str) -> PastedPhoto:
            return paste_into(rows.session.photos, row_id, category, cutouts, inputs.config.stress.scale)

        table = rows.stored_table("stress", key, lambda: _paste_all(rows, list(cutouts.by_category), paste, spec))
        return _summarise(inputs, table, spec.map_id if spec else None, paste)

    def broken_gates(self, config: GateConfig, found: StressFinding | None) -> Sequence[str]:
        """`max_stress_flip_rate`, of every category."""
        highest = config.max_stress_flip_rate
        if highest is None or found is None:
            return ()
        broken = []
        for entry in found.categories:
            if entry.flips.value > highest:
                rows = found.table[(found.table["category"] == entry.category) & (found.table["flip"] == 1)]
                worst = name_rows(rows.sort_values("delta_prob", ascending=False))
                broken.append(
                    f"gate.max_stress_flip_rate: a pasted {entry.category} changes {entry.flips.value:.1%} of "
                    f"verdicts, more than {highest:.1%}; most in {worst}"
                )
        return broken

    @staticmethod
    def tell(plain: Any) -> Iterator[Table | Text]:
        """What pasted cut-outs do."""
        return tell_stress(plain)


def gather_cutouts(config: StressConfig) -> Cutouts | None:
    """The cut-outs of the config: a folder's, or the bundled animals; None where nothing is stressed.

    Raises:
        DatasetError: The folder cannot be used.
    """
    if not config.num_images:
        return None
    if config.cutouts is not None:
        return Cutouts(load_cutouts(config.cutouts))
    from evalharness.example.photos import cutouts

    return Cutouts(
        {name: {str(number): image for number, image in enumerate(images)} for name, images in cutouts().items()}
    )


def mapped_spec(specs: Sequence[MapSpec]) -> MapSpec | None:
    """The map that tells what a cut-out captures: the first that depends on the class, else the first."""
    specific = [spec for spec in specs if METHODS[spec.method].is_class_specific]
    return next(iter([*specific, *specs]), None)


def _paste_all(rows: EvaluatedRows, categories: Sequence[str], paste: Paste, spec: MapSpec | None) -> pd.DataFrame:
    model, config = rows.session.model, rows.session.inputs.config
    row_ids = rows.choose(config.stress.num_images)
    forward = ForwardPass(model, [spec] if spec else [])
    blank: UInt8Array = np.zeros((len(categories), *model.image_size, 3), np.uint8)
    tell_cost(
        f"pasting cut-outs of {', '.join(categories)} into {len(row_ids)} photos",
        # One with the cut-out and its map, one with its outline filled.
        num_passes=len(categories) * len(row_ids) * (forward.num_forward_passes + 1),
        run_once=lambda: (forward(blank, np.zeros(len(blank), np.int32), categories), forward.logits(blank)),
        passes_per_run=len(categories) * (forward.num_forward_passes + 1),
    )
    stressed: list[dict[str, Any]] = []
    with progress_bar("Pasting cut-outs", len(row_ids)) as advance:
        for row_id in row_ids:
            density = np.asarray(rows.density(row_id, spec.map_id), np.float64) if spec else None
            photos = [paste(row_id, category) for category in categories]
            stressed += _stress_one(rows, rows.positions[row_id], photos, forward, density)
            advance(1)
    return pd.DataFrame(stressed)


def _stress_one(
    rows: EvaluatedRows,
    position: int,
    photos: Sequence[PastedPhoto],
    forward: ForwardPass,
    clean_density: FloatArray | None,
) -> Iterator[dict[str, Any]]:
    """All categories of one photo in one batch; a row of the table each."""
    sample, clean_logits, classes = rows.samples[position], rows.logits[position], rows.session.inputs.classes
    output = forward(
        np.stack([photo.image for photo in photos]),
        np.full(len(photos), rows.labels[position], np.int32),
        [f"{sample.row_id}+{photo.category}" for photo in photos],
    )
    hidden = forward.logits(
        np.stack([erase(photo.clean, photo.mask, "mean", photo_pixels=photo.photo_pixels) for photo in photos])
    )
    effects = measure_effects(np.repeat(clean_logits[None], len(photos), axis=0), output.logits, hidden[:, None])
    coverage, padding = (
        grid_coverage(np.stack(pixels).astype(np.float32), forward.model.grid_size)
        for pixels in ([photo.mask for photo in photos], [~photo.photo_pixels for photo in photos])
    )
    nothing = np.full(coverage.shape, np.nan)
    maps = next(iter(output.densities.values()), nothing)
    before = nothing if clean_density is None else np.broadcast_to(clean_density, coverage.shape)
    looks, looked = measure_looks(maps, coverage, padding), measure_looks(before, coverage, padding)
    for index, photo in enumerate(photos):
        yield {
            "row_id": sample.row_id,
            "category": photo.category,
            "cutout": photo.cutout,
            "label": sample.label,
            "group": sample.group,
            "clean_pred_label": classes[int(clean_logits.argmax())],
            "pred_label": classes[int(output.logits[index].argmax())],
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


def _summarise(inputs: Inputs, table: pd.DataFrame, map_id: str | None, paste: Paste) -> StressFinding:
    resampling, min_pull = inputs.resampling, inputs.config.audit.min_pull
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
    lead = measure_lead(cells, evidence, inputs.classes, min_pull=min_pull, resampling=resampling)
    conclusion = describe_pull(cells, lead, min_pull=min_pull)
    categories = tuple(summarise_category(category, rows, resampling) for category, rows in parts)
    return StressFinding(map_id, categories, cells, lead, conclusion, table, paste)


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
