"""Tables of later stages, each under a key of its own: a new threshold never recomputes what it does not touch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from evalharness.manifest import read_json, write_json
from evalharness.results.recipe import fingerprint


class StageTables:
    """The stage tables in a results folder: `<name>.parquet`, its key in `<name>.key.json`, written last.

    Args:
        folder: The results folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str, key: Mapping[str, Any]) -> pd.DataFrame | None:
        """The stored table, if it was made under this very key."""
        path = self.folder / f"{name}.key.json"
        if not path.is_file() or fingerprint(key) not in path.read_text(encoding="utf-8"):
            return None
        return pd.read_parquet(self.folder / f"{name}.parquet")

    def key(self, name: str) -> Mapping[str, Any] | None:
        """What the stored table depends on; None where there is none."""
        path = self.folder / f"{name}.key.json"
        return read_json(path)["key"] if path.is_file() else None

    def write(self, name: str, key: Mapping[str, Any], table: pd.DataFrame) -> None:
        """Stores a table; a process that is killed meanwhile leaves no key, so that it counts as missing."""
        path = self.folder / f"{name}.key.json"
        path.unlink(missing_ok=True)
        table.to_parquet(self.folder / f"{name}.parquet", index=False)
        write_json(path, {"sha256": fingerprint(key), "key": key})
