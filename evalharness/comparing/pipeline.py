"""The story of a comparison, from finished runs to a verdict and a logged run. Needs no model and no TensorFlow."""

from collections.abc import Sequence
from pathlib import Path

from evalharness import tracking
from evalharness.comparing.compared_runs import RunToCompare
from evalharness.comparing.findings import ComparisonFindings, examine
from evalharness.comparing.finished_comparison import Comparison
from evalharness.comparing.folder import default_folder, write_comparison
from evalharness.config.compose import compose_section
from evalharness.errors import ConfigError
from evalharness.finished_runs import check_names, find_runs
from evalharness.manifest import check_output
from evalharness.results import StoredResult

KEYS = ("tracking", "compare", "runs_dir", "output_dir")


def compare(runs: Sequence[str | Path | StoredResult], overrides: Sequence[str] = ()) -> Comparison:
    """Compares finished evaluations on the same images, each with the first (or `compare.reference`), and logs it.

    Args:
        runs: Two or more: results folders, MLflow run ids, or results.
        overrides: As on the command line: `compare.…`, `tracking.…`, `runs_dir=…`, `output_dir=…`.

    Raises:
        ConfigError: Fewer than two runs, no such run, or a setting that cannot be used.
        ResultsError: Unfinished results, or runs that cannot be compared; the message names the fields.
        TrackingError: The store cannot be reached; the comparison's folder is complete all the same.
    """
    values = compose_section(overrides, *KEYS)
    tracked, config, runs_dir, output_dir = (values[key] for key in KEYS)
    names = [str(run.folder) if isinstance(run, StoredResult) else str(run) for run in runs]
    if len(names) < 2:
        raise ConfigError(
            "nothing to compare", expected="two or more runs", got=len(names),
            fix="Usage: evalharness compare RUN RUN... (MLflow run ids or results folders)",
        )  # fmt: skip
    check_names(names)
    if output_dir:
        check_output(output_dir, "comparison")
    store = tracking.open_store(tracked, runs_dir)
    found = [RunToCompare.of(run) for run in find_runs(names, store, runs_dir)]
    findings = examine(reference_first(found, names, config.reference), config)
    folder = output_dir or default_folder(runs_dir, findings)
    write_comparison(folder, findings)
    with tracking.start_run(store, name=comparison_name(findings), config=tracked) as run_id:
        written = Comparison.load(folder, run_id)
        tracking.upload_comparison(store, run_id, folder, written.manifest)
    return written


def reference_first(
    runs: Sequence[RunToCompare], names: Sequence[str], reference: str | None
) -> tuple[RunToCompare, ...]:
    """The runs with the reference before the others.

    Args:
        runs: As found.
        names: As given, in the same order.
        reference: One of the names, or the name of a run; None: the first.

    Raises:
        ConfigError: No run is called so.
    """
    if reference is None:
        return tuple(runs)
    for run, name in zip(runs, names, strict=True):
        if reference in (name, run.name, run.run_id, run.result.folder.name):
            return (run, *(other for other in runs if other is not run))
    raise ConfigError(
        "no such reference", expected=f"one of {', '.join(run.name for run in runs)}", got=reference,
        where="compare.reference",
    )  # fmt: skip


def comparison_name(findings: ComparisonFindings) -> str:
    """Shown in MLflow."""
    return f"{' and '.join(pair.name for pair in findings.pairs)} against {findings.reference.name}"
