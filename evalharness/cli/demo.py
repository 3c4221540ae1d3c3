"""`evalharness demo`: three fine-tuning runs, equally good on clean photos, one of which looks at the wrong thing."""

import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evalharness.cli.store import side_by_side
from evalharness.cli.sweep_summary import pull_text
from evalharness.config import RunConfig
from evalharness.config.compose import compose_config, compose_section, overrides_from
from evalharness.console import console, interval_text, new_table, note, say
from evalharness.errors import ConfigError
from evalharness.example.model import RUNS, weights_path
from evalharness.example.photos import NUM_PHOTOS, PhotoSet, generate_photos, generate_repair_photos
from evalharness.manifest import strongest_pull
from evalharness.statistics import paired_bootstrap

if TYPE_CHECKING:
    from evalharness.report.lineup import LineupCell

MAIN_MAP = "libra"
MIN_REPAIR_PHOTOS = 100
STORY = {
    "head_only": "backbone frozen, head trained",
    "clean": "fine-tuned on varied photos",
    "shortcut": "fine-tuned on photos in which one animal goes with one class",
}


@dataclass(frozen=True)
class DemoRun:
    """One evaluated run of the example, and its photos sorted by what is in them."""

    name: str
    run_id: str
    folder: Path
    samples: pd.DataFrame
    """Of the result, with the column `distractor`: the animal in the photo, or empty."""
    audit: pd.DataFrame
    manifest: Mapping[str, Any]

    @property
    def regions(self) -> Mapping[str, Any]:
        """What the audit found."""
        return dict(self.manifest["findings"]["regions"])

    @property
    def concepts(self) -> Mapping[str, Any]:
        """What was found without the annotations."""
        return dict(self.manifest["findings"]["concepts"])

    def accuracy(self, distractor: str | None) -> float:
        """On photos without an animal (""), with this one, or with any (None)."""
        wanted = self.samples["distractor"] != "" if distractor is None else self.samples["distractor"] == distractor
        return float(self.samples.loc[wanted, "correct"].mean())

    def category(self, name: str) -> Mapping[str, Any]:
        """The audit's row of one animal on the main map."""
        entries = self.regions["categories"]
        return next(e for e in entries if (e["category"], e["map_id"]) == (name, MAIN_MAP))


def demo(arguments: Sequence[str]) -> int:
    """Draws photos, evaluates three runs as a sweep, compares them, mends the guilty one, and says where to look."""
    num_photos, overrides = NUM_PHOTOS, []
    for argument in arguments:
        if argument.startswith("num_photos="):
            num_photos = _count(argument.removeprefix("num_photos="))
        else:
            overrides.append(argument)
    runs_dir = compose_section(overrides, "runs_dir")["runs_dir"]
    note("drawing the example's photos (once; kept in the cache)")
    photos = generate_photos(runs_dir / "cache" / "example", num_photos=num_photos)
    sweep = f"demo-{datetime.now():%Y%m%d-%H%M%S}"
    runs, config = [], None
    for name in RUNS:
        print(f"\n{name}: {STORY[name]}", file=sys.stderr)
        config = _config(name, photos, sweep, overrides)
        runs.append(_evaluate(name, config, photos))
    if config is None:
        return 0
    figure = _draw_cases(runs, config, runs_dir / "demo")
    _print_comparison(runs)
    repaired = _repair(runs[-1], config, runs_dir, num_photos=max(MIN_REPAIR_PHOTOS, num_photos // 2))
    _print_where_to_look(runs, config, figure, sweep, repaired)
    return 0


def _repair(run: DemoRun, config: RunConfig, runs_dir: Path, *, num_photos: int) -> Path | None:
    """Mends the run that relies on an animal, with photos that nobody evaluated; gives the folder of the repair."""
    if not any(
        cell["is_significant"] and cell["pull"]["ci_low"] > config.audit.min_pull for cell in run.regions["pull"]
    ):
        return None
    from evalharness.cli.repair import print_repair
    from evalharness.repairing.pipeline import repair

    print(f"\nrepair of {run.name}: its head fitted anew, with {num_photos} photos of other scenes", file=sys.stderr)
    values = {
        "repair.csv": str(generate_repair_photos(runs_dir / "cache" / "example", num_photos=num_photos)),
        "runs_dir": str(runs_dir),
        **{f"tracking.{name}": getattr(config.tracking, name) for name in ("uri", "experiment")},
    }
    found = repair(run.folder, overrides_from(values))
    print_repair(found)
    return found.folder


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ConfigError("num_photos cannot be used", expected="a number of photos", got=text, where="num_photos")
    return int(text)


def _config(name: str, photos: PhotoSet, sweep: str, overrides: Sequence[str]) -> RunConfig:
    values = {
        "model.weights": str(weights_path(name)),
        "dataset.csv": str(photos.table_csv),
        "dataset.annotations": str(photos.annotations),
        "dataset.name": "example",
        "tracking.run_name": name,
        "tracking.sweep": sweep,
        "tracking.sweep_command": "evalharness demo",
    }
    return compose_config(["+experiment=demo", *overrides_from(values), *overrides])


def _evaluate(name: str, config: RunConfig, photos: PhotoSet) -> DemoRun:
    from evalharness.cli.summary import print_summary
    from evalharness.evaluating.pipeline import run_evaluation

    logged = run_evaluation(config)
    print_summary(logged)
    table = pd.read_csv(photos.table_csv, dtype=str, keep_default_na=False).set_index("path")
    samples = logged.result.samples.assign(distractor=lambda s: table["distractor"].reindex(s["row_id"]).to_numpy())
    audit = pd.read_parquet(logged.result.folder / "audit.parquet")
    main = audit[audit["map_id"] == MAIN_MAP]
    return DemoRun(name, logged.run_id, logged.result.folder, samples, main, logged.result.manifest)


def _print_comparison(runs: Sequence[DemoRun]) -> None:
    animals = sorted({name for name in runs[0].samples["distractor"] if name})
    ranked = sorted(runs, key=lambda run: -run.accuracy(None))
    table = new_table("accuracy without an animal and with each, best with animals first")
    table.add_column("run", no_wrap=True)
    for heading in ("clean", *animals):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("strongest pull", no_wrap=True)
    for run in ranked:
        table.add_row(
            run.name,
            *(f"{run.accuracy(animal):.1%}" for animal in ("", *animals)),
            pull_text(strongest_pull(run.manifest)),
        )
    console.print(table)
    table = new_table(f"share of {MAIN_MAP} on the animal; verdicts that rely on it")
    table.add_column("run", no_wrap=True)
    for heading in animals:
        table.add_column(heading, justify="right", no_wrap=True)
    for run in ranked:
        found = [run.category(animal) for animal in animals]
        shares = [entry["looks"]["share"]["value"] for entry in found]
        relies = [entry["quadrants"]["relies"]["interval"]["value"] for entry in found]
        table.add_row(run.name, *(f"{share:.3f}; {rate:.0%}" for share, rate in zip(shares, relies, strict=True)))
    console.print(table)
    guilty = max(runs, key=_pull)
    say(f"{guilty.name}: {guilty.regions['sentence']}")
    _print_found_twice(guilty)
    say(_difference(guilty, next(run for run in runs if run.name == "clean")))


def _print_found_twice(run: DemoRun) -> None:
    """The strongest pull of annotated regions beside that of discovered ones, on whatever they lie."""
    annotated = strongest_pull(run.manifest)
    harmful = [concept for concept in run.concepts["concepts"] if concept["is_harmful"]]
    if annotated is None or not harmful:
        return
    table = new_table(f"{run.name}: found twice, from annotations and without")
    for heading in ("region", "photos of other classes", "pull", "its regions lie on"):
        is_text = heading in ("region", "its regions lie on")
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=heading != "its regions lie on")
    table.add_row(annotated["category"], *_pull_cells(annotated), annotated["category"])
    for concept in harmful:
        parts = ", ".join(f"{name} {part:.0%}" for name, part in list(concept["lies_on"].items())[:3])
        table.add_row(concept["name"], *_pull_cells(concept["shortcut"]), parts)
    console.print(table)


def _pull_cells(cell: Mapping[str, Any]) -> tuple[str, str]:
    return str(cell["num_images"]), f"{cell['class_name']} {interval_text(cell['pull'])}"


def _pull(run: DemoRun) -> float:
    """The largest significant pull of an animal to a class."""
    cell = strongest_pull(run.manifest)
    return float(cell["pull"]["value"]) if cell else 0.0


def _difference(guilty: DemoRun, other: DemoRun) -> str:
    """How much more attention the guilty run has on its animal than the clean one, photo by photo."""
    cell = strongest_pull(guilty.manifest)
    if cell is None or guilty is other:
        return ""
    animal = cell["category"]
    shares = [run.audit[run.audit["category"] == animal].set_index("row_id")["share"] for run in (guilty, other)]
    differences = (shares[0] - shares[1].reindex(shares[0].index)).dropna().to_numpy(np.float64)
    found = paired_bootstrap(differences)
    return (
        f"On the {animal}, {guilty.name} has {found.value:+.3f} [{found.ci_low:+.3f}, {found.ci_high:+.3f}] more of "
        f"its attention ({MAIN_MAP}) than {other.name}, in {len(differences)} photos."
    )


def _draw_cases(runs: Sequence[DemoRun], config: RunConfig, folder: Path) -> Path:
    """The pairs that started this project, found by the numbers of the run that relies on an animal."""
    from evalharness.dataset import load_photo
    from evalharness.report import save_figure
    from evalharness.report.lineup import LineupRow, draw_lineup

    root = config.dataset.csv.parent
    rows = [
        LineupRow(
            heading,
            load_photo(root / row_id, config=config.dataset),
            tuple(_cell(run, row_id) for run in runs),
        )
        for heading, row_id in _find_cases(runs[-1])
    ]
    folder.mkdir(parents=True, exist_ok=True)
    title = f"Where three runs look: {MAIN_MAP} of each run's own verdict"
    figure = draw_lineup(rows, [run.name for run in runs], title=title, density_max=config.report.density_max)
    return save_figure(figure, folder / "where_they_look.png")


def _find_cases(run: DemoRun) -> list[tuple[str, str]]:
    """A heading and a row id for each: on the flower, a little on the dog, on the bird, all on the cat."""
    audit = run.audit.merge(run.samples[["row_id", "correct", "distractor"]], on="row_id")
    animal = audit[audit["category"] == audit["distractor"]].set_index("row_id")
    flower_only = run.samples[(run.samples["distractor"] == "") & run.samples["correct"]]
    most_confident = str(flower_only.sort_values("confidence", ascending=False)["row_id"].iloc[0])
    dogs = animal[(animal["category"] == "dog") & animal["correct"]]
    birds = animal[animal["category"] == "bird"]
    cats = animal[(animal["category"] == "cat") & ~animal["correct"]]
    cats = cats if len(cats) else animal[animal["category"] == "cat"]
    return [
        ("attention on the flower", most_confident),
        ("a little of it on the dog", str((dogs["share"] - dogs["share"].median()).abs().idxmin())),
        ("on the bird", str(birds["share"].idxmax())),
        ("all on the cat", str(cats["share"].idxmax())),
    ]


def _cell(run: DemoRun, row_id: str) -> "LineupCell":
    from evalharness.report import AttentionPair
    from evalharness.report.lineup import LineupCell
    from evalharness.results import StoredResult

    sample: dict[Any, Any] = run.samples.set_index("row_id").loc[row_id].to_dict()
    density = StoredResult(run.folder).map(row_id, MAIN_MAP)
    pair = AttentionPair(
        row_id, np.zeros((1, 1, 3), np.uint8), density, sample["label"], sample["pred_label"],
        float(sample["confidence"]), MAIN_MAP,
    )  # fmt: skip
    own = run.audit[(run.audit["row_id"] == row_id) & (run.audit["category"] == sample["distractor"])]
    remark = f"{own['share'].iloc[0]:.0%} of attention on the {sample['distractor']}" if len(own) else "no animal"
    return LineupCell(pair, remark)


def _print_where_to_look(
    runs: Sequence[DemoRun], config: RunConfig, figure: Path, sweep: str, repaired: Path | None
) -> None:
    guilty = runs[-1]
    lines = {
        "look first": str(figure),
        "the audit": str(guilty.folder / "figures" / "audit_pull.png"),
        "the maps": str(guilty.folder / "figures" / "trust.png"),
        **({"the repair": str(repaired / "figures")} if repaired else {}),
        "in MLflow": side_by_side(config.tracking, config.runs_dir, sweep),
    }
    for label, text in lines.items():
        console.print(f"{label + ':':<12}{text}", soft_wrap=True, markup=False)
    console.print("\ntry next:", markup=False)
    for command in _next_commands(runs, config):
        console.print(f"  {command}", soft_wrap=True, markup=False)


def _next_commands(runs: Sequence[DemoRun], config: RunConfig) -> list[str]:
    """Ready to be pasted: what a first hour goes on with."""
    guilty, clean = runs[-1], next(run for run in runs if run.name == "clean")
    program = "evalharness" if shutil.which("evalharness") else shlex.quote(sys.argv[0])
    photo = config.dataset.csv.parent / _find_cases(guilty)[-1][1]
    where = "" if config.runs_dir == Path("runs") else f" runs_dir={shlex.quote(str(config.runs_dir))}"
    return [
        f"{program} inspect {shlex.quote(str(photo))} --run {shlex.quote(str(guilty.folder))}{where}",
        f"{program} compare {shlex.quote(str(clean.folder))} {shlex.quote(str(guilty.folder))}{where}",
        f"{program} ui{where}",
    ]
