"""What the probe warned of before the prediction, for the manifest, which is written after it or days later."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalharness.manifest import read_json, write_json

PROBE = "probe.json"


@dataclass(frozen=True, slots=True)
class ProbeWarnings:
    """The warnings in a results folder of one recipe."""

    folder: Path
    fingerprint: str

    def read(self) -> list[str]:
        """Those of this recipe; none where there was no probe."""
        path = self.folder / PROBE
        stored = read_json(path) if path.is_file() else {}
        return list(stored["warnings"]) if stored.get("fingerprint") == self.fingerprint else []

    def write(self, warnings: Sequence[str]) -> None:
        """Replaces them."""
        write_json(self.folder / PROBE, {"fingerprint": self.fingerprint, "warnings": list(warnings)})
