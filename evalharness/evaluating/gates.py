"""Gates: what the user wants to hold, or the command ends with exit code 3."""

import math
from collections.abc import Sequence

import pandas as pd

from evalharness.attention.faithfulness_verdict import MapTrust
from evalharness.audit import CategoryAudit
from evalharness.config.schema import GateConfig
from evalharness.evaluating.stages.audit.stage import RegionAudit
from evalharness.evaluating.stages.stress.stage import StressTest

MAX_ROWS = 5


def broken_gates(
    config: GateConfig, trust: Sequence[MapTrust], regions: RegionAudit | None, stress: StressTest | None = None
) -> tuple[str, ...]:
    """A sentence for each gate that does not hold, with the rows that broke it; what is not known does not hold.

    Args:
        config: The `gate` section.
        trust: Of every measured map.
        regions: Of the annotated regions; the gates read the run's first map, and distractors alone.
        stress: Of the pasted cut-outs.
    """
    broken = []
    if config.attention and not trust[0].is_trusted:
        broken.append(f"gate.attention: {trust[0].map_id}: {trust[0].verdict}")
    if stress is not None:
        broken += _broken_by_stress(config, stress)
    distractors = _distractors(regions) if regions is not None else []
    if not distractors:
        broken += [
            f"gate.{gate}: not known: no distractor was measured (audit.roles, audit.erase_roles)"
            for gate in ("max_distractor_lift", "max_relies_rate")
            if getattr(config, gate) is not None
        ]
    for entry, rows in distractors:
        broken += _broken_by(config, entry, rows)
    return tuple(broken)


def _distractors(regions: RegionAudit) -> list[tuple[CategoryAudit, pd.DataFrame]]:
    """On the run's first map, each with its rows."""
    main_map = regions.categories[0].map_id
    table = regions.table[regions.table["map_id"] == main_map]
    return [
        (entry, table[table["category"] == entry.category])
        for entry in regions.categories
        if entry.map_id == main_map and entry.role == "distractor"
    ]


def _broken_by(config: GateConfig, entry: CategoryAudit, rows: pd.DataFrame) -> list[str]:
    broken = []
    lift, relies = entry.looks.lift.value, entry.quadrants["relies"].interval.value
    for gate, value in (("max_distractor_lift", lift), ("max_relies_rate", relies)):
        if getattr(config, gate) is not None and math.isnan(value):
            broken.append(
                f"gate.{gate}: not known of {entry.category} ({entry.map_id}): too few of its {entry.num_images} "
                f"images can tell ({entry.num_without_control} have no control). Annotate more, or give it the role "
                "ignore (audit.roles)"
            )
    if config.max_distractor_lift is not None and lift > config.max_distractor_lift:
        worst = rows.sort_values("lift", ascending=False)
        broken.append(
            f"gate.max_distractor_lift: the lift of {entry.category} on {entry.map_id} is {lift:.2f}, "
            f"more than {config.max_distractor_lift:g}; highest in {_first(worst)}"
        )
    if config.max_relies_rate is not None and relies > config.max_relies_rate:
        worst = rows[rows["quadrant"] == "relies"].sort_values("delta_logit", ascending=False)
        broken.append(
            f"gate.max_relies_rate: {relies:.1%} of verdicts rely on {entry.category} ({entry.map_id}), "
            f"more than {config.max_relies_rate:.1%}; first of all {_first(worst)}"
        )
    return broken


def _broken_by_stress(config: GateConfig, stress: StressTest) -> list[str]:
    highest = config.max_stress_flip_rate
    broken = []
    for entry in stress.categories:
        if highest is not None and entry.flips.value > highest:
            rows = stress.table[(stress.table["category"] == entry.category) & (stress.table["flip"] == 1)]
            broken.append(
                f"gate.max_stress_flip_rate: a pasted {entry.category} changes {entry.flips.value:.1%} of verdicts, "
                f"more than {highest:.1%}; most in {_first(rows.sort_values('delta_prob', ascending=False))}"
            )
    return broken


def _first(rows: pd.DataFrame) -> str:
    return ", ".join(str(row_id) for row_id in rows["row_id"].head(MAX_ROWS))
