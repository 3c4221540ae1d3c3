"""The audit of annotated regions: looks at, uses, and pull; no model is needed once the erased logits are stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from evalharness import results
from evalharness.audit import (
    CategoryAudit,
    CategoryRegions,
    CategoryScores,
    Effects,
    ImageRegions,
    PullCell,
    PullEvidence,
    PullLead,
    Resampling,
    Yardstick,
    audit_category,
    clean_gains,
    describe_pull,
    erasure_gains,
    grid_coverage,
    measure_effects,
    measure_lead,
    pull_columns,
    pull_matrix,
    translate,
)
from evalharness.config.schema import AuditConfig
from evalharness.evaluating.inputs import Inputs, timed
from evalharness.evaluating.stages.audit.erasures import erase_regions
from evalharness.records import FloatArray, Sample


@dataclass(frozen=True)
class RegionAudit:
    """Everything that the annotations tell of a run."""

    categories: tuple[CategoryAudit, ...]
    """By map, then category."""
    pull: tuple[PullCell, ...]
    lead: PullLead | None
    sentence: str
    """Names the shortcut, or says that none was found."""
    thresholds: str
    """From when on a region counts as looked at, or as used."""
    table: pd.DataFrame
    """A row per image, map and category: `audit.parquet`."""


@dataclass(frozen=True)
class _Category:
    """The images that hold one category."""

    positions: list[int]
    """In the evaluated rows."""
    regions: CategoryRegions
    effects: Effects
    gains: FloatArray


def audit_regions(
    inputs: Inputs, samples: Sequence[Sample], writer: results.ResultsWriter, stages: results.Stages
) -> RegionAudit | None:
    """Measures looks and uses for every map and category; None without annotations.

    Writes `audit.parquet` and `audit_pull.parquet`.

    Args:
        inputs: The evaluation.
        samples: The evaluated rows.
        writer: Their maps and logits.
        stages: Where erased logits are kept.
    """
    if inputs.annotations is None:
        return None
    erased = erase_regions(inputs, samples, stages)
    if erased.empty:
        return None
    with timed("audit", inputs.durations_s):
        logits = np.asarray(writer.array("logits.npy"), np.float64)
        categories = _gather(inputs, samples, erased, logits)
        resampling = inputs.resampling
        yardstick = Yardstick(inputs.config.audit.control_quantile, inputs.config.audit.min_effect)
        summaries, tables = [], []
        for map_id, maps in writer.maps().items():
            for category in categories:
                groups = [samples[position].group for position in category.positions]
                own = np.asarray(maps[category.positions], np.float32)
                summary, scores = audit_category(
                    map_id,
                    own,
                    category.regions,
                    category.effects,
                    groups=groups,
                    resampling=resampling,
                    yardstick=yardstick,
                )
                summaries.append(summary)
                tables.append(_rows(samples, map_id, category, scores))
        pull, lead, sentence = _measure_pull(inputs, samples, categories, resampling)
    table = pd.concat(tables, ignore_index=True)
    table.to_parquet(writer.folder / "audit.parquet", index=False)
    pd.DataFrame(pull_columns(pull)).to_parquet(writer.folder / "audit_pull.parquet", index=False)
    return RegionAudit(tuple(summaries), pull, lead, sentence, _describe_thresholds(inputs.config.audit), table)


def _describe_thresholds(config: AuditConfig) -> str:
    """A sentence for the report."""
    quantile = f"the {100 * config.control_quantile:g} % quantile of the controls"
    effect = f" and its class at least {config.min_effect:g} of probability" if config.min_effect else ""
    bound = f"{'at most' if config.min_effect else 'about'} {100 * (1 - config.control_quantile):g} %"
    return (
        f"A map looks at a region if its lift lies above {quantile}: the same shape elsewhere in the image, up to "
        f"{config.num_controls} an image. A verdict uses it if erasing it (fill: {config.fill}) costs the verdict's "
        f"logit more than {quantile}{effect}. Where nothing is used {bound} count as used by construction: a rate is "
        "raised if its interval lies above that."
    )


def _gather(inputs: Inputs, samples: Sequence[Sample], erased: pd.DataFrame, logits: FloatArray) -> list[_Category]:
    """Puts what is known of each category into arrays, in the order of the rows."""
    position_of = {sample.row_id: position for position, sample in enumerate(samples)}
    entries: dict[str, list[dict[str, Any]]] = {}
    regions: ImageRegions | None = None
    last_row_id = None
    for row in erased.to_dict("records"):
        position = position_of[row["row_id"]]
        # The categories of one image follow each other.
        if row["row_id"] != last_row_id:
            regions, last_row_id = inputs.regions_on_input(samples[position]), row["row_id"]
        if regions is not None:
            entries.setdefault(row["category"], []).append({"position": position, **_on_grid(inputs, regions, row)})
    categories = []
    for name, found in sorted(entries.items()):
        parts = {key: np.stack([entry[key] for entry in found]) for key in found[0]}
        on_grid = CategoryRegions(
            name, inputs.required_annotations.roles[name], parts["coverage"], parts["ignored"], parts["controls"]
        )
        effects = measure_effects(logits[parts["position"]], parts["erased_logits"], parts["control_logits"])
        names_clean_rows = inputs.config.dataset.clean_column is not None
        gains = _gains(samples, position_of, logits, parts, names_clean_rows=names_clean_rows)
        categories.append(_Category(parts["position"].tolist(), on_grid, effects, gains))
    return categories


def _gains(
    samples: Sequence[Sample],
    position_of: Mapping[str, int],
    logits: FloatArray,
    parts: Mapping[str, FloatArray],
    *,
    names_clean_rows: bool,
) -> FloatArray:
    """What the region adds to each class: against the same scene without it if the CSV names it, else by erasing."""
    if not names_clean_rows:
        return erasure_gains(softmax(parts["erased_logits"], axis=-1), softmax(parts["control_logits"], axis=-1))
    cleans = [position_of.get(samples[position].clean_row_id) for position in parts["position"]]
    probs = softmax(logits, axis=-1)
    missing = np.full(probs.shape[1], np.nan)
    without = np.stack([missing if clean is None else probs[clean] for clean in cleans])
    return clean_gains(probs[parts["position"]], without)


def _on_grid(inputs: Inputs, regions: ImageRegions, row: Mapping[Any, Any]) -> dict[str, FloatArray]:
    """One region and its controls on the patch grid, and the logits without them."""
    rows, columns = inputs.facts["grid_size"]
    num_controls = inputs.config.audit.num_controls
    pixels = regions.coverage[row["category"]]
    controls = np.full((num_controls, rows, columns), np.nan)
    for index, (down, right) in enumerate(np.reshape(np.asarray(row["offsets"], int), (-1, 2))):
        moved = translate(pixels, (int(down), int(right)))
        # As of the region itself, what is ignored is no part of it.
        controls[index] = grid_coverage(moved * (1 - regions.ignored), (rows, columns))
    return {
        "coverage": grid_coverage(pixels, (rows, columns)),
        "ignored": grid_coverage(regions.ignored, (rows, columns)),
        "controls": controls,
        "erased_logits": np.asarray(row["erased_logits"], np.float64),
        "control_logits": np.reshape(np.asarray(row["control_logits"], np.float64), (num_controls, -1)),
    }


def _rows(samples: Sequence[Sample], map_id: str, category: _Category, scores: CategoryScores) -> pd.DataFrame:
    looks, judgement, effects = scores.looks, scores.judgement, category.effects
    return pd.DataFrame(
        {
            "row_id": [samples[position].row_id for position in category.positions],
            "map_id": map_id,
            "category": category.regions.category,
            "role": category.regions.role,
            "share": looks.share,
            "area": looks.area,
            "lift": looks.lift,
            "pointing": looks.pointing,
            "rank_accuracy": looks.rank_accuracy,
            "auc": looks.auc,
            "delta_logit": effects.delta_logit,
            "delta_prob": effects.delta_prob,
            "flip": effects.flips,
            "has_control": effects.has_control,
            "looks": judgement.looks,
            "uses": judgement.uses,
            "quadrant": judgement.quadrants,
        }
    )


def _measure_pull(
    inputs: Inputs, samples: Sequence[Sample], categories: Sequence[_Category], resampling: Resampling
) -> tuple[tuple[PullCell, ...], PullLead | None, str]:
    evidence = [
        PullEvidence(
            category.regions.category,
            np.array([inputs.classes.index(samples[position].label) for position in category.positions]),
            category.gains,
            [samples[position].group for position in category.positions],
        )
        for category in categories
        if category.regions.role == "distractor"
    ]
    cells = pull_matrix(evidence, inputs.classes, resampling=resampling)
    lead = measure_lead(cells, evidence, inputs.classes, resampling=resampling)
    return cells, lead, describe_pull(cells, lead, min_effect=inputs.config.audit.min_effect)
