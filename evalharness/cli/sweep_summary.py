"""The table and the link that end a sweep."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from rich.table import Table
from rich.text import Text

from evalharness.cli.job import JobOutcome
from evalharness.cli.store import side_by_side
from evalharness.config import TrackingConfig
from evalharness.console import console, new_table, number_text, say, warn
from evalharness.errors import EvalHarnessError
from evalharness.manifest import known_pulls, read_manifest, strongest_pull

METRICS = {"accuracy": "accuracy", "F1": "macro_f1", "believed": "believe/coverage"}
"""By heading."""


def print_sweep(outcomes: Sequence[JobOutcome], *, sweep_id: str, tracking: TrackingConfig, runs_dir: Path) -> int:
    """Tells what ran, what failed and why, and where to see it side by side; returns the exit code of the sweep."""
    members = [_Member.of(outcome) for outcome in outcomes]
    console.print(_table(members))
    for sentence in [*_endings(outcomes), *_name_best(members), *_same_backbones(members)]:
        say(sentence)
    if folders := [shlex.quote(member.outcome.results) for member in _ranked(members)[:2] if member.outcome.results]:
        # Never broken: it is pasted.
        console.print(f"is it real: evalharness compare {' '.join(reversed(folders))}", markup=False, soft_wrap=True)
    if any(outcome.run_id for outcome in outcomes):
        _print_side_by_side(sweep_id, tracking, runs_dir)
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if failed:
        console.print(f"{len(failed)} of {len(outcomes)} runs failed", markup=False)
        return 1
    return max((outcome.exit_code for outcome in outcomes), default=0)


@dataclass(frozen=True)
class _Member:
    """A run of the sweep, and what it found."""

    outcome: JobOutcome
    settings: Mapping[str, str]
    """Its overrides."""
    manifest: Mapping[str, Any] | None
    """None where it did not finish."""

    @classmethod
    def of(cls, outcome: JobOutcome) -> "_Member":
        pairs = (override.partition("=") for override in outcome.overrides)
        manifest = read_manifest(Path(outcome.results)) if outcome.results else None
        return cls(outcome, {key.lstrip("+"): value for key, _, value in pairs}, manifest)

    @property
    def name(self) -> str:
        """Number and run name."""
        return f"#{self.outcome.number} ({self.outcome.run_name})"

    def metric(self, name: str) -> float | None:
        found = None if self.manifest is None else self.manifest["metrics"].get(name)
        return None if found is None else float(found)

    @property
    def worst(self) -> tuple[float, str] | None:
        """The lowest accuracy on images with one distractor, and which; None where none is annotated."""
        regions = (self.manifest or {}).get("findings", {}).get("regions") or {}
        entries = [entry for entry in regions.get("accuracies", ()) if entry["category"]]
        return min(((entry["accuracy"]["value"], entry["category"]) for entry in entries), default=None)


def _table(members: Sequence[_Member]) -> Table:
    """What sets the members apart, then what is known of any of them: numbers of metrics and of the audit."""
    columns: dict[str, list[str]] = {"#": [str(member.outcome.number) for member in members]}
    columns |= _settings(members)
    for heading, name in METRICS.items():
        columns[heading] = [number_text(member.metric(name)) for member in members]
    columns["worst with"] = [
        "-" if member.worst is None else f"{member.worst[0]:.3f} {member.worst[1]}" for member in members
    ]
    columns["strongest pull"] = [
        pull_text(strongest_pull(member.manifest)) if member.manifest and known_pulls(member.manifest) else "-"
        for member in members
    ]
    table = new_table(f"sweep of {len(members)} runs")
    shown = {heading: cells for heading, cells in columns.items() if any(cell != "-" for cell in cells)}
    for heading in shown:
        table.add_column(heading, justify="right" if heading in METRICS else "left", overflow="fold")
    for row in zip(*shown.values(), strict=True):
        table.add_row(*map(Text, row))
    return table


def _settings(members: Sequence[_Member]) -> dict[str, list[str]]:
    """A column per setting in which members differ; all settings where nothing differs, or there is one member."""
    keys = list(dict.fromkeys(key for member in members for key in member.settings))
    apart = [key for key in keys if len({member.settings.get(key) for member in members}) > 1]
    titles = {key: key.rpartition(".")[2] for key in apart}
    return {
        titles[key] if list(titles.values()).count(titles[key]) == 1 else key: [
            _shown(member.settings.get(key, "-"), [other.settings.get(key, "-") for other in members])
            for member in members
        ]
        for key in apart
    }


def _shown(value: str, values: Sequence[str]) -> str:
    """A value without quotes, and a path as its name where names tell all apart."""
    plain, others = value.strip("'\""), {other.strip("'\"") for other in values}
    if len({PurePath(other).name for other in others}) == len(others):
        return PurePath(plain).name if "[" not in plain else plain
    return plain


def pull_text(cell: Mapping[str, Any] | None) -> str:
    """The strongest pull of a run in a few words."""
    return "none" if cell is None else f"{cell['category']} to {cell['class_name']} {cell['pull']['value']:+.3f}"


def _name_best(members: Sequence[_Member]) -> list[str]:
    """The member of the highest accuracy, and the one that a distractor harms least."""
    ranked = _ranked(members)
    if not ranked:
        return []
    best, second = ranked[:2]
    highest, next_one = best.metric("accuracy"), second.metric("accuracy")
    holder = "several" if highest == next_one else best.name
    following = "" if highest == next_one else f"; next {second.name}, {next_one:.4f}"
    sentences = [f"Highest accuracy: {holder}, {highest:.4f}{following}."]
    audited = [(member.worst[0], member) for member in ranked if member.worst is not None]
    if len(audited) > 1:
        value, firm = max(audited, key=lambda entry: entry[0])
        sentences.append(f"Least harmed by a distractor: {firm.name}, accuracy {value:.3f} with the worst of them.")
    return sentences


def _ranked(members: Sequence[_Member]) -> list[_Member]:
    """Those that finished, the most accurate first; none where there are no two."""
    done = [member for member in members if member.metric("accuracy") is not None]
    return sorted(done, key=lambda member: -(member.metric("accuracy") or 0)) if len(done) > 1 else []


def _print_side_by_side(sweep_id: str, tracking: TrackingConfig, runs_dir: Path) -> None:
    try:
        place = side_by_side(tracking, runs_dir, sweep_id)
    except EvalHarnessError as error:
        warn(str(error))
        return
    console.print(f"side by side: {place}", markup=False, soft_wrap=True)


def _same_backbones(members: Sequence[_Member]) -> list[str]:
    """A sentence for each group of runs whose class-agnostic maps are equal by construction."""
    groups: dict[str, list[str]] = {}
    for member in members:
        if member.manifest is not None:
            provenance = member.manifest["provenance"]
            text = f"{member.outcome.number} ({provenance['weights']['uri']})"
            groups.setdefault(provenance["model"]["backbone_sha256"], []).append(text)
    return [
        f"runs {', '.join(told)} share one backbone: their rollout and last_attention maps are equal by construction"
        for told in groups.values()
        if len({text.partition(" ")[2] for text in told}) > 1
    ]


def _endings(outcomes: Sequence[JobOutcome]) -> list[str]:
    """A sentence for each run that failed, or whose gates do not hold."""
    told = {outcome.number: outcome.error for outcome in outcomes if outcome.error is not None}
    told |= {outcome.number: "a gate does not hold" for outcome in outcomes if outcome.exit_code and not outcome.error}
    return [
        f"#{number}: {' '.join(line.strip() for line in text.splitlines()[:3])}"
        for number, text in sorted(told.items())
    ]
