"""The table and the link that end a sweep."""

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from evalharness.cli.job import JobOutcome, own_overrides
from evalharness.cli.store import side_by_side
from evalharness.config import TrackingConfig
from evalharness.console import console, new_table, warn
from evalharness.errors import EvalHarnessError
from evalharness.manifest import read_manifest


def print_sweep(outcomes: Sequence[JobOutcome], *, sweep_id: str, tracking: TrackingConfig, runs_dir: Path) -> int:
    """Tells what ran, what failed and why, and where to see it side by side; returns the exit code of the sweep."""
    members = [outcome.overrides for outcome in outcomes]
    table = new_table(f"sweep of {len(outcomes)} runs")
    for heading in ("#", "differs in", "accuracy", "macro_f1", "ece", "ended"):
        table.add_column(heading, overflow="fold")
    for outcome in outcomes:
        headline = outcome.headline or {}
        numbers = [f"{headline[name]:.4f}" if name in headline else "-" for name in ("accuracy", "macro_f1", "ece")]
        # Overrides that all members share would only push the numbers off the screen.
        own = own_overrides(outcome.overrides, members) if len(members) > 1 else outcome.overrides
        table.add_row(str(outcome.number), Text("\n".join(own)), *numbers, Text(_ended(outcome)))
    console.print(table)
    for line in _same_backbones(outcomes):
        console.print(line, markup=False, soft_wrap=True)
    if any(outcome.run_id for outcome in outcomes):
        _print_side_by_side(sweep_id, tracking, runs_dir)
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if failed:
        console.print(f"{len(failed)} of {len(outcomes)} runs failed", markup=False)
        return 1
    return max((outcome.exit_code for outcome in outcomes), default=0)


def _print_side_by_side(sweep_id: str, tracking: TrackingConfig, runs_dir: Path) -> None:
    try:
        place = side_by_side(tracking, runs_dir, sweep_id)
    except EvalHarnessError as error:
        warn(str(error))
        return
    console.print(f"side by side: {place}", markup=False, soft_wrap=True)


def _same_backbones(outcomes: Sequence[JobOutcome]) -> list[str]:
    """A sentence for each group of runs whose class-agnostic maps are equal by construction."""
    groups: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.results is not None:
            manifest = read_manifest(Path(outcome.results))
            digest = manifest["provenance"]["model"]["backbone_sha256"]
            groups.setdefault(digest, []).append(f"{outcome.number} ({manifest['provenance']['weights']['uri']})")
    return [
        f"runs {', '.join(members)} share one backbone: their rollout and last_attention maps are equal by construction"
        for members in groups.values()
        if len({member.partition(" ")[2] for member in members}) > 1
    ]


def _ended(outcome: JobOutcome) -> str:
    if outcome.error is not None:
        return " ".join(line.strip() for line in outcome.error.splitlines()[:3])
    return "done" if outcome.exit_code == 0 else "done, a gate does not hold"
