"""Fits the judge on the evaluation, for `inspect` and for the run's coverage; the model is not asked again."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from rich.table import Table
from rich.text import Text

from evalharness.believing import (
    JUDGE_VERSION,
    Evidence,
    FittedEvaluation,
    Guarantee,
    Judged,
    fit_judge,
    measure_coverage,
)
from evalharness.believing.risk import FIRST
from evalharness.believing.texture import NAMES, measure_texture
from evalharness.config import GateConfig, RunConfig
from evalharness.evaluating.session import EvaluatedRows
from evalharness.evaluating.stage import Findings, Stage
from evalharness.evaluating.stages.believe.finding import BelieveFinding
from evalharness.evaluating.stages.believe.harm import measure_harm
from evalharness.evaluating.stages.concepts.finding import ConceptsFinding
from evalharness.manifest import JUDGE, JUDGED
from evalharness.metrics.temperature import cross_fit_temperature
from evalharness.records import FloatArray
from evalharness.statistics import resampling_units

GATE = "min_coverage"
TEXTURE_VERSION = 1
UNUSABLE_TARGETS = ("true", "contrast")
"""Of maps that take the true class, which is not known of a new photo."""


class Believe(Stage[BelieveFinding]):
    """Judges every photo as if it were new."""

    name: ClassVar[str] = "believe"
    section: ClassVar[str | None] = "believe"
    version: ClassVar[int] = JUDGE_VERSION

    @classmethod
    def prepare(cls, config: RunConfig) -> Self:  # noqa: ARG003
        """Needs nothing."""
        return cls()

    def examine(self, rows: EvaluatedRows, earlier: Findings) -> BelieveFinding:
        """Fits the judge. Writes `judge.npz`, and `judged.parquet`: `row_id, belief, risk, novelty_p_value`."""
        config = rows.session.inputs.config
        units = resampling_units(rows.groups, len(rows.samples))
        guarantee = Guarantee(config.believe.max_error, config.believe.confidence)
        evidence = gather_evidence(rows, earlier)
        with rows.session.clock.timed("believe"):
            fitted = fit_judge(evidence, rows.labels, units, guarantee, seed=config.seed)
            temperature = cross_fit_temperature(rows.logits, rows.labels, rows.groups, seed=config.seed)
            np.savez_compressed(
                rows.writer.folder / JUDGE,
                map_id=_map_id(rows) or "",
                temperature=json.dumps(asdict(temperature)),
                **fitted.judge.to_arrays(),
            )
            store(rows, fitted.judged)
            return _measure(rows, fitted)

    def broken_gates(self, config: GateConfig, found: BelieveFinding | None) -> Sequence[str]:
        """`min_coverage`: a run of whose verdicts none can be believed has a coverage of 0."""
        if config.min_coverage is None or found is None or found.coverage >= config.min_coverage:
            return ()
        return (
            f"gate.{GATE}: {found.coverage:.1%} of the verdicts may be believed, less than {config.min_coverage:.1%}. "
            f"{found.shortage}".strip(),
        )

    @staticmethod
    def tell(plain: Any) -> Iterator[Table | Text]:
        """The sentence."""
        yield Text(plain["sentence"])


def gather_evidence(rows: EvaluatedRows, earlier: Findings) -> Evidence:
    """What is known of every evaluated photo."""
    map_id = _map_id(rows)
    share, gain = measure_harm(rows, earlier.of(ConceptsFinding))
    return Evidence(
        logits=rows.logits,
        features=np.asarray(rows.writer.array("features.npy"), np.float32),
        texture=_texture(rows),
        maps=None if map_id is None else np.asarray(rows.maps[map_id], np.float32),
        harmful_share=share,
        harmful_gain=gain,
    )


def store(rows: EvaluatedRows, judged: Judged) -> None:
    """Writes what is said of every evaluated photo."""
    pd.DataFrame(
        {
            "row_id": rows.row_ids,
            "belief": judged.beliefs,
            "risk": judged.risks,
            "novelty_p_value": judged.novelty_p_values,
        }
    ).to_parquet(rows.writer.folder / JUDGED, index=False)


def _map_id(rows: EvaluatedRows) -> str | None:
    """The first map that a new photo can have too."""
    specs = rows.session.inputs.specs
    return next((spec.map_id for spec in specs if spec.target not in UNUSABLE_TARGETS), None)


def _texture(rows: EvaluatedRows) -> FloatArray:
    """Stored as `texture.parquet`: photos are decoded once more, and only once."""
    key = {"version": TEXTURE_VERSION, "fingerprint": rows.session.inputs.fingerprint}
    table = rows.stored_table("texture", key, lambda: _measure_texture(rows))
    return np.asarray(table[list(NAMES)].to_numpy(np.float32))


def _measure_texture(rows: EvaluatedRows) -> pd.DataFrame:
    session, images = rows.session, rows.session.inputs.dataset.images
    size, parts = session.inputs.config.batch_size, []
    for start in range(0, len(rows.row_ids), size):
        batch = rows.row_ids[start : start + size]
        sizes = [(images[row_id].height, images[row_id].width) for row_id in batch]
        parts.append(measure_texture(session.photos.load_inputs(batch), sizes))
    return pd.DataFrame(np.concatenate(parts), columns=list(NAMES)).assign(row_id=rows.row_ids)


def _measure(rows: EvaluatedRows, fitted: FittedEvaluation) -> BelieveFinding:
    is_wrong, groups, resampling = rows.is_wrong, rows.groups, rows.session.inputs.resampling
    max_error, by_confidence = fitted.judge.guarantee.max_error, -fitted.judged.features[FIRST]
    by_risk, by_confidence_alone = (
        measure_coverage(scores, is_wrong, max_error=max_error, groups=groups, resampling=resampling)
        for scores in (fitted.judged.risks, by_confidence)
    )
    return BelieveFinding(fitted, is_wrong, by_confidence, by_risk, by_confidence_alone, num_groups=len(set(groups)))
