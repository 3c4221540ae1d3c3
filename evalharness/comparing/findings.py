"""Everything that a comparison computes: pairs, per-class changes, audit and maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalharness import comparison
from evalharness.audit import Resampling
from evalharness.comparing.belief import compare_belief
from evalharness.comparing.compared_runs import RunToCompare
from evalharness.comparing.concepts import compare_concepts
from evalharness.config import CompareConfig
from evalharness.metrics.predictions import Predictions


@dataclass(frozen=True)
class ComparisonFindings:
    """Everything that a comparison found; runs, predictions and pairs have the reference first or left out."""

    runs: tuple[RunToCompare, ...]
    alignment: comparison.Alignment
    predictions: Mapping[str, Predictions]
    pairs: tuple[comparison.PairedRun, ...]
    similarities: tuple[comparison.MapSimilarity, ...]
    audits: tuple[comparison.CategoryChange, ...]
    pull: pd.DataFrame
    concepts: pd.DataFrame
    believe: pd.DataFrame
    verdicts: tuple[str, ...]
    """A sentence per run but the reference."""
    remarks: tuple[str, ...]
    """Further sentences: of the audit, of the maps, and what could not be compared."""
    resampling: Resampling
    config: CompareConfig

    @property
    def reference(self) -> RunToCompare:
        """What the others are compared with."""
        return self.runs[0]


def examine(runs: Sequence[RunToCompare], config: CompareConfig) -> ComparisonFindings:
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
    changes, pull, unlike_audits = _compare_audits(runs, alignment, groups, resampling)
    concepts, of_concepts = compare_concepts(runs)
    believe, of_belief = compare_belief(runs, alignment, list(predictions.values()), groups, resampling)
    return ComparisonFindings(
        runs=tuple(runs),
        alignment=alignment,
        predictions=predictions,
        pairs=pairs,
        similarities=similarities,
        audits=changes,
        pull=pull,
        concepts=concepts,
        believe=believe,
        verdicts=tuple(comparison.describe_pair(pair, len(pairs)) for pair in pairs),
        remarks=(
            *comparison.describe_averages(predictions, reference.compared.classes),
            *_remarks(alignment, changes, similarities, unlike_audits, reference.name),
            *of_concepts,
            *of_belief,
        ),
        resampling=resampling,
        config=config,
    )


def _predictions(runs: Sequence[RunToCompare], alignment: comparison.Alignment) -> dict[str, Predictions]:
    classes = runs[0].compared.classes
    found = {}
    for run, positions in zip(runs, alignment.positions, strict=True):
        labels = np.array([classes.index(run.compared.labels[position]) for position in positions])
        found[run.name] = Predictions(labels, comparison.align_probs(run.compared, positions, classes))
    return comparison.average_alike(found)


def _compare_maps(
    runs: Sequence[RunToCompare],
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


def _compare_audits(
    runs: Sequence[RunToCompare], alignment: comparison.Alignment, groups: Sequence[str], resampling: Resampling
) -> tuple[tuple[comparison.CategoryChange, ...], pd.DataFrame, list[str]]:
    """Changes of the audit, the pull of every run whose audit is compared, and why what was not compared was not."""
    reference, found, unlike = runs[0], list[comparison.CategoryChange](), []
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
            found += comparison.compare_audits(
                before,
                after,
                name=run.name,
                groups=dict(zip(alignment.row_ids, groups, strict=True)),
                map_ids=alignment.map_ids,
                resampling=resampling,
                num_compared=len(runs) - 1,
            )
    pulls = [pull.assign(run=run.name) for run in audited if (pull := run.audit_table("audit_pull")) is not None]
    table = pd.concat(pulls, ignore_index=True) if pulls else pd.DataFrame(columns=["run", "category", "class"])
    return tuple(found), table[["run", *(name for name in table.columns if name != "run")]], unlike


def _remarks(
    alignment: comparison.Alignment,
    changes: Sequence[comparison.CategoryChange],
    similarities: Sequence[comparison.MapSimilarity],
    unlike_audits: Sequence[str],
    reference: str,
) -> tuple[str, ...]:
    first = next(iter(alignment.map_ids), None)
    remarks = [
        sentence
        for change in changes
        if change.map_id == first and (sentence := comparison.describe_category_change(change, reference))
    ]
    remarks += unlike_audits
    if alignment.unlike_maps:
        remarks.append(f"Maps were not correlated: {alignment.unlike_maps}.")
    remarks += comparison.describe_maps(similarities)
    if alignment.num_dropped:
        remarks.append(f"{alignment.num_dropped} images that some run skipped are left out of all runs.")
    return tuple(remarks)
