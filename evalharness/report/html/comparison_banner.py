"""The first thing that the page of a comparison says: which run is better, and where each looks."""

from collections.abc import Sequence
from dataclasses import dataclass

from evalharness.comparison import UNTOLD, name_verdict
from evalharness.report.html.comparison_contents import ComparisonContents, RunMaps
from evalharness.report.html.map_verdicts import short_verdicts
from evalharness.report.html.reliance import find_reliance
from evalharness.report.html.wording import is_number, percent

LOOKS = {
    "better": "clear", "worse": "bad", "probably better": "warn", "probably worse": "warn", "cannot tell": "warn",
    "no difference": "clear",
}  # fmt: skip
"""Style of a verdict, by outcome."""


@dataclass(frozen=True, slots=True)
class ComparedVerdict:
    """One run against the reference."""

    headline: str
    sentence: str
    look: str


@dataclass(frozen=True, slots=True)
class RunAtAGlance:
    """One run in a few words."""

    name: str
    is_reference: bool
    accuracy: float
    relies: str
    is_shortcut: bool
    looks: tuple[str, ...]
    """How much of the map is on the categories that are worth telling."""


@dataclass(frozen=True, slots=True)
class ComparisonBanner:
    """What stands above everything else."""

    verdicts: tuple[ComparedVerdict, ...]
    runs: tuple[RunAtAGlance, ...]
    look: str
    """Style: that of the first verdict."""


def make_comparison_banner(contents: ComparisonContents) -> ComparisonBanner:
    """The verdicts in large type, and what each run relies on, as its own stages judged it."""
    verdicts = tuple(
        ComparedVerdict(headline, _without(headline, sentence), LOOKS[pair["outcome"]])
        for pair, sentence in zip(contents.pairs, contents.manifest["verdicts"], strict=True)
        for headline in [name_verdict(pair["name"], pair["reference"], pair["outcome"])]
    )
    reliances = {run.name: find_reliance(run.manifest, run.audit) for run in contents.runs}
    pulling = [found.category for found in reliances.values() if found.source == "regions"]
    map_id = next(iter(contents.manifest["map_ids"]), None)
    told = list(dict.fromkeys([*pulling, *_moved(contents, map_id)]))[:2]
    first = contents.pairs[0]["metrics"]["accuracy"]["reference"]
    accuracies = {contents.run_names[0]: first} | {
        pair["name"]: pair["metrics"]["accuracy"]["value"] for pair in contents.pairs
    }
    runs = tuple(
        RunAtAGlance(
            name=run.name,
            is_reference=run is contents.runs[0],
            accuracy=accuracies[run.name],
            relies=reliances[run.name].headline,
            is_shortcut=reliances[run.name].outcome == "shortcut",
            looks=_describe_looks(run, map_id, told),
        )
        for run in contents.runs
    )
    return ComparisonBanner(verdicts, runs, verdicts[0].look)


def _without(headline: str, sentence: str) -> str:
    """The numbers of a sentence that begins like its headline."""
    rest = sentence.removeprefix(f"{headline}: ")
    return rest[0].upper() + rest[1:]


def _moved(contents: ComparisonContents, map_id: str | None) -> list[str]:
    """Distractors of which some run's share of the map differs from the reference's, the largest difference first."""
    entries = [
        entry
        for entry in contents.manifest["regions"]
        if entry["map_id"] == map_id and entry["role"] == "distractor"
        and entry["measures"]["share"]["outcome"] not in UNTOLD
    ]  # fmt: skip
    entries.sort(key=lambda entry: -abs(entry["measures"]["share"]["difference"]["value"]))
    return [str(entry["category"]) for entry in entries]


def _describe_looks(run: RunMaps, map_id: str | None, categories: Sequence[str]) -> tuple[str, ...]:
    findings = run.manifest["findings"]
    if map_id is None:
        return ()
    shares = {
        entry["category"]: entry["looks"]["share"]["value"]
        for entry in (findings.get("regions") or {}).get("categories", ())
        if entry["map_id"] == map_id
    }
    parts = [f"{percent(shares[name])} on {name}" for name in categories if is_number(shares.get(name))]
    trust = short_verdicts(findings["trust"], [map_id])[map_id]
    return (f"map {map_id} ({trust}): {', '.join(parts)}",) if parts else (f"map {map_id}: {trust}",)
