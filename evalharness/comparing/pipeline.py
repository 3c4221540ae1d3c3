"""The story of a comparison, from finished runs to a verdict and a logged run. Needs no model and no TensorFlow."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from evalharness import comparison, tracking
from evalharness.audit import Resampling
from evalharness.comparing.compared_runs import StoredRun, check_names, find_runs
from evalharness.comparing.comparison_files import Findings, check_comparison_folder, flip_picture, write_comparison
from evalharness.config.compose import compose_section
from evalharness.config.schema import CompareConfig
from evalharness.errors import ConfigError, ResultsError
from evalharness.metrics.predictions import Predictions
from evalharness.results import StoredResult, fingerprint
from evalharness.results.manifest import MANIFEST
from evalharness.slugs import slug

KEYS = ("tracking", "compare", "runs_dir", "output_dir")
MAX_NAME = 30


@dataclass(frozen=True)
class Comparison:
    """A finished comparison, read from its folder.

    `Comparison.load(folder)` reads one again.
    """

    folder: Path
    manifest: dict[str, Any]
    headline: pd.DataFrame
    """A row per run and metric: `reference, value, difference, ci_low, ci_high`."""
    per_class: pd.DataFrame
    """The same per class, for recall, precision and F1."""
    calibration: pd.DataFrame
    """A row per run and confidence bin."""
    predictions: pd.DataFrame
    """A row per image: each run's verdict and confidence."""
    flips: pd.DataFrame
    """A row per run and image of which exactly one of the two is right; `kind` is broken or fixed."""
    map_similarity: pd.DataFrame
    """A row per run, map and image: Spearman's rank correlation with the reference's map."""
    regions: pd.DataFrame
    """A row per run, map, category and measure of the audit."""
    pull: pd.DataFrame
    """A row per run, category and class."""
    settings: pd.DataFrame
    """The settings that differ, a column per run."""
    run_id: str | None = None
    """Of MLflow."""

    @classmethod
    def load(cls, folder: Path, run_id: str | None = None) -> "Comparison":
        """Reads a comparison's folder.

        Raises:
            ResultsError: There is no finished comparison in it.
        """
        path = Path(folder) / MANIFEST
        manifest = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if manifest.get("task") != "comparison":
            raise ResultsError("no comparison", expected=f"a folder with {MANIFEST} of a comparison", where=folder)
        tables = {
            name.removesuffix(".csv"): pd.read_csv(
                Path(folder) / name, dtype={"row_id": str, "label": str, "class": str}, keep_default_na=False,
                na_values=[""],
            )
            for name in manifest["tables"]
        }  # fmt: skip
        return cls(Path(folder), manifest, **tables, run_id=run_id)

    @property
    def sentence(self) -> str:
        """Better, worse, cannot tell, or no difference; for every run but the reference."""
        return str(self.manifest["sentence"])

    @property
    def remarks(self) -> list[str]:
        """What else is worth saying: of the audit, of the maps, and what could not be compared."""
        return list(self.manifest["remarks"])

    def show(self, row_id: str, map_id: str | None = None) -> Image.Image:
        """The photo, then each run's map of it, all on one scale; from the runs' results, which must still be there.

        Args:
            row_id: The image's key.
            map_id: Default: the first map of the comparison.

        Raises:
            ResultsError: No such image or map, or a run's results are gone (`flips/` has pictures of the flips).
        """
        runs = [StoredRun(run["name"], StoredResult(Path(run["folder"]))) for run in self.manifest["runs"]]
        shown = map_id or next(iter(self.manifest["map_ids"]), None)
        return Image.fromarray(flip_picture(runs, row_id, shown))


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
        check_comparison_folder(output_dir)
    store = tracking.open_store(tracked, runs_dir)
    found = reference_first(find_runs(names, store, runs_dir), names, config.reference)
    findings = examine(found, config)
    folder = output_dir or default_folder(runs_dir, findings)
    write_comparison(folder, findings)
    with tracking.start_run(store, name=comparison_name(findings), config=tracked) as run_id:
        tracking.upload_comparison(store, run_id, folder, Comparison.load(folder).manifest)
    return Comparison.load(folder, run_id)


def examine(runs: Sequence[StoredRun], config: CompareConfig) -> Findings:
    """Everything that is computed: pairs, per-class changes, audit and maps.

    Args:
        runs: The reference first.
        config: The `compare` section.

    Raises:
        ResultsError: The runs cannot be compared.
    """
    reference = runs[0]
    alignment = comparison.align_runs([run.compared for run in runs], config.maps)
    groups = [reference.compared.groups[position] for position in alignment.positions[0]]
    bootstrap = reference.config.bootstrap
    resampling = Resampling(bootstrap.num_resamples, bootstrap.confidence, reference.config.seed)
    predictions = _predictions(runs, alignment)
    pairs = comparison.compare_predictions(
        predictions,
        class_names=reference.compared.classes,
        groups=groups,
        resampling=resampling,
        min_difference=config.min_difference,
    )
    similarities = _compare_maps(runs, alignment, predictions, groups, resampling)
    regions, pull, unlike_regions = _compare_regions(runs, alignment, groups, resampling)
    return Findings(
        runs=tuple(runs),
        alignment=alignment,
        predictions=predictions,
        pairs=pairs,
        similarities=similarities,
        regions=regions,
        pull=pull,
        verdicts=tuple(comparison.describe_pair(pair, len(pairs)) for pair in pairs),
        remarks=_remarks(alignment, regions, similarities, unlike_regions, reference.name),
        resampling=resampling,
        config=config,
    )


def reference_first(runs: Sequence[StoredRun], names: Sequence[str], reference: str | None) -> tuple[StoredRun, ...]:
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


def comparison_name(findings: Findings) -> str:
    """Shown in MLflow."""
    return f"{' and '.join(pair.name for pair in findings.pairs)} against {findings.reference.name}"


def default_folder(runs_dir: Path, findings: Findings) -> Path:
    """`runs_dir`/comparisons/<runs>-<digest>: one folder for the same runs under the same settings."""
    digest = fingerprint(
        {
            "runs": [str(run.result.manifest["fingerprint"]) for run in findings.runs],
            "compare": findings.config.model_dump(mode="json", exclude={"reference"}),
        }
    )
    names = [slug(run.name.split(" ")[0].removesuffix(".h5"))[:MAX_NAME] for run in findings.runs[:3]]
    return runs_dir / "comparisons" / f"{'-vs-'.join(names)}-{digest[:10]}"


def _predictions(runs: Sequence[StoredRun], alignment: comparison.Alignment) -> dict[str, Predictions]:
    classes = runs[0].compared.classes
    found = {}
    for run, positions in zip(runs, alignment.positions, strict=True):
        labels = np.array([classes.index(run.compared.labels[position]) for position in positions])
        found[run.name] = Predictions(labels, comparison.align_probs(run.compared, positions, classes))
    return found


def _compare_maps(
    runs: Sequence[StoredRun],
    alignment: comparison.Alignment,
    predictions: dict[str, Predictions],
    groups: Sequence[str],
    resampling: Resampling,
) -> tuple[comparison.MapSimilarity, ...]:
    if alignment.unlike_maps is not None:
        return ()
    reference, found = runs[0], []
    for map_id in alignment.map_ids:
        before = reference.result.maps(map_id)[alignment.positions[0]]
        for run, positions in zip(runs[1:], alignment.positions[1:], strict=True):
            flipped = np.concatenate(comparison.flips(predictions[reference.name], predictions[run.name]))
            method = str(reference.compared.maps[map_id]["method"])
            found.append(
                comparison.compare_maps(
                    map_id,
                    before,
                    run.result.maps(map_id)[positions],
                    name=run.name,
                    flipped=flipped,
                    groups=groups,
                    resampling=resampling,
                    same_by_construction=comparison.why_same(method, reference.compared, run.compared),
                )
            )
    return tuple(found)


def _compare_regions(
    runs: Sequence[StoredRun], alignment: comparison.Alignment, groups: Sequence[str], resampling: Resampling
) -> tuple[tuple[comparison.RegionChange, ...], pd.DataFrame, list[str]]:
    """Changes of the audit, the pull of every run whose audit is compared, and why what was not compared was not."""
    reference, found, unlike = runs[0], list[comparison.RegionChange](), []
    before, audited = reference.audit_table("audit"), [reference]
    for run in runs[1:]:
        after = run.audit_table("audit")
        if before is None and after is None:
            continue
        if before is None or after is None:
            without = reference if before is None else run
            unlike.append(f"The audit was not compared: {without.name} has no annotated regions.")
        elif run.audit_key != reference.audit_key:
            fields = [name for name, value in reference.audit_key.items() if run.audit_key.get(name) != value]
            unlike.append(f"The audit of {run.name} was not compared: {', '.join(fields)} differ.")
        else:
            audited.append(run)
            found += comparison.compare_regions(
                before,
                after,
                name=run.name,
                groups=dict(zip(alignment.row_ids, groups, strict=True)),
                map_ids=alignment.map_ids,
                resampling=resampling,
            )
    pulls = [pull.assign(run=run.name) for run in audited if (pull := run.audit_table("audit_pull")) is not None]
    table = pd.concat(pulls, ignore_index=True) if pulls else pd.DataFrame(columns=["run", "category", "class"])
    return tuple(found), table[["run", *(name for name in table.columns if name != "run")]], unlike


def _remarks(
    alignment: comparison.Alignment,
    regions: Sequence[comparison.RegionChange],
    similarities: Sequence[comparison.MapSimilarity],
    unlike_regions: Sequence[str],
    reference: str,
) -> tuple[str, ...]:
    first = next(iter(alignment.map_ids), None)
    remarks = [
        sentence
        for change in regions
        if change.map_id == first and (sentence := comparison.describe_region(change, reference))
    ]
    remarks += unlike_regions
    if alignment.unlike_maps:
        remarks.append(f"Maps were not correlated: {alignment.unlike_maps}.")
    remarks += comparison.describe_maps(similarities)
    if alignment.num_dropped:
        remarks.append(f"{alignment.num_dropped} images that some run skipped are left out of all runs.")
    return tuple(remarks)
