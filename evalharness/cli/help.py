"""`evalharness COMMAND --help`: usage, arguments, an example, and the keys of the config that the command reads."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evalharness.errors import ConfigError

WIDTH = 80
CONFIG_DIR = {"--config-dir DIR": "a folder of presets of your own, laid out like conf/"}
HYDRA_FLAGS = {
    "-m, --multirun": "a sweep: every combination of comma-separated values",
    "--cfg job": "print the composed config and start nothing",
    **CONFIG_DIR,
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
    ending: str = "Exit codes: 0 done, 1 failed, 2 wrong usage or config."


RUN_SECTIONS = (
    "model", "dataset", "attention", "audit", "faithfulness", "stress", "what_is_it", "concepts", "believe", "gate",
    "report", "bootstrap", "tracking", "runs_dir", "output_dir", "batch_size", "num_workers", "limit", "seed", "resume",
)  # fmt: skip
KEYS = "overrides one of the keys below"
RESULT = "a results folder (runs/results/...), or an MLflow run id"

PAGES = {
    "run": HelpPage(
        "evalharness run [-m] [key=value ...]",
        "Evaluates one fine-tuned Vision Transformer on a CSV of images, in one forward pass for verdicts and "
        "attention, and logs the run to MLflow. With -m, a sweep. After a kill the same command continues.",
        {
            "key=value": KEYS,
            "group=name": "chooses a preset; with --help, shows its keys",
            "hydra/launcher=NAME": "what runs a sweep's members: basic (one after the other), joblib, submitit_local, "
            "submitit_slurm or ray; README.md tells more",
        },
        HYDRA_FLAGS,
        (
            "evalharness run model.weights=run1.h5 dataset.csv=test.csv",
            "evalharness run -m model.weights=run1.h5,run2.h5 dataset.csv=test.csv",
        ),
        RUN_SECTIONS,
        "Exit codes: 0 done, 1 failed, 2 wrong usage or config, 3 finished, but a gate did not hold.",
    ),
    "check": HelpPage(
        "evalharness check [--config-dir DIR] [key=value ...]",
        "Validates config, CSV, images, annotations and weights without evaluating, and prints the model's structure. "
        "Takes what `run` takes; model.probe=N scores N images under every preprocessing.",
        {"key=value": "as for `run`"},
        CONFIG_DIR,
        ("evalharness check model.weights=run1.h5 dataset.csv=test.csv model.probe=64",),
        RUN_SECTIONS,
        "Exit codes: 0 no problem found, else that of the worst problem (1 a file, 2 the config).",
    ),
    "demo": HelpPage(
        "evalharness demo [num_photos=N] [key=value ...]",
        "Draws the bundled example's photos, evaluates three runs on them, audits them, says which one cheats, and "
        "repairs it.",
        {"num_photos=N": "photos to draw (600)", "key=value": "as for `run`"},
        {},
        ("evalharness demo", "evalharness demo num_photos=150 runs_dir=/tmp/demo"),
        ("runs_dir", "tracking"),
    ),
    "compare": HelpPage(
        "evalharness compare RUN RUN... [key=value ...]",
        "Compares finished runs on the same images, each against the first: what differs, is the difference real, and "
        "which images changed? Needs no model. Writes a folder with report.html, and logs it to MLflow.",
        {"RUN": RESULT, "key=value": KEYS},
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
        (
            "evalharness inspect photo.jpg --run sweep1/0",
            "evalharness inspect photos model.weights=run1.h5 model.classes=[cat,dog]",
        ),
        ("model", "dataset", "attention", "tracking", "runs_dir"),
        "Exit codes: 0 done, 1 failed, or an image cannot be read, 2 wrong usage or config.",
    ),
    "serve": HelpPage(
        "evalharness serve --run RUN [key=value ...]",
        "A bench: the model of an evaluation loads once and judges photos all day. A page takes them by drop, camera "
        "or from a folder and says believe, check or unknown; programs send them to POST /inspect. Every verdict is in "
        "a log before it is told. docs/serve.md tells more.",
        {"key=value": KEYS},
        {"--run RUN": f"the evaluation that judges: {RESULT}"},
        (
            "evalharness serve --run sweep1/0",
            "evalharness serve --run sweep1/0 serve.watch=incoming serve.keep=photos",
        ),
        ("serve", "model", "tracking", "runs_dir"),
        "Exit codes: 0 ended by Ctrl-C, 1 failed, 2 wrong usage or config.",
    ),
    "repair": HelpPage(
        "evalharness repair RUN repair.csv=TRAINING.csv [key=value ...]",
        "Mends a run that relies on the wrong thing: fits its head anew, the backbone as it is, on training photos "
        "with and without pasted cut-outs of what its audit, or its discovered concepts, found harmful; and proves it "
        "on the evaluated photos: repaired, better, or not better. Writes the repaired weights, and logs them to "
        "MLflow.",
        {"RUN": RESULT, "key=value": KEYS},
        {},
        (
            "evalharness repair sweep1/2 repair.csv=training_files.csv",
            "evalharness repair sweep1/2 repair.csv=train.csv repair.cutouts=cutouts",
        ),
        ("repair", "tracking", "runs_dir", "output_dir", "batch_size", "num_workers"),
        "Exit codes: 0 done (whatever the verdict), 1 failed, or nothing to repair, 2 wrong usage or config.",
    ),
    "log": HelpPage(
        "evalharness log RESULT [key=value ...]",
        "Uploads a finished results folder to MLflow as a new run: after a store was away, or to another store.",
        {"RESULT": "a results folder (runs/results/...)", "key=value": KEYS},
        {},
        ("evalharness log runs/results/run1-on-test-0123456789 runs_dir=elsewhere",),
        ("tracking", "runs_dir"),
    ),
    "export": HelpPage(
        "evalharness export RESULT --to DIR [maps=npz|tiff|none] [key=value ...]",
        "Writes a finished evaluation for other tools: tables as CSV, maps, embeddings, annotations as COCO. The "
        "log of a bench becomes the CSV of the next evaluation.",
        {
            "RESULT": f"{RESULT}, or the folder of a bench's log (runs/serve/...)",
            "maps=FORMAT": "npz (one file a map; the default), tiff (one file an image) or none",
            "key=value": KEYS,
        },
        {"--to DIR": "a new or empty folder, or that of an earlier export"},
        ("evalharness export sweep1/0 --to exported maps=tiff",),
        ("tracking", "runs_dir"),
    ),
    "ui": HelpPage(
        "evalharness ui [port=N] [key=value ...]",
        "Opens MLflow's UI on the configured store, for this machine only; Ctrl-C ends it.",
        {"port=N": "on 127.0.0.1 (5000)", "key=value": KEYS},
        {},
        ("evalharness ui", "evalharness ui runs_dir=/data/runs port=5001"),
        ("tracking", "runs_dir"),
    ),
}


def help_text(command: str, arguments: Sequence[str] = ()) -> str:
    """The page of a command, at most 80 columns wide.

    Args:
        command: Of `PAGES`.
        arguments: `model=custom` among them shows the keys of that preset.

    Raises:
        ConfigError: There is no such preset.
    """
    page = PAGES[command]
    flags = {**page.flags, "-h, --help": "this page"}
    parts = [f"usage: {page.usage}", textwrap.fill(page.about, WIDTH)]
    parts += [_table(title, rows) for title, rows in (("arguments", page.arguments), ("flags", flags)) if rows]
    parts.append("\n".join(["examples:", *(f"  {example}" for example in page.examples)]))
    chosen = _chosen_presets(arguments)
    if "model" in page.sections:
        hint = f"`evalharness {command} --help model=custom` shows the keys of another preset than the default."
        parts.append("\n".join(["presets (group=name):", *_presets(), textwrap.fill(hint, WIDTH)]))
    keys = "\n".join(line for name in page.sections for line in _section(name, chosen))
    parts.append(f"keys, with their defaults (`???`: to be given):\n{keys}")
    return "\n\n".join([*parts, textwrap.fill(page.ending, WIDTH)]) + "\n"


def _table(title: str, rows: dict[str, str]) -> str:
    width = max(map(len, rows)) + 2
    lines = [
        textwrap.fill(text, WIDTH, initial_indent=f"  {name:<{width}}", subsequent_indent=" " * (width + 2))
        for name, text in rows.items()
    ]
    return "\n".join([f"{title}:", *lines])


def _presets() -> Iterator[str]:
    for group, names in _groups().items():
        indent = " " * (len(group) + 4)
        yield textwrap.fill(", ".join(names), WIDTH, initial_indent=f"  {group}: ", subsequent_indent=indent)


def _groups() -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for path in sorted(_conf().rglob("*.yaml")):
        group = path.relative_to(_conf()).parent.as_posix()
        if group != "." and not group.startswith("hydra"):
            groups.setdefault(group, []).append(path.stem)
    return groups


def _chosen_presets(arguments: Sequence[str]) -> dict[str, str]:
    """The default preset of each group, or the one that the arguments name."""
    lines = (line.removeprefix("  - ").partition(": ") for line in _block(_conf() / "config.yaml", "defaults")[1:])
    groups = _groups()
    named = {group: preset for group, _, preset in (argument.partition("=") for argument in arguments)}
    for group in set(named) & set(groups):
        if named[group] not in groups[group]:
            raise ConfigError(
                "unknown preset", expected=f"one of {', '.join(groups[group])}", got=named[group], where=group
            )
    chosen = {group: preset.strip() for group, _, preset in lines if group in groups}
    return {**chosen, **{group: preset for group, preset in named.items() if group in groups}}


def _section(name: str, chosen: dict[str, str]) -> Iterator[str]:
    """A top-level key with its comments, as the chosen preset and `config.yaml` have them."""
    lines = _block(_conf() / "config.yaml", name)
    if name in chosen:
        # What config.yaml adds stands behind what the preset has.
        own = _keys_of_preset(name, chosen[name])
        head = [line for line in own.values() if not line.startswith("head:")]
        lines = [f"{name}: # preset {chosen[name]}", *(f"  {line}" for line in head), *_head(name, chosen), *lines[1:]]
    for line in lines:
        yield from _wrapped(line)


def _keys_of_preset(group: str, preset: str) -> dict[str, str]:
    """A preset's lines by key; a line without a comment has that of another preset, first of the default one."""
    usual = _chosen_presets(())[group]
    others = [_own_lines(group, other) for other in (usual, *_groups()[group])]
    keys = {}
    for key, line in _own_lines(group, preset).items():
        told = (" # " + lines[key].partition(" # ")[2] for lines in others if " # " in lines.get(key, ""))
        keys[key] = line if " # " in line else line + next(told, "")
    return keys


def _own_lines(group: str, preset: str) -> dict[str, str]:
    keys: dict[str, str] = {}
    for line in (_conf() / group / f"{preset}.yaml").read_text(encoding="utf-8").splitlines():
        if line.startswith("  - ") and ":" not in line:
            keys |= _own_lines(group, line.removeprefix("  - ").strip())
        key, colon, _ = line.partition(":")
        if colon and not line.startswith(("#", " ")) and key != "defaults":
            keys[key] = line
    return keys


def _head(name: str, chosen: dict[str, str]) -> Iterator[str]:
    """The head that a preset of `model` comes with, in the words of its own preset."""
    text = (_conf() / name / f"{chosen[name]}.yaml").read_text(encoding="utf-8")
    usual = [line.partition("- head: ")[2].strip() for line in text.splitlines() if "- head: " in line]
    if usual:
        group = f"{name}/head"
        preset = chosen.get(group, usual[0])
        about = (_conf() / group / f"{preset}.yaml").read_text(encoding="utf-8").splitlines()[1]
        yield f"  head: [...] # as {group}={preset}: {about.removeprefix('# ')}"


def _block(path: Path, name: str) -> list[str]:
    """The lines of a key and what is indented below it."""
    found: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if found and (not line.startswith(" ") or not line.strip()):
            break
        if found or line.startswith(f"{name}:"):
            found.append(line)
    return found


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
