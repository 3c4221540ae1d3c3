"""The story of an export: a finished evaluation in the formats of other tools."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from evalharness.errors import ConfigError
from evalharness.exporting.annotations import write_annotations
from evalharness.exporting.arrays import write_embeddings, write_maps, write_tables
from evalharness.exporting.concepts import write_concepts
from evalharness.results import StoredResult

MAP_FORMATS = ("npz", "tiff", "none")
OWN = "README.txt"
MARK = "Exported by evalharness"
README = """\
{mark} {version} from "{name}" ({num_images} images).

samples.csv, samples.parquet  a row per image: label, verdict, probabilities; everything is keyed by row_id
embeddings.npz                row_ids, features (class token after the final norm), logits, classes
maps/                         attention density over the patch grid, rows from the top: 1 is an average patch, NaN
                              where a map is not defined. npz: row_ids and density (images, rows, columns) of each map;
                              tiff: a 32-bit float image per row, listed in maps/<map>/index.csv
audit.csv and other tables    of the stages that ran
annotations.json              COCO with run-length masks, in pixels of the files as stored (if there were annotations)
concepts.coco.json            the same of discovered regions, a category a concept (if concepts were looked for)
manifest.json                 recipe, metrics and findings
"""


@dataclass(frozen=True)
class Exported:
    """What was written, and what could not be."""

    folder: Path
    files: tuple[str, ...]
    notes: tuple[str, ...]
    """Of what could not be."""
    hints: tuple[str, ...] = ()
    """How files are used."""


def export_result(result: StoredResult, folder: Path, *, map_format: str = "npz") -> Exported:
    """Writes everything that other tools may want of an evaluation.

    Args:
        result: The evaluation.
        folder: New or empty, or written by an earlier export, whose files are replaced.
        map_format: `npz` (one file a map), `tiff` (one file an image) or `none`.

    Raises:
        ConfigError: The folder holds something else, or another format.
    """
    if map_format not in MAP_FORMATS:
        raise ConfigError("unknown map format", expected=", ".join(MAP_FORMATS), got=map_format, where="maps")
    if folder.exists() and not _is_ours(folder):
        raise ConfigError(
            "export would mix with other files", expected="a new or empty folder", got=folder, where="--to",
            fix="Name another folder",
        )  # fmt: skip
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    readme = README.format(
        mark=MARK,
        version=result.manifest["package_version"],
        name=result.manifest["name"],
        num_images=len(result.samples),
    )
    (folder / OWN).write_text(readme, encoding="utf-8")
    write_tables(result, folder)
    write_embeddings(result, folder)
    if map_format != "none":
        for map_id in result.map_ids:
            write_maps(result, map_id, folder / "maps", map_format)
    notes, hints = write_annotations(result, folder), write_concepts(result, folder)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return Exported(folder, tuple(files), notes, hints)


def _is_ours(folder: Path) -> bool:
    """Whether the folder is empty, or holds an earlier export and may be replaced."""
    if not folder.is_dir():
        return False
    readme = folder / OWN
    is_export = readme.is_file() and readme.read_text(encoding="utf-8", errors="replace").startswith(MARK)
    return is_export or not any(folder.iterdir())
