"""The tables that end a command."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from evalharness.cli.store import ui_command
from evalharness.config import TrackingConfig
from evalharness.console import console, new_table, say
from evalharness.manifest import describe_averages

if TYPE_CHECKING:
    from evalharness.evaluating.pipeline import LoggedRun

LEAST_SECONDS = 0.5
"""Of a part that is worth telling."""
HEADLINE = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece")


def print_summary(logged: "LoggedRun") -> None:
    """Names the run, its numbers and where to look."""
    manifest, metrics = logged.result.manifest, logged.result.metrics
    counted = f"{manifest['num_evaluated']} images"
    if manifest["num_skipped"]:
        counted += f" of {manifest['num_rows']} ({manifest['num_skipped']} skipped, listed in skipped.csv)"
    table = new_table(f"{manifest['name']}: {counted}")
    level = f"{100 * manifest['config']['bootstrap']['confidence']:g}"
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column(f"{level} % interval", justify="right")
    for name in HEADLINE:
        if name in manifest["intervals"]:
            low, high = manifest["intervals"][name]
            interval = "undefined" if low is None or high is None else f"{low:.4f} to {high:.4f}"
            table.add_row(name, f"{metrics[name]:.4f}", interval)
    console.print(table)
    if averages := describe_averages(manifest):
        say(averages)
    _print_findings(manifest["findings"])
    speed = metrics.get("throughput/images_per_s")
    page, config = logged.result.folder / "report.html", manifest["config"]
    look = page if page.is_file() else logged.result.folder / "figures"
    lines = {
        "speed": f"{speed:.1f} images/s: decoding, prediction, {', '.join(logged.result.map_ids) or 'no'} maps, storing"
        if speed
        else "",
        "seconds": _seconds(metrics),
        "MLflow run": logged.run_id,
        "results": str(logged.result.folder),
        "look": f"{look}, or `{ui_command(TrackingConfig(**config['tracking']), Path(config['runs_dir']))}`",
    }
    for label, text in lines.items():
        if text:
            console.print(f"{label + ':':<12}{text}", soft_wrap=True, markup=False)
    for text in manifest["findings"]["broken_gates"]:
        say(f"gate does not hold: {text}", style="red")


def _seconds(metrics: Mapping[str, float]) -> str:
    """Of each part of the evaluation, the longest first."""
    parts = {
        name.removeprefix("time/").removesuffix("_s"): value
        for name, value in metrics.items()
        if name.startswith("time/") and value >= LEAST_SECONDS
    }
    return ", ".join(f"{name} {value:.1f}" for name, value in sorted(parts.items(), key=lambda item: -item[1]))


def _print_findings(findings: Mapping[str, Any]) -> None:
    """What each stage found, in their order."""
    from evalharness.evaluating.stages.registry import STAGES

    for stage in STAGES:
        if findings.get(stage.name):
            for part in stage.tell(findings[stage.name]):
                say(part) if isinstance(part, Text) else console.print(part)
