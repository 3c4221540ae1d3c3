"""The tables that end a command."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from evalharness.attention.faithfulness_verdict import RIVALS
from evalharness.cli.store import ui_command
from evalharness.config.schema import TrackingConfig
from evalharness.console import console, new_table

if TYPE_CHECKING:
    from evalharness.evaluating.pipeline import LoggedRun

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
    print_trust(manifest)
    print_regions(manifest)
    print_noise(manifest)
    print_stress(manifest)
    for name in ("before_after", "what_is_it"):
        if found := manifest["findings"].get(name):
            console.print(found["sentence"], markup=False, soft_wrap=True)
    speed = metrics.get("throughput/images_per_s")
    page, config = logged.result.folder / "report.html", manifest["config"]
    look = page if page.is_file() else logged.result.folder / "figures"
    lines = {
        "speed": f"{speed:.1f} images/s, prediction and {', '.join(logged.result.map_ids) or 'no'} maps"
        if speed
        else "",
        "MLflow run": logged.run_id,
        "results": str(logged.result.folder),
        "look": f"{look}, or `{ui_command(TrackingConfig(**config['tracking']), Path(config['runs_dir']))}`",
    }
    for label, text in lines.items():
        if text:
            console.print(f"{label + ':':<12}{text}", soft_wrap=True, markup=False)
    for text in manifest["findings"]["broken_gates"]:
        console.print(f"gate does not hold: {text}", style="red", soft_wrap=True, markup=False)


def print_trust(manifest: Mapping[str, Any]) -> None:
    """Which maps can be believed, if that was measured."""
    entries = manifest["findings"]["trust"]
    if not entries:
        return
    table = new_table(f"can the maps be believed? ({entries[0]['num_images']} images)")
    for heading in ("map", "deletion", "insertion", "faithfulness", "SaCo", "other head"):
        table.add_column(heading, justify="left" if heading == "map" else "right", no_wrap=True)
    for entry in entries:
        values = {name: interval["value"] for name, interval in entry["measures"].items()}
        cells = [values["deletion_mean"], values["insertion_mean"], None, values["saco"], values["head_similarity"]]
        texts = ["-" if value is None else f"{value:.3f}" for value in cells]
        texts[2] = _with_interval(entry["measures"]["faithfulness"])
        table.add_row(entry["map_id"], *texts)
    console.print(table)
    for entry in entries:
        if entry["map_id"] not in RIVALS:
            console.print(f"{entry['map_id']}: {entry['verdict']}", markup=False, soft_wrap=True)


def print_regions(manifest: Mapping[str, Any]) -> None:
    """What the annotated regions tell, if there are any."""
    regions = manifest["findings"]["regions"]
    if regions is None:
        return
    # The first map is the run's main one; all of them would not fit, and are in the figures and in the manifest.
    main_map = regions["categories"][0]["map_id"]
    table = new_table(f"what {main_map} looks at, and what the verdict uses")
    for heading in ("region", "images", "judged", "lift", "uses", "control", "relies", "flips"):
        table.add_column(heading, justify="left" if heading == "region" else "right", no_wrap=True)
    for entry in (entry for entry in regions["categories"] if entry["map_id"] == main_map):
        table.add_row(
            Text(entry["category"] if entry["role"] == "distractor" else f"{entry['category']} ({entry['role']})"),
            str(entry["num_images"]),
            str(entry["uses"]["num_images"]),
            _with_interval(entry["looks"]["lift"], digits=2),
            _percent(entry["uses"]["interval"]["value"]),
            _percent(entry["control_uses_rate"]),
            _percent(entry["quadrants"]["relies"]["interval"]["value"]),
            _percent(entry["flips"]["interval"]["value"]),
        )
    console.print(table)
    console.print(regions["sentence"], markup=False, soft_wrap=True)


def print_noise(manifest: Mapping[str, Any]) -> None:
    """Whether attention explains mistakes, and what of it is an artifact."""
    noise = manifest["findings"].get("noise")
    if noise is None:
        return
    console.print(noise["sentence"], markup=False, soft_wrap=True)
    if noise["num_outlier_images"]:
        rate = noise["maps"][0]["artifact_rate"]["value"]
        console.print(
            f"{noise['num_outlier_images']} of {noise['num_images']} images have outlier tokens; "
            f"{_percent(rate)} of the hot patches of {noise['maps'][0]['map_id']} are such artifacts (artifacts.png)",
            markup=False,
            soft_wrap=True,
        )


def print_stress(manifest: Mapping[str, Any]) -> None:
    """What pasted cut-outs do, if that was tried."""
    stress = manifest["findings"].get("stress")
    if stress is None:
        return
    map_id = stress["map_id"]
    title = f"stress: a cut-out pasted into the photo{f', map {map_id}' if map_id else ''}"
    table = new_table(title)
    for heading in ("cut-out", "photos", "flips", "(hidden)", "mostly to", "share", "(clean)", "Δ prob."):
        table.add_column(heading, justify="left" if heading in ("cut-out", "mostly to") else "right")
    for entry in stress["categories"]:
        new = [f"{name} ({count})" for name, count in list(entry["flips_to"].items())[:1]]
        table.add_row(
            Text(entry["category"]),
            str(entry["num_images"]),
            _with_interval(entry["flips"], digits=2),
            _percent(entry["hidden_flips"]["value"]),
            Text(", ".join(new) or "-"),
            *(_number(entry[name]["value"]) for name in ("share", "clean_share", "delta_prob")),
        )
    console.print(table)
    console.print("(hidden): with the cut-out's outline filled instead, what hiding alone does", style="dim")
    console.print(f"pasted: {stress['sentence']}", markup=False, soft_wrap=True)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _with_interval(interval: Mapping[str, float | None], digits: int = 3) -> str:
    value, low, high = (interval[key] for key in ("value", "ci_low", "ci_high"))
    if value is None:
        return "-"
    # A few images have no interval.
    return f"{value:.{digits}f}" if low is None else f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
