"""The gate on concepts."""

from collections.abc import Sequence

from evalharness.config import GateConfig
from evalharness.evaluating.stages.concepts.finding import ConceptsFinding

GATE = "max_concept_pull"


def broken_gates(config: GateConfig, found: ConceptsFinding | None) -> Sequence[str]:
    """A sentence for each concept that pulls more than the gate allows; what is not known does not hold.

    Args:
        config: The `gate` section.
        found: Of the stage; objects and what the user wants ignored do not count.
    """
    limit = config.max_concept_pull
    if limit is None:
        return ()
    if found is None or not found.was_tested:
        return (f"gate.{GATE}: not known: no concept was tested. {found.shortage if found else ''}".strip(),)
    return tuple(
        f"gate.{GATE}: {cell.category} adds {cell.pull.value:.3f} to the probability of {cell.class_name} in "
        f"{cell.num_images} photos of other classes, more than {limit:g}"
        for cell in found.significant
        if cell.pull.value > limit
    )
