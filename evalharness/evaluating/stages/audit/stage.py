"""The audit of annotated regions: looks at, uses, and pull; no model is needed once the erased logits are stored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from rich.table import Table
from rich.text import Text
from scipy.special import softmax

from evalharness.audit import (
    CategoryRegions,
    CategoryScores,
    Effects,
    ImageRegions,
    PullCell,
    PullEvidence,
    PullLead,
    Role,
    SeenCategory,
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
from evalharness.audit.intervals import mean_interval
from evalharness.config import AuditConfig, GateConfig, RunConfig
from evalharness.errors import ConfigError
from evalharness.evaluating.session import EvaluatedRows
from evalharness.evaluating.stage import Findings, Stage
from evalharness.evaluating.stages.audit.erasures import erase_regions
from evalharness.evaluating.stages.audit.finding import AuditFinding, CategoryAccuracy, tell_audit
from evalharness.evaluating.stages.audit.gates import GATES, broken_gates
from evalharness.evaluating.stages.audit.outlines import store_outlines
from evalharness.records import FloatArray


@dataclass(frozen=True)
class _Category:
    """The images that hold one category."""

    positions: list[int]
    """In the evaluated rows."""
    regions: CategoryRegions
    effects: Effects
    gains: FloatArray


class Audit(Stage[AuditFinding]):
    """Measures looks and uses for every map and annotated category, and the pull of distractors."""

    name: ClassVar[str] = "regions"
    section: ClassVar[str | None] = "audit"

    @classmethod
    def prepare(cls, config: RunConfig) -> Self:
        """Refuses gates on regions where there are none."""
        for name in GATES:
            if getattr(config.gate, name) is not None and config.dataset.annotations is None:
                raise ConfigError(
                    f"gate.{name} reads annotated regions, and there are none",
                    expected="a path",
                    got="null",
                    where="dataset.annotations",
                    fix="Set dataset.annotations=PATH, or leave the gate out",
                )
        return cls()

    def examine(self, rows: EvaluatedRows, earlier: Findings) -> AuditFinding | None:  # noqa: ARG002
        """Audits the annotated rows; None without any.

        Writes `audit.parquet`, `audit_pull.parquet` and `region_outlines.parquet`.
        """
        session, inputs = rows.session, rows.session.inputs
        if inputs.annotations is None:
            return None
        erased = erase_regions(rows, inputs.annotations)
        if erased.empty:
            return None
        with session.clock.timed("audit"):
            categories = _gather(rows, erased, inputs.annotations.roles)
            yardstick = Yardstick(inputs.config.audit.control_quantile, inputs.config.audit.min_effect)
            summaries, tables = [], []
            for map_id, maps in rows.maps.items():
                for category in categories:
                    summary, scores = audit_category(
                        map_id,
                        np.asarray(maps[category.positions], np.float32),
                        category.regions,
                        category.effects,
                        groups=[rows.groups[position] for position in category.positions],
                        resampling=inputs.resampling,
                        yardstick=yardstick,
                    )
                    summaries.append(summary)
                    tables.append(_score_rows(rows, map_id, category, scores))
            pull, lead, sentence = _measure_pull(rows, categories)
            accuracies = _accuracies(rows, categories)
        store_outlines(rows, inputs.annotations)
        table = pd.concat(tables, ignore_index=True)
        seen = [entry.sentence for entry in _seen_in_few(rows, categories, pull, table)]
        table.to_parquet(rows.writer.folder / "audit.parquet", index=False)
        pd.DataFrame(pull_columns(pull)).to_parquet(rows.writer.folder / "audit_pull.parquet", index=False)
        return AuditFinding(
            categories=tuple(summaries),
            accuracies=accuracies,
            pull=pull,
            lead=lead,
            conclusion=" ".join([sentence, *seen]),
            thresholds=_describe_thresholds(inputs.config.audit),
            table=table,
        )

    def broken_gates(self, config: GateConfig, found: AuditFinding | None) -> Sequence[str]:
        """`max_distractor_lift` and `max_relies_rate`, of any distractor on the first map."""
        return broken_gates(config, found)

    @staticmethod
    def tell(plain: Any) -> Iterator[Table | Text]:
        """What the first map looks at, what the verdict uses, and the shortcut."""
        return tell_audit(plain)


def _describe_thresholds(config: AuditConfig) -> str:
    """A sentence for the report."""
    quantile = f"the {100 * config.control_quantile:g} % quantile of the controls"
    effect = f" and its class at least {config.min_effect:g} of probability" if config.min_effect else ""
    bound = f"{'at most' if config.min_effect else 'about'} {100 * (1 - config.control_quantile):g} %"
    return (
        f"A map looks at a region if its lift lies above {quantile}: the same shape elsewhere in the image, up to "
        f"{config.num_controls} an image, all images weighing alike. A verdict uses it if erasing it (fill: "
        f"{config.fill}) costs the verdict's logit more than {quantile}{effect}. Where nothing is used {bound} count "
        "as used by construction: a rate is raised if its interval lies above that."
    )


def _gather(rows: EvaluatedRows, erased: pd.DataFrame, roles: Mapping[str, Role]) -> list[_Category]:
    """Puts what is known of each category into arrays, in the order of the rows."""
    session, logits = rows.session, rows.logits
    entries: dict[str, list[dict[str, Any]]] = {}
    regions: ImageRegions | None = None
    last_row_id = None
    for row in erased.to_dict("records"):
        position = rows.positions[row["row_id"]]
        # The categories of one image follow each other.
        if row["row_id"] != last_row_id:
            regions, last_row_id = session.regions_on_input(row["row_id"]), row["row_id"]
        if regions is not None:
            entries.setdefault(row["category"], []).append({"position": position, **_on_grid(rows, regions, row)})
    categories = []
    for name, found in sorted(entries.items()):
        parts = {key: np.stack([entry[key] for entry in found]) for key in found[0]}
        on_grid = CategoryRegions(name, roles[name], parts["coverage"], parts["ignored"], parts["controls"])
        effects = measure_effects(logits[parts["position"]], parts["erased_logits"], parts["control_logits"])
        gains = _gains(rows, parts, names_clean_rows=session.inputs.config.dataset.clean_column is not None)
        categories.append(_Category(parts["position"].tolist(), on_grid, effects, gains))
    return categories


def _gains(rows: EvaluatedRows, parts: Mapping[str, FloatArray], *, names_clean_rows: bool) -> FloatArray:
    """What the region adds to each class: against the same scene without it if the CSV names it, else by erasing."""
    if not names_clean_rows:
        return erasure_gains(softmax(parts["erased_logits"], axis=-1), softmax(parts["control_logits"], axis=-1))
    cleans = [rows.positions.get(rows.samples[position].clean_row_id) for position in parts["position"]]
    probs = softmax(rows.logits, axis=-1)
    missing = np.full(probs.shape[1], np.nan)
    without = np.stack([missing if clean is None else probs[clean] for clean in cleans])
    return clean_gains(probs[parts["position"]], without)


def _on_grid(rows: EvaluatedRows, regions: ImageRegions, row: Mapping[Any, Any]) -> dict[str, FloatArray]:
    """One region and its controls on the patch grid, and the logits without them."""
    grid_size = rows.session.model_properties.grid_size
    num_controls = rows.session.inputs.config.audit.num_controls
    pixels = regions.coverage[row["category"]]
    controls = np.full((num_controls, *grid_size), np.nan)
    for index, (down, right) in enumerate(np.reshape(np.asarray(row["offsets"], int), (-1, 2))):
        moved = translate(pixels, (int(down), int(right)))
        # As of the region itself, what is ignored is no part of it.
        controls[index] = grid_coverage(moved * (1 - regions.ignored), grid_size)
    return {
        "coverage": grid_coverage(pixels, grid_size),
        "ignored": grid_coverage(regions.left_out, grid_size),
        "controls": controls,
        "erased_logits": np.asarray(row["erased_logits"], np.float64),
        "control_logits": np.reshape(np.asarray(row["control_logits"], np.float64), (num_controls, -1)),
    }


def _score_rows(rows: EvaluatedRows, map_id: str, category: _Category, scores: CategoryScores) -> pd.DataFrame:
    looks, judgement, effects = scores.looks, scores.judgement, category.effects
    return pd.DataFrame(
        {
            "row_id": [rows.row_ids[position] for position in category.positions],
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
    rows: EvaluatedRows, categories: Sequence[_Category]
) -> tuple[tuple[PullCell, ...], PullLead | None, str]:
    inputs = rows.session.inputs
    evidence = [
        PullEvidence(
            category.regions.category,
            rows.labels[category.positions],
            category.gains,
            [rows.groups[position] for position in category.positions],
        )
        for category in categories
        if category.regions.role == "distractor"
    ]
    cells = pull_matrix(evidence, inputs.classes, resampling=inputs.resampling)
    min_pull = inputs.config.audit.min_pull
    lead = measure_lead(cells, evidence, inputs.classes, min_pull=min_pull, resampling=inputs.resampling)
    return cells, lead, describe_pull(cells, lead, min_pull=min_pull)


def _accuracies(rows: EvaluatedRows, categories: Sequence[_Category]) -> tuple[CategoryAccuracy, ...]:
    """Of the images without a distractor, and of those with each."""
    is_right = (~rows.is_wrong).astype(np.float64)
    held = {
        category.regions.category: category.positions
        for category in categories
        if category.regions.role == "distractor"
    }
    without = sorted(set(range(len(is_right))).difference(*held.values()))
    return tuple(
        CategoryAccuracy(
            category,
            len(positions),
            mean_interval(
                is_right[positions], [rows.groups[position] for position in positions], rows.session.inputs.resampling
            ),
        )
        for category, positions in [(None, without), *held.items()]
        if positions and held
    )


def _seen_in_few(
    rows: EvaluatedRows, categories: Sequence[_Category], pull: Sequence[PullCell], table: pd.DataFrame
) -> list[SeenCategory]:
    """The distractors that no pair was tested of, on the first map."""
    tested = {cell.category for cell in pull if cell.is_significant is not None}
    main = table[table["map_id"] == table["map_id"].iloc[0]]
    return [
        SeenCategory(
            name,
            rows.is_wrong[category.positions],
            main.loc[main["category"] == name, "looks"].to_numpy(np.float64),
            category.effects.flips,
            max(cell.num_images for cell in pull if cell.category == name),
        )
        for category in categories
        if category.regions.role == "distractor" and (name := category.regions.category) not in tested
    ]
