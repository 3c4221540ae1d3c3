"""What tracking reads of a finished results folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from evalharness.errors import ResultsError
from evalharness.manifest import MANIFEST, read_json

OVERLAYS, REPORT = "overlays", "report.html"
SHORT_DIGEST = 12
"""Hexadecimal digits of a SHA-256 that a person compares."""


@dataclass(frozen=True, slots=True)
class FinishedEvaluation:
    """A results folder and its manifest."""

    folder: Path
    manifest: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "FinishedEvaluation":
        """Reads the manifest.

        Raises:
            ResultsError: There is none: the evaluation is not finished.
        """
        path = Path(folder).absolute() / MANIFEST
        if not path.is_file():
            raise ResultsError(
                "results cannot be uploaded",
                expected=f"a folder with {MANIFEST}",
                got="none",
                where=folder,
                fix="Repeat the evaluation: it continues where it stopped",
            )
        return cls(path.parent, read_json(path))

    @property
    def recipe(self) -> Mapping[str, Any]:
        """Everything that the numbers depend on."""
        recipe: Mapping[str, Any] = self.manifest["recipe"]
        return recipe

    @property
    def config(self) -> Mapping[str, Any]:
        """The resolved config."""
        config: Mapping[str, Any] = self.manifest["config"]
        return config

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Files, model and device that the numbers came from."""
        provenance: Mapping[str, Any] = self.manifest["provenance"]
        return provenance

    @property
    def overlays(self) -> list[Path]:
        """Photo beside map, one file an image and map, named `<class>.<row>.<map_id>.png`."""
        return sorted(self.folder.glob(f"**/{OVERLAYS}/*.png"))

    @property
    def figures(self) -> list[Path]:
        """All other pictures."""
        return sorted(path for path in self.folder.rglob("*.png") if path.parent.name != OVERLAYS)

    @property
    def report(self) -> Path | None:
        """The page with everything in it, if one was written."""
        path = self.folder / REPORT
        return path if path.is_file() else None

    @property
    def tables_and_arrays(self) -> list[Path]:
        """Every other file, the manifest last, which makes a copy complete."""
        files = [path for path in self.folder.rglob("*") if path.is_file() and path.suffix != ".png"]
        files = [path for path in files if path != self.folder / REPORT]
        return sorted(files, key=lambda path: (path.name == MANIFEST, path))

    @property
    def map_ids(self) -> tuple[str, ...]:
        """The attention maps."""
        return tuple(self.recipe["maps"])

    @property
    def created_ms(self) -> int:
        """When the evaluation finished, in milliseconds since 1970."""
        return int(datetime.fromisoformat(self.manifest["created"]).timestamp() * 1000)

    @property
    def dataset_name(self) -> str:
        """As MLflow shows it."""
        return str(self.provenance["dataset"]["name"])

    @property
    def dataset_digest(self) -> str:
        """Over row ids, labels and images; short, because MLflow takes 36 characters and shows them all."""
        return str(self.recipe["dataset"]["digest"])[:SHORT_DIGEST]

    @property
    def weights_sha256(self) -> str:
        """Of the weights file."""
        return str(self.recipe["model"]["weights_sha256"])

    @property
    def weights_name(self) -> str:
        """The weights file without its folder."""
        return str(self.provenance["weights"]["uri"]).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
