"""The gates on annotated distractors."""

import math
from collections.abc import Sequence

import pandas as pd

from evalharness.audit import CategoryAudit
from evalharness.config import GateConfig
from evalharness.evaluating.stage import name_rows
from evalharness.evaluating.stages.audit.finding import AuditFinding

GATES = ("max_distractor_lift", "max_relies_rate")


def broken_gates(config: GateConfig, found: AuditFinding | None) -> Sequence[str]:
    """A sentence for each that does not hold, with the rows that broke it; what is not known does not hold.

    Args:
        config: The `gate` section.
        found: Of the audit, whose main map and distractors alone are read.
    """
    distractors = found.distractors.values() if found is not None else ()
    if not distractors:
        return tuple(
            f"gate.{gate}: not known: no distractor was measured (audit.roles, audit.erase_roles)"
            for gate in GATES
            if getattr(config, gate) is not None
        )
    return tuple(text for entry, rows in distractors for text in _broken_by(config, entry, rows))


def _broken_by(config: GateConfig, entry: CategoryAudit, rows: pd.DataFrame) -> list[str]:
    broken = []
    lift, relies = entry.looks.lift.value, entry.quadrants["relies"].interval.value
    for gate, value in zip(GATES, (lift, relies), strict=True):
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
            f"more than {config.max_distractor_lift:g}; highest in {name_rows(worst)}"
        )
    if config.max_relies_rate is not None and relies > config.max_relies_rate:
        worst = rows[rows["quadrant"] == "relies"].sort_values("delta_logit", ascending=False)
        broken.append(
            f"gate.max_relies_rate: {relies:.1%} of verdicts rely on {entry.category} ({entry.map_id}), "
            f"more than {config.max_relies_rate:.1%}; first of all {name_rows(worst)}"
        )
    return broken
