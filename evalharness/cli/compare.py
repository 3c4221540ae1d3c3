"""`evalharness compare`: finished runs on the same images, each against the first; is the difference real?"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.text import Text

from evalharness.console import console, new_table, say
from evalharness.folders import is_there

if TYPE_CHECKING:
    from evalharness.comparing.finished_comparison import Comparison

MAX_FLIPS = 5
MAX_CLASSES = 20
MAX_CONCEPTS = 6
MAX_VALUE = 60
DIGEST = re.compile(r"[0-9a-f]{64}")
SHORT_DIGEST = 12
REGION_MEASURES = ("share", "lift", "uses", "relies")


def compare(arguments: Sequence[str]) -> int:
    """Compares runs, prints what differs, and ends with the verdict."""
    runs = [argument for argument in arguments if "=" not in argument or is_there(argument)]
    overrides = [argument for argument in arguments if argument not in runs]
    if len(runs) > 1:
        from evalharness.finished_runs import check_names

        check_names(runs)
    # Behind what may be missing: it takes seconds to import.
    from evalharness.comparing.pipeline import compare as compare_runs

    print_comparison(compare_runs(runs, overrides))
    return 0


def print_comparison(found: "Comparison") -> None:
    """Tables of what differs; the sentences last."""
    from evalharness.comparison import RULE

    manifest = found.manifest
    _print_settings(manifest, found.settings)
    for pair in manifest["pairs"]:
        _print_headline(pair, found, manifest)
        _print_classes(pair)
        _print_audit(pair, manifest["regions"])
        _print_concepts(pair, found.concepts)
        _print_flips(pair, found.flips)
    console.print(RULE, style="dim", markup=False, soft_wrap=True)
    for sentence in found.remarks:
        say(sentence)
    for sentence in manifest["verdicts"]:
        say(sentence, style="bold")
    lines = {"MLflow run": found.run_id, "comparison": str(found.folder), "report": str(found.folder / "report.html")}
    for label, text in lines.items():
        console.print(f"{label + ':':<12}{text}", soft_wrap=True, markup=False)


def _print_settings(manifest: dict[str, Any], settings: pd.DataFrame) -> None:
    if settings.empty:
        console.print("The settings of all runs are the same.")
        return
    table = new_table("what differs in the runs")
    table.add_column("setting", overflow="fold")
    for run in manifest["runs"]:
        table.add_column(Text(run["name"]), overflow="fold")
    for row in settings.itertuples(index=False):
        table.add_row(*(Text(_short(str(value))) for value in row))
    console.print(table)


def _print_headline(pair: dict[str, Any], found: "Comparison", manifest: dict[str, Any]) -> None:
    level = f"{100 * manifest['resampling']['confidence']:g}"
    title = f"{pair['name']} against {pair['reference']}: {pair['num_images']} images"
    table = new_table(title)
    for heading in ("metric", "reference", "run", "difference", f"{level} % interval", "the run is"):
        table.add_column(heading, justify="left" if heading in ("metric", "the run is") else "right")
    for row in found.headline[found.headline["run"] == pair["name"]].to_dict("records"):
        table.add_row(row["metric"], *_cells(row), row["outcome"])
    console.print(table)


def _print_classes(pair: dict[str, Any]) -> None:
    table = new_table("per class: those with the most changes first")
    for heading in ("class", "images", "broken", "fixed", "recall", "F1 difference", "its F1 is"):
        is_text = heading in ("class", "its F1 is")
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=heading != "class")
    changed = sorted(pair["classes"], key=lambda row: -(row["num_broken"] + row["num_fixed"]))
    for row in changed[:MAX_CLASSES]:
        counts = [str(row[name]) for name in ("support", "num_broken", "num_fixed")]
        table.add_row(
            Text(row["class_name"]), *counts, _before_and_now(row["recall"]), _interval(row["f1"]["difference"], 2),
            row["f1"]["outcome"],
        )  # fmt: skip
    console.print(table)


def _print_audit(pair: dict[str, Any], regions: Sequence[dict[str, Any]]) -> None:
    own = [entry for entry in regions if entry["name"] == pair["name"]]
    if not own:
        return
    table = new_table("what it looks at, and what it uses")
    for heading in ("map", "region", "images", "measure", "before → now", "difference", "the run is"):
        is_text = heading in ("map", "region", "measure", "the run is")
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=not is_text)
    for entry in own:
        for name in REGION_MEASURES:
            first = name == REGION_MEASURES[0]
            described = [entry["map_id"], f"{entry['category']} ({entry['role']})", str(entry["num_images"])]
            measure = entry["measures"][name]
            cells = [name, _before_and_now(measure), _interval(measure["difference"]), measure["outcome"]]
            table.add_row(*(Text(text) if first else "" for text in described), *cells)
    console.print(table)


def _print_concepts(pair: dict[str, Any], concepts: pd.DataFrame) -> None:
    own = concepts[concepts["run"] == pair["name"]].dropna(subset=["class"]) if len(concepts) else concepts
    if own.empty:
        return
    table = new_table("discovered concepts: harmful ones first")
    for heading in ("of the reference", "most like it", "overlap", "class", "pull before → now"):
        is_text = heading in ("of the reference", "most like it", "class")
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=not is_text)
    for row in own.head(MAX_CONCEPTS).to_dict("records"):
        like = "-" if pd.isna(row["concept"]) else str(row["concept"])
        pulls = {"reference": row["reference_pull"], "value": row["pull"]}
        table.add_row(
            *map(Text, (row["reference_concept"], like)), f"{row['overlap']:.0%} of {row['matched_by']}",
            Text(row["class"]), _before_and_now(pulls),
        )  # fmt: skip
    console.print(table)


def _print_flips(pair: dict[str, Any], flips: pd.DataFrame) -> None:
    own = flips[flips["run"] == pair["name"]]
    if own.empty:
        return
    table = new_table("flips: those of which both runs were sure first")
    for heading in ("", "image", "true", "before", "now"):
        table.add_column(heading, overflow="fold")
    for kind in ("broken", "fixed"):
        rows = own[own["kind"] == kind]
        for row in rows.head(MAX_FLIPS).to_dict("records"):
            before = f"{row['reference_pred_label']} ({row['reference_confidence']:.2f})"
            now = f"{row['pred_label']} ({row['confidence']:.2f})"
            table.add_row(kind, *map(Text, (row["row_id"], row["label"], before, now)))
        if len(rows) > MAX_FLIPS:
            table.add_row(kind, Text(f"... and {len(rows) - MAX_FLIPS} more, in flips.csv"))
    console.print(table)


def _cells(row: Any) -> list[str]:
    numbers = [_number(row["reference"]), _number(row["value"]), _number(row["difference"], "+.4f")]
    return [*numbers, f"{_number(row['ci_low'], '+.4f')} to {_number(row['ci_high'], '+.4f')}"]


def _number(value: float | None, form: str = ".3f") -> str:
    return "-" if value is None or pd.isna(value) else f"{value:{form}}"


def _before_and_now(measure: dict[str, Any]) -> str:
    return f"{_number(measure['reference'])} → {_number(measure['value'])}"


def _interval(interval: dict[str, Any], digits: int = 3) -> str:
    if interval["value"] is None:
        return "-"
    value, low, high = (_number(interval[name], f"+.{digits}f") for name in ("value", "ci_low", "ci_high"))
    return value if low == "-" else f"{value} [{low}, {high}]"


def _short(text: str) -> str:
    if DIGEST.fullmatch(text):
        return text[:SHORT_DIGEST]
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"
