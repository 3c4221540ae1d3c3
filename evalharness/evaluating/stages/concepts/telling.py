"""Concepts on a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from evalharness.console import interval_text, new_table, percent_text
from evalharness.evaluating.stages.concepts.labels import describe_labels

MAX_LINES = 8


def tell_concepts(plain: Mapping[str, Any]) -> Iterator[Table | Text]:
    """Harmful concepts first, one line each; the objects are left out. Then the sentence."""
    shown = [entry for entry in plain["concepts"] if entry["role"] == "distractor"][:MAX_LINES]
    if shown:
        table = new_table(f"what {plain['map_id']} lights up again and again, beside the object")
        for heading in ("concept", "photos", "in labels", "strongest pull", "p", "flips"):
            is_text = heading in ("concept", "in labels", "strongest pull")
            table.add_column(heading, justify="left" if is_text else "right", no_wrap=heading != "in labels")
        for entry in shown:
            table.add_row(*_line(entry))
        yield table
    yield Text(plain["sentence"])


def _line(entry: Mapping[str, Any]) -> list[Text | str]:
    cell = entry["shortcut"] or entry["strongest"]
    mark = "! " if entry["is_harmful"] else ""
    pull = "too few photos" if cell is None else f"{cell['class_name']} {interval_text(cell['pull'], digits=2)}"
    p_value = "-" if cell is None or cell["is_significant"] is None else f"{cell['p_value']:.2g}"
    return [
        Text(f"{mark}{entry['name']}", style="bold" if entry["is_harmful"] else ""),
        f"{entry['num_photos']} ({entry['frequency']:.0%})",
        Text(describe_labels(entry["label_parts"])),
        Text(pull),
        p_value,
        percent_text(entry["flips"]["value"]),
    ]
