"""The training photos with their cut-outs as files, for a fine-tuning of one's own."""

from pathlib import Path

import pandas as pd
from PIL import Image

from evalharness.console import note, progress_bar
from evalharness.errors import ResultsError
from evalharness.repairing.training_photos import TrainingPhotos, load_pasted
from evalharness.slugs import file_slugs, slug

CSV = "pasted_photos.csv"


def check_export(folder: Path) -> None:
    """Refuses a folder that holds anything but an earlier export.

    Raises:
        ResultsError: It does.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / CSV).is_file():
        raise ResultsError(
            "repair.export holds other files", expected="a new or empty folder, or that of an earlier export",
            got=f"{sum(1 for _ in folder.iterdir())} entries", where=folder, fix="Choose another folder",
        )  # fmt: skip


def export_pasted(folder: Path, training: TrainingPhotos, scale: tuple[float, float]) -> None:
    """Writes every photo with its cut-out as the model sees it, and `pasted_photos.csv`.

    Columns `path,label,category,source`: the file below the folder, the class, what was pasted, and the photo itself.

    Args:
        folder: New, empty, or of an earlier export.
        training: The photos.
        scale: Of the cut-outs.
    """
    check_export(folder)
    rows, folders = [], file_slugs(sample.label for sample in training.samples)
    with progress_bar("Pasting cut-outs", len(training.samples)) as advance:
        for number, (sample, category) in enumerate(zip(training.samples, training.categories, strict=True)):
            path = Path("photos") / folders[sample.label] / f"{number:05d}.{slug(Path(sample.row_id).stem)}.png"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(load_pasted(training, sample.row_id, category, scale)).save(folder / path)
            rows.append((path.as_posix(), sample.label, category, str(sample.path)))
            advance(1)
    pd.DataFrame(rows, columns=["path", "label", "category", "source"]).to_csv(folder / CSV, index=False)
    note(f"{len(rows)} photos with cut-outs are in {folder}")
