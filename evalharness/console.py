"""What the user sees while a command runs: one console on standard error, and progress bars on it."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Table
from rich.text import Text

FOLDED = 12
"""Columns that a text which may be broken anywhere keeps at least."""
WIDTH_OF_A_FILE = 120
"""Columns where no terminal says how many there are."""

console = Console(
    stderr=True,
    highlight=False,
    width=None if sys.stderr.isatty() or "COLUMNS" in os.environ else WIDTH_OF_A_FILE,
)


class RateColumn(ProgressColumn):
    """Units per second since the bar started, so that it agrees with the run's own number."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        """Draws the rate, once there is one."""
        seconds = task.finished_time or task.elapsed
        rate = task.completed / seconds if seconds else 0
        return Text(f"{rate:.1f} {self.unit}/s" if rate else f"- {self.unit}/s")


class TimeColumn(ProgressColumn):
    """Time left, from the first batch on; the time that has passed before it, and at the end."""

    def render(self, task: Task) -> Text:
        """Draws minutes and seconds."""
        elapsed = task.finished_time if task.finished else task.elapsed
        if elapsed is None or task.finished or not task.completed:
            return Text(f"{timedelta(seconds=int(elapsed or 0))}")
        left = elapsed / task.completed * (task.remaining or 0)
        return Text(f"{timedelta(seconds=int(left))} left")


@contextmanager
def progress_bar(description: str, total: int, unit: str = "images") -> Iterator[Callable[[int], None]]:
    """Shows a bar with count, rate and time left; yields the function that advances it.

    Off a terminal the bar is drawn once, when it ends.

    Args:
        description: What is being done.
        total: Number of units.
        unit: What is counted, in the plural.
    """
    columns = (
        TextColumn("{task.description:<22}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(unit),
        TimeColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(description, total=total)
        yield lambda count: progress.advance(task, count)


class FittingTable(Table):
    """A table below a heading of its own; where the terminal is too narrow for it, a block of lines for each row."""

    heading: Text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draws heading and table, or heading and blocks; nothing is ever cut."""
        yield self.heading
        if self._needed_width() <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        names = [_as_text(column.header).plain for column in self.columns]
        for row in zip(*(column.cells for column in self.columns), strict=True):
            yield Text("")
            yield from (
                Text.assemble("  " * (number > 0), f"{name}: " if name else "", _as_text(cell))
                for number, (name, cell) in enumerate(zip(names, row, strict=True))
                if _as_text(cell).plain
            )
        yield Text("")

    def _needed_width(self) -> int:
        """Of the columns as narrow as they can be: text breaks between words, numbers do not break."""
        widths = []
        for column in self.columns:
            lines = [line for cell in (column.header, *column.cells) for line in _as_text(cell).plain.splitlines()]
            parts = [part for line in lines for part in ([line] if column.no_wrap else line.split())]
            folds = column.overflow == "fold" and not column.no_wrap
            widths.append(min(FOLDED, max(map(cell_len, parts), default=0)) if folds else
                          max(map(cell_len, parts), default=0))  # fmt: skip
        return sum(widths) + 3 * len(widths)


def _as_text(cell: object) -> Text:
    return cell if isinstance(cell, Text) else Text.from_markup(str(cell))


def new_table(title: str | Text) -> Table:
    """A table without columns yet, narrow enough for a terminal."""
    table = FittingTable(box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.heading = title if isinstance(title, Text) else Text(title, style="italic")
    return table


def number_text(value: float | None) -> str:
    """Three digits; a dash for what is not known."""
    return "-" if value is None else f"{value:.3f}"


def percent_text(value: float | None, digits: int = 1) -> str:
    """A part of 1 as per cent; a dash for what is not known."""
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def interval_text(interval: Mapping[str, float | None], digits: int = 3) -> str:
    """A number and its interval, where it has one: of a few images it has none."""
    value, low, high = (interval[key] for key in ("value", "ci_low", "ci_high"))
    if value is None:
        return "-"
    return f"{value:.{digits}f}" if low is None else f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def say(text: str | Text, style: str = "") -> None:
    """Prints a sentence: on a terminal broken between words, in a file on one line, where it is searched for."""
    console.print(Text(text) if isinstance(text, str) else text, style=style or None, soft_wrap=not console.is_terminal)


def warn(message: str) -> None:
    """Prints a warning that a user should read."""
    console.print(Text.assemble(("warning: ", "bold yellow"), message))


def note(message: str) -> None:
    """Prints a line of information."""
    console.print(Text(message))


def tell_cost(what: str, *, num_passes: int, run_once: Callable[[], object], passes_per_run: int) -> None:
    """Notes the number of forward passes and an estimate of the time.

    Args:
        what: What is about to be done, such as `pasting cut-outs into 20 photos`.
        num_passes: Forward passes in all.
        run_once: One run of the compiled model; it is called twice, since the first time compiles.
        passes_per_run: Images of that run.
    """
    run_once()
    start = time.perf_counter()
    run_once()
    seconds = (time.perf_counter() - start) / passes_per_run * num_passes
    length = f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
    note(f"{what}: {num_passes} forward passes, about {length}")
