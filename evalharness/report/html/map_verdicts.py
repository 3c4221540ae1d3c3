"""What is known of a map, a few words beside its name: may it be believed?"""

from collections.abc import Mapping, Sequence
from typing import Any

from evalharness.attention.faithfulness_verdict import RIVALS

NOT_TESTED = "not tested"


def short_verdicts(trust: Sequence[Mapping[str, Any]], map_ids: Sequence[str]) -> dict[str, str]:
    """By map id, such as `✓ believe it`; `trust` is what the manifest keeps of the test of faithfulness."""
    found = {entry["map_id"]: _shorten(entry) for entry in trust}
    return {map_id: found.get(map_id, NOT_TESTED) for map_id in map_ids}


def long_verdicts(trust: Sequence[Mapping[str, Any]], map_ids: Sequence[str]) -> dict[str, str]:
    """The same with the reasons."""
    found = {entry["map_id"]: f"{_sign(entry)}{entry['verdict']}" for entry in trust}
    return {map_id: found.get(map_id, NOT_TESTED) for map_id in map_ids}


def _shorten(entry: Mapping[str, Any]) -> str:
    text = entry["verdict"].split(",")[0] if entry["map_id"] in RIVALS else entry["verdict"].split(":")[0]
    return f"{_sign(entry)}{text}"


def _sign(entry: Mapping[str, Any]) -> str:
    if entry["is_trusted"]:
        return "✓ "
    return "" if entry["map_id"] in RIVALS or entry["verdict"].startswith("cannot tell") else "✗ "
