"""Gates: what the user wants to hold, or the command ends with exit code 3."""

from collections.abc import Sequence

from evalharness.attention.trust import MapTrust
from evalharness.config.schema import GateConfig


def broken_gates(config: GateConfig, trust: Sequence[MapTrust]) -> tuple[str, ...]:
    """A sentence for each gate that does not hold.

    Args:
        config: The `gate` section.
        trust: Of every measured map; `gate.attention` asks for the first, which is the run's main map.
    """
    broken = []
    if config.attention and not trust[0].is_trusted:
        broken.append(f"gate.attention: {trust[0].map_id}: {trust[0].verdict}")
    return tuple(broken)
