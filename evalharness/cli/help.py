"""`evalharness COMMAND --help`: usage, arguments, an example, and the keys of the config that the command reads."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

WIDTH = 80
HYDRA_FLAGS = {
    "-m, --multirun": "a sweep: every combination of comma-separated values",
    "--cfg job": "print the composed config and start nothing",
    "--config-dir DIR": "a folder of presets of your own, laid out like conf/",
    "--hydra-help": "all of Hydra's flags",
}


@dataclass(frozen=True)
class HelpPage:
    """What there is to say of a command."""

    usage: str
    about: str
    arguments: dict[str, str] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)
    examples: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    """Top-level keys of the config that the command reads."""
    ending: str = ""


RUN_SECTIONS = (
    "model", "dataset", "attention", "audit", "faithfulness", "stress", "what_is_it", "gate", "report", "bootstrap",
    "tracking", "runs_dir", "output_dir", "batch_size", "num_workers", "limit", "seed", "resume",
)  # fmt: skip
RESULT = "a results folder (runs/results/...), or an MLflow run id"

PAGES = {
    "run": HelpPage(
        "evalharness run [-m] [key=value ...]",
        "Evaluates one fine-tuned Vision Transformer on a CSV of images, in one forward pass for verdicts and "
        "attention, and logs the run to MLflow. With -m, a sweep. After a kill the same command continues.",
        {"key=value": "overrides the config below; group=name chooses a preset"},
        HYDRA_FLAGS,
        (
            "evalharness run model.weights=run1.h5 dataset.csv=test.csv",
            "evalharness run -m model.weights=run1.h5,run2.h5 dataset.csv=test.csv",
        ),
        RUN_SECTIONS,
        "Exit codes: 0 done, 1 failed, 2 wrong usage or config, 3 finished, but a gate did not hold.",
    ),
    "check": HelpPage(
        "evalharness check [key=value ...]",
        "Validates config, CSV, images, annotations and weights without evaluating, and prints the model's structure. "
        "Takes what `run` takes; model.probe=N scores N images under every preprocessing.",
        {"key=value": "as for `run`"},
        {},
        ("evalharness check model.weights=run1.h5 dataset.csv=test.csv model.probe=64",),
        RUN_SECTIONS,
        "Exit codes: 0 no problem found, else that of the worst problem (1 a file, 2 the config).",
    ),
    "demo": HelpPage(
        "evalharness demo [num_photos=N] [key=value ...]",
        "Draws the bundled example's photos, evaluates three runs on them, audits them, and says which one cheats.",
        {"num_photos=N": "photos to draw (600)", "key=value": "as for `run`"},
        {},
        ("evalharness demo", "evalharness demo num_photos=150 runs_dir=/tmp/demo"),
        ("runs_dir", "tracking"),
    ),
    "compare": HelpPage(
        "evalharness compare RUN RUN... [key=value ...]",
        "Compares finished runs on the same images, each against the first: what differs, is the difference real, and "
        "which images changed? Needs no model. Writes a folder with report.html, and logs it to MLflow.",
        {"RUN": RESULT},
        {},
        ("evalharness compare sweep1/0 sweep1/1", "evalharness compare sweep1/* compare.reference=sweep1/2"),
        ("compare", "tracking", "runs_dir", "output_dir"),
    ),
    "inspect": HelpPage(
        "evalharness inspect IMAGE... [--run RUN] [key=value ...]",
        "Verdict, confidence and attention map of single images; with --run, judged by a stored evaluation: "
        "calibrated confidence, unlike the evaluated images, noisy map.",
        {
            "IMAGE": "an image file, or a folder of them",
            "object=x,y,w,h": "box of the object, in pixels of the file: how much of the attention is on it?",
            "top_k=N": "how many classes to name (3)",
            "key=value": "as for `run`; model.classes=[...] where no --run tells the classes",
        },
        {
            "--run RUN": f"an evaluation of the same model: {RESULT}",
            "--json": "for machines, on standard output",
            "--to DIR": "where the pictures go (runs_dir/inspected)",
        },
        ("evalharness inspect photo.jpg --run sweep1/0",),
        ("model", "dataset", "attention"),
        "Exit codes: 0 done, 1 an image cannot be read, 2 wrong usage or config.",
    ),
    "log": HelpPage(
        "evalharness log RESULT [key=value ...]",
        "Uploads a finished results folder to MLflow as a new run: after a store was away, or to another store.",
        {"RESULT": "a results folder"},
        {},
        ("evalharness log runs/results/run1-on-test-0123456789 runs_dir=elsewhere",),
        ("tracking", "runs_dir"),
    ),
    "export": HelpPage(
        "evalharness export RESULT --to DIR [maps=npz|tiff|none] [key=value ...]",
        "Writes a finished evaluation for other tools: tables as CSV, maps, embeddings, annotations as COCO.",
        {"RESULT": RESULT, "maps=FORMAT": "npz (one file a map), tiff (one file an image) or none"},
        {"--to DIR": "a new or empty folder, or that of an earlier export"},
        ("evalharness export sweep1/0 --to exported maps=tiff",),
        ("tracking", "runs_dir"),
    ),
    "ui": HelpPage(
        "evalharness ui [port=N] [key=value ...]",
        "Opens MLflow's UI on the configured store, for this machine only; Ctrl-C ends it.",
        {"port=N": "on 127.0.0.1 (5000)"},
        {},
        ("evalharness ui", "evalharness ui runs_dir=/data/runs port=5001"),
        ("tracking", "runs_dir"),
    ),
}


def help_text(command: str) -> str:
    """The page of a command, at most 80 columns wide."""
    page = PAGES[command]
    parts = [f"usage: {page.usage}", textwrap.fill(page.about, WIDTH)]
    parts += [_table(title, rows) for title, rows in (("arguments", page.arguments), ("flags", page.flags)) if rows]
    parts.append("\n".join(["examples:", *(f"  {example}" for example in page.examples)]))
    if "model" in page.sections:
        parts.append("\n".join(["presets (group=name):", *_presets()]))
    if page.sections:
        keys = "\n".join(line for name in page.sections for line in _section(name))
        parts.append(f"keys, with their defaults (`???`: to be given):\n{keys}")
    return "\n\n".join([*parts, *([textwrap.fill(page.ending, WIDTH)] if page.ending else [])]) + "\n"


def _table(title: str, rows: dict[str, str]) -> str:
    width = max(map(len, rows)) + 2
    lines = [
        textwrap.fill(text, WIDTH, initial_indent=f"  {name:<{width}}", subsequent_indent=" " * (width + 2))
        for name, text in rows.items()
    ]
    return "\n".join([f"{title}:", *lines])


def _presets() -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for path in sorted(_conf().rglob("*.yaml")):
        group = path.relative_to(_conf()).parent.as_posix()
        if group != "." and not group.startswith("hydra"):
            groups.setdefault(group, []).append(path.stem)
    for group, names in groups.items():
        indent = " " * (len(group) + 4)
        yield textwrap.fill(", ".join(names), WIDTH, initial_indent=f"  {group}: ", subsequent_indent=indent)


def _section(name: str) -> Iterator[str]:
    """A top-level key with its comments, as the preset that is the default and `config.yaml` have them."""
    lines = _block(_conf() / "config.yaml", name)
    preset = _default_preset(name)
    if preset is not None:
        # What config.yaml adds stands behind what the preset has.
        own = [line for line in preset.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
        start = own.index("defaults:") if "defaults:" in own else None
        if start is not None:
            own = own[:start] + own[start + 1 + sum(line.startswith("  -") for line in own) :]
        lines = [f"{name}: # {preset.stem}", *(f"  {line}" for line in own), *lines[1:]]
    for line in lines:
        yield from _wrapped(line)


def _block(path: Path, name: str) -> list[str]:
    """The lines of a key and what is indented below it."""
    found: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if found and (not line.startswith(" ") or not line.strip()):
            break
        if found or line.startswith(f"{name}:"):
            found.append(line)
    return found


def _default_preset(name: str) -> Path | None:
    for line in _block(_conf() / "config.yaml", "defaults"):
        group, _, preset = line.removeprefix("  - ").partition(": ")
        if group == name:
            return _conf() / name / f"{preset.strip()}.yaml"
    return None


def _wrapped(line: str) -> Iterator[str]:
    """The line, its comment broken where it would be wider than the page."""
    if len(line) + 2 <= WIDTH or " # " not in line:
        yield f"  {line}"
        return
    key, _, comment = line.partition(" # ")
    indent = " " * (len(key) - len(key.lstrip()) + 2)
    for text in textwrap.wrap(comment, WIDTH - len(indent) - 2):
        yield f"{indent}# {text}"
    yield f"  {key}"


def _conf() -> Path:
    from evalharness.config.folder import conf_dir

    return conf_dir()
