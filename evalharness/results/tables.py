"""The tables of a results folder: a row an image, a row a class, the confusion matrix, the rows left out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from evalharness.manifest import write_json
from evalharness.records import BadRow, Evaluation, FloatArray, ImageInfo, Sample


def samples_table(
    samples: Sequence[Sample],
    images: Mapping[str, ImageInfo],
    probs: FloatArray,
    class_names: Sequence[str],
    *,
    map_sums: Mapping[str, FloatArray],
    completeness_errors: Mapping[str, FloatArray],
) -> pd.DataFrame:
    """One row per evaluated image, in CSV order.

    Args:
        samples: The rows.
        images: What the scan found, by row id.
        probs: (rows, C).
        class_names: In the order of the outputs.
        map_sums: Raw sums of each map, (rows,), by map id.
        completeness_errors: How far the values of maps that should add up to the score are from it, (rows,), by map id.

    Returns:
        Columns `row_id, path, label, pred_label, correct, confidence, prob_<class>..., map_sum_<map_id>...`,
        `completeness_error_<map_id>...`, then `group, csv_line, sha256, width, height, exif_orientation`.
    """
    pred_labels = [class_names[index] for index in probs.argmax(axis=1)]
    labels = [sample.label for sample in samples]
    infos = [images[sample.row_id] for sample in samples]
    columns: dict[str, object] = {
        "row_id": [sample.row_id for sample in samples],
        "path": [sample.relative_path for sample in samples],
        "label": labels,
        "pred_label": pred_labels,
        "correct": np.equal(labels, pred_labels),
        "confidence": probs.max(axis=1),
    }
    columns |= {f"prob_{name}": probs[:, index] for index, name in enumerate(class_names)}
    columns |= {f"map_sum_{map_id}": values for map_id, values in map_sums.items()}
    columns |= {f"completeness_error_{map_id}": values for map_id, values in completeness_errors.items()}
    columns |= {
        "group": [sample.group for sample in samples],
        "csv_line": [sample.csv_line for sample in samples],
        "sha256": [info.sha256 for info in infos],
        "width": [info.width for info in infos],
        "height": [info.height for info in infos],
        "exif_orientation": [info.exif_orientation for info in infos],
    }
    return pd.DataFrame(columns)


def write_tables(
    folder: Path, samples: pd.DataFrame, evaluation: Evaluation, skipped: Sequence[BadRow], class_names: Sequence[str]
) -> None:
    """Writes `samples.parquet`, `per_class.csv`, `confusion_matrix.csv`, `confusion_matrix.json` and `skipped.csv`."""
    samples.to_parquet(folder / "samples.parquet", index=False)
    pd.DataFrame(
        [
            (row.class_name, row.support, row.num_predicted, row.precision, row.recall, row.f1)
            for row in evaluation.per_class
        ],
        columns=["class", "support", "num_predicted", "precision", "recall", "f1"],
    ).to_csv(folder / "per_class.csv", index=False)
    names = list(class_names)
    confusion = pd.DataFrame(
        evaluation.confusion, index=pd.Index(names, name="true \\ predicted"), columns=pd.Index(names)
    )
    confusion.to_csv(folder / "confusion_matrix.csv")
    write_json(
        folder / "confusion_matrix.json",
        {"classes": names, "rows": "true", "columns": "predicted", "counts": evaluation.confusion.tolist()},
    )
    pd.DataFrame(
        [(row.row_id, row.relative_path, row.csv_line, row.reason) for row in skipped],
        columns=["row_id", "path", "csv_line", "reason"],
    ).to_csv(folder / "skipped.csv", index=False)
