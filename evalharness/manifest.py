"""`manifest.json`: written last, so that its presence means that a results folder is complete."""

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evalharness.errors import ResultsError

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
SAMPLES = "samples.parquet"
JUDGE, JUDGED = "judge.npz", "judged.parquet"
"""What judges new photos, and what it says of the evaluated ones."""
MAX_NAMED_CLASSES = 10
REWRITE = "Delete that file and repeat the evaluation: finished rows are kept"


def is_complete(folder: Path) -> bool:
    """Whether the folder holds a finished evaluation."""
    return (folder / MANIFEST).is_file() and (folder / SAMPLES).is_file()


def holds_results(folder: Path, fingerprint: str, request: str) -> bool:
    """Whether the folder holds a finished evaluation of this very recipe, examined and drawn as requested."""
    if not is_complete(folder):
        return False
    manifest = read_manifest(folder)
    return (manifest["fingerprint"], manifest["request"]) == (fingerprint, request)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Reads the manifest of a finished evaluation.

    Raises:
        ResultsError: The folder is missing, unfinished, damaged, of another schema, or not of an evaluation.
    """
    path = folder / MANIFEST
    if not path.is_file():
        state = "an unfinished evaluation" if (folder / "recipe.json").is_file() else "no results"
        raise ResultsError(
            "results cannot be read",
            expected=f"a folder with {MANIFEST}",
            got=state,
            where=folder,
            fix="Repeat the evaluation with the same settings: it continues where it stopped",
        )
    manifest = read_json(path)
    if manifest.get("task") in ("comparison", "repair"):
        raise ResultsError(
            "results cannot be read",
            expected="the folder of an evaluation",
            got=f"a {manifest['task']}",
            where=folder,
            fix="Folders of evaluations are under runs/results",
        )
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise ResultsError(
            "results are of another version",
            expected=f"schema {SCHEMA_VERSION}",
            got=manifest.get("schema_version"),
            where=path,
            fix="Evaluate again, or use the version of evalharness that wrote them",
        )
    return manifest


def read_output(folder: Path, task: str) -> dict[str, Any]:
    """Reads the manifest of a finished comparison or repair.

    Args:
        folder: Of it.
        task: `comparison` or `repair`.

    Raises:
        ResultsError: There is none that is finished, or it is damaged.
    """
    path = folder / MANIFEST
    manifest = read_json(path) if path.is_file() else {}
    if manifest.get("task") != task:
        raise ResultsError(f"no {task}", expected=f"a folder with {MANIFEST} of a {task}", where=folder)
    return manifest


def check_output(folder: Path, task: str) -> None:
    """Refuses to write over anything but an earlier comparison, or repair.

    Args:
        folder: Where to write.
        task: `comparison` or `repair`.

    Raises:
        ResultsError: The folder holds something else.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    manifest = folder / MANIFEST
    if manifest.is_file() and read_json(manifest).get("task") == task:
        return
    raise ResultsError(
        f"output_dir is not a {task}",
        expected=f"an empty or new folder, or an earlier {task}",
        got="other files" if folder.is_dir() else "a file",
        where=folder,
        fix="Choose another output_dir",
    )


@contextmanager
def replacing(folder: Path, task: str, *parts: str) -> Iterator[Path]:
    """Gives an empty folder to write to, which takes the place of an earlier comparison or repair once it is whole.

    Args:
        folder: Where to write.
        task: `comparison` or `repair`.
        parts: Folders in it.

    Raises:
        ResultsError: The folder holds something else.
    """
    check_output(folder, task)
    folder = folder.absolute()
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name in parts:
        (partial / name).mkdir(parents=True)
    yield partial
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def stage_sentences(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Title and sentence of each stage that found something, in the order in which they are told.

    Args:
        manifest: Of an evaluation.
    """
    if "sentences" in manifest:
        return [(entry["title"], entry["text"]) for entry in manifest["sentences"]]
    # Of an evaluation that was written before stages told their own.
    findings = manifest["findings"]
    titles = {
        "regions": "Audit", "noise": "Noise and mistakes", "stress": "Stress test",
        "before_after": "Before and after fine-tuning", "what_is_it": "What is it?",
    }  # fmt: skip
    told = [(title, found["sentence"]) for name, title in titles.items() if (found := findings.get(name))]
    if findings["trust"]:
        first = findings["trust"][0]
        told.insert(bool(findings["regions"]), (f"Map {first['map_id']}", f"{first['verdict']}."))
    return [(title, text) for title, text in told if text]


def found_concepts(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What an evaluation keeps of its discovered concepts; none where they were not looked for.

    Args:
        manifest: Of the evaluation.
    """
    return list((manifest["findings"].get("concepts") or {}).get("concepts", ()))


def known_pulls(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The tested cells of annotated distractors; of discovered concepts that are no objects where none was annotated.

    Args:
        manifest: Of an evaluation.
    """
    regions = manifest["findings"].get("regions") or {}
    if not (cells := regions.get("pull", [])):
        told = {entry["name"] for entry in found_concepts(manifest) if entry["role"] == "distractor"}
        found = (manifest["findings"].get("concepts") or {}).get("pull", ())
        cells = [cell for cell in found if cell["category"] in told]
    return [cell for cell in cells if cell["is_significant"] is not None]


def strongest_pull(manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The largest significant one of `known_pulls`; None where none is significant.

    Args:
        manifest: Of an evaluation.
    """
    cells = [cell for cell in known_pulls(manifest) if cell["is_significant"]]
    return max(cells, key=lambda cell: float(cell["pull"]["value"]), default=None)


def describe_averages(manifest: Mapping[str, Any]) -> str:
    """Over which classes averages run, and what the others do to the numbers; empty where every class has rows.

    Args:
        manifest: Of an evaluation.
    """
    classes, averaged = manifest["classes"], manifest.get("averaged_classes")
    # An evaluation that was written before averages left out what does not occur.
    if averaged is None:
        return ""
    with_rows, sentences = manifest["classes_with_rows"], []
    if absent := [name for name in classes if name not in averaged]:
        verb = "does" if len(absent) == 1 else "do"
        sentences.append(
            f"Averages over {len(averaged)} of {len(classes)} classes: {name_classes(absent)} {verb} not occur."
        )
    if without := [name for name in averaged if name not in with_rows]:
        sentences.append(
            f"Among the verdicts but not among the labels: {name_classes(without)}; zero in macro precision, "
            "recall and F1, left out of balanced accuracy and ROC AUC."
        )
    if len(with_rows) == 1:
        sentences.append(
            f"All rows are of one class, {with_rows[0]}: ROC AUC is undefined, and the Matthews correlation (mcc) is 0 "
            "by convention."
        )
    return " ".join(sentences)


def name_classes(names: Sequence[str]) -> str:
    """The names with commas, the first ten of many."""
    more = f" and {len(names) - MAX_NAMED_CLASSES} more" if len(names) > MAX_NAMED_CLASSES else ""
    return ", ".join(names[:MAX_NAMED_CLASSES]) + more


def read_json(path: Path, *, fix: str = REWRITE) -> dict[str, Any]:
    """Reads a file that `write_json` wrote.

    Args:
        path: Of the file.
        fix: What to do if it is damaged.

    Raises:
        ResultsError: It is damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise damaged(path, fix=fix) from error
    if not isinstance(content, dict):
        raise damaged(path, fix=fix)
    return content


def damaged(path: Path, *, fix: str = REWRITE) -> ResultsError:
    """What to say of a file of the results folder that cannot be read."""
    return ResultsError(
        "results are damaged",
        expected="the file as evalharness wrote it",
        got="missing" if not path.is_file() else f"{path.stat().st_size} bytes that cannot be read",
        where=path,
        fix=fix,
    )


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes JSON so that the file is either the old one or the whole new one. NaN becomes null."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(_without_nan(value), file, indent=1, ensure_ascii=False, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
