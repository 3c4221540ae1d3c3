"""The Markdown that MLflow shows at the top of a run."""

from fnmatch import fnmatchcase
from urllib.parse import quote

from evalharness.config import preprocessing_text
from evalharness.manifest import describe_averages, stage_sentences
from evalharness.tracking.finished_evaluation import FinishedEvaluation
from evalharness.tracking.run_fields import WITH_INTERVAL

TITLES = {"accuracy": "accuracy", "macro_f1": "macro F1", "ece": "calibration error"}
WHERE_TO_LOOK = """\
**Where it looked:** photo beside map, of the same images in every run, are image charts of *Compare* (`overlay/...`). \
*Artifacts → figures* holds the worst mistakes, the confusion matrix, the calibration curve, the prediction grid and \
more sheets; *results* every number, and `report.html`: all images, to sort \
and filter; `samples.json` a row per image."""
_ESCAPED = str.maketrans(
    {character: f"\\{character}" for character in r"\`*_{}[]()#+-.!|~"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
)


def describe(evaluation: FinishedEvaluation, run_id: str) -> str:
    """The three numbers that matter with their intervals, all numbers in a table, and where to look."""
    manifest = evaluation.manifest
    lines = [f"{_headline(evaluation)}.", "", _counted(evaluation), ""]
    if averages := describe_averages(manifest):
        lines += [f"{escaped(averages)}\n"]
    lines += [f"> **Warning:** {escaped(' '.join(warning.split()))}\n" for warning in manifest["warnings"]]
    lines += [f"{sentence}\n" for sentence in _findings(evaluation)]
    percent = f"{100 * evaluation.config['bootstrap']['confidence']:g} % interval"
    lines += [f"| metric | value | {percent} |", "| --- | --- | --- |"]
    lines += [
        f"| {escaped(name)} | {_number(manifest['metrics'].get(name))} | {_interval(evaluation, name)} |"
        for name in manifest["intervals"]
    ]
    pictures = [
        f"![{name}](get-artifact?path={quote(f'figures/{name}', safe='')}&run_uuid={run_id})"
        for name in _pictures(evaluation)
    ]
    return "\n".join([*lines, "", "\n\n".join(pictures), "", WHERE_TO_LOOK])


def _findings(evaluation: FinishedEvaluation) -> list[str]:
    """What each stage found, a sentence each; gates that do not hold first."""
    broken = evaluation.manifest["findings"]["broken_gates"]
    return [
        *(f"**Gate does not hold:** {escaped(text)}" for text in broken),
        *(f"**{escaped(title)}:** {escaped(text)}" for title, text in stage_sentences(evaluation.manifest)),
    ]


def _pictures(evaluation: FinishedEvaluation) -> list[str]:
    """The worst mistakes with the first map beside them, and the confusion matrix.

    Where nothing is wrong, or in results of earlier versions, another sheet of the first map: the last by name.
    """
    names = [path.name for path in evaluation.figures]
    sheets = (
        ["worst_mistakes.png"]
        if "worst_mistakes.png" in names
        else [
            name
            for map_id in evaluation.map_ids[:1]
            for name in sorted(names)
            if fnmatchcase(name, f"pairs_*.{map_id}.png")
        ]
    )
    return [name for name in (*sheets[-1:], "confusion_matrix.png") if name in names]


def _headline(evaluation: FinishedEvaluation) -> str:
    metrics = evaluation.manifest["metrics"]
    parts = [
        f"**{TITLES[name]} {_number(metrics[name])}** ({_interval(evaluation, name)})"
        for name in WITH_INTERVAL
        if name in metrics
    ]
    return ", ".join(parts)


def _counted(evaluation: FinishedEvaluation) -> str:
    manifest, recipe = evaluation.manifest, evaluation.recipe
    skipped = f" ({manifest['num_skipped']} skipped)" if manifest["num_skipped"] else ""
    maps = ", ".join(f"`{map_id}`" for map_id in evaluation.map_ids) or "none"
    preprocessing = preprocessing_text(recipe["input"]["preprocessing"])
    return (
        f"{manifest['num_evaluated']} images of {escaped(evaluation.dataset_name)}{skipped}; weights "
        f"{escaped(evaluation.weights_name)}, preprocessing `{preprocessing}`; maps: {maps}."
    )


def _interval(evaluation: FinishedEvaluation, name: str) -> str:
    low, high = evaluation.manifest["intervals"].get(name, (None, None))
    return "undefined" if low is None or high is None else f"{_number(low)} to {_number(high)}"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def escaped(text: str) -> str:
    """A name of the user's as text, not as markup."""
    return text.translate(_ESCAPED)
