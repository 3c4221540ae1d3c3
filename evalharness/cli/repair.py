"""`evalharness repair`: mends the head of a run that relies on the wrong thing, and proves it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from evalharness.console import console, interval_text, new_table, percent_text, say
from evalharness.errors import ConfigError, DatasetError
from evalharness.folders import is_there

if TYPE_CHECKING:
    from evalharness.repairing.finished_repair import Repair

USAGE = "Usage: evalharness repair RUN repair.csv=TRAINING.csv (RUN: a results folder, or an MLflow run id)"


def repair(arguments: Sequence[str]) -> int:
    """Repairs a run, prints before and after, and ends with the verdict."""
    runs = [argument for argument in arguments if "=" not in argument or is_there(argument)]
    overrides = [argument for argument in arguments if argument not in runs]
    if len(runs) != 1:
        raise ConfigError("one run is repaired at a time", expected="one RUN", got=len(runs), fix=USAGE)
    look_at_files(overrides)
    from evalharness.repairing.pipeline import repair as repair_run

    print_repair(repair_run(runs[0], overrides))
    return 0


def look_at_files(overrides: Sequence[str]) -> None:
    """Tells what is missing before TensorFlow is imported.

    Raises:
        EvalHarnessError: No training CSV is named, or files are not there.
    """
    from evalharness.config.compose import compose_section
    from evalharness.dataset.table import read_table

    config = compose_section([entry for entry in overrides if entry.startswith("repair.")], "repair")["repair"]
    if config.csv is None:
        raise ConfigError(
            "training photos are missing", expected="a CSV of photos that the run was not evaluated on", got="none",
            where="repair.csv", fix=USAGE,
        )  # fmt: skip
    read_table(config.csv)
    for key in ("root", "cutouts"):
        folder = getattr(config, key)
        if folder is not None and not folder.is_dir():
            raise DatasetError("no such folder", got=folder, where=f"repair.{key}")


def print_repair(found: "Repair") -> None:
    """Before and after as tables; the sentence last."""
    manifest = found.manifest
    _print_layers(manifest["layers"])
    _print_accuracies(manifest)
    _print_pulls(manifest)
    say(found.sentence, style="bold")
    overrides = " ".join(manifest["weights"]["overrides"])
    lines = {
        "MLflow run": found.run_id,
        "weights": f"{found.weights}{f' (with {overrides})' if overrides else ''}",
        "report": found.folder / "report.html",
        "the maps": _maps(found.folder),
    }
    for label, text in lines.items():
        console.print(f"{label + ':':<12}{text}", soft_wrap=True, markup=False)


def _maps(folder: Path) -> Path:
    maps = folder / "figures" / "maps.png"
    return maps if maps.is_file() else folder / "figures" / "accuracy.png"


def _print_layers(layers: Sequence[dict[str, Any]]) -> None:
    first, *others = layers
    text = f"fitted anew: {_layer(first)}"
    say("; ".join([text, *(f"not taken: {_layer(layer)}" for layer in others)]))


def _layer(layer: dict[str, Any]) -> str:
    what = "one linear layer instead of the head" if layer["name"] == "linear" else "the head's last layer"
    return f"{what} (log loss {layer['log_loss']:.3f}, accuracy {layer['accuracy']:.1%} by cross-validation)"


def _print_accuracies(manifest: dict[str, Any]) -> None:
    table = new_table("accuracy on evaluated photos, before and after")
    for heading in ("photos", "n", "before", "after", "difference", "broken", "fixed"):
        table.add_column(heading, justify="left" if heading == "photos" else "right")
    for row in manifest["accuracies"]:
        name = "without a distractor" if row["name"] == "without" else f"with {row['name']}"
        table.add_row(
            Text(f"{name}, pasted" if row["is_pasted"] else name),
            str(row["num_images"]),
            percent_text(row["before"]["value"]),
            percent_text(row["after"]["value"]),
            interval_text(row["difference"]),
            str(row["num_broken"]),
            str(row["num_fixed"]),
        )
    console.print(table)


def _print_pulls(manifest: dict[str, Any]) -> None:
    table = new_table(f"pull, before and after; the limit is {manifest['min_pull']:g}")
    for heading in ("category", "class", "n", "before", "after", "fell by"):
        table.add_column(heading, justify="left" if heading in ("category", "class") else "right")
    for row in manifest["pulls"]:
        if row["is_harmful"] or (row["is_tested"] and max(row["before"]["value"], row["after"]["value"]) > 0.02):
            table.add_row(
                Text(f"{row['category']}{' *' if row['is_harmful'] else ''}"),
                Text(row["class_name"]),
                str(row["num_images"]),
                *(interval_text(row[name]) for name in ("before", "after", "fall")),
            )
    console.print(table)
