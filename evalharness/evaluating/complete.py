"""From stored rows and findings to metrics, tables, figures and, last, the manifest."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.special import softmax

from evalharness import report, results
from evalharness.console import warn
from evalharness.evaluating.album import Album
from evalharness.evaluating.inputs import warnings_of_regions
from evalharness.evaluating.session import EvaluatedRows, Session
from evalharness.evaluating.stage import Findings
from evalharness.evaluating.stages.registry import STAGES
from evalharness.metrics import class_order_warning, evaluate_predictions
from evalharness.records import Evaluation, FloatArray


def complete(
    rows: EvaluatedRows,
    kept: results.KeptRows,
    findings: Findings,
    *,
    broken_gates: Sequence[str],
    request: str,
    num_predicted: int,
) -> None:
    """Writes tables, figures and the manifest, which makes the folder complete.

    Args:
        rows: The evaluated rows.
        kept: Which rows count, and which were left out.
        findings: Of the stages.
        broken_gates: A sentence for each gate that does not hold.
        request: What was to be examined and drawn.
        num_predicted: Rows that this process ran through the model.
    """
    session, inputs, folder = rows.session, rows.session.inputs, rows.writer.folder
    probs = softmax(rows.logits, axis=1)
    evaluation = _evaluate(rows, probs)
    errors = rows.writer.completeness_errors()
    samples = results.samples_table(
        rows.samples, inputs.dataset.images, probs, inputs.classes,
        map_sums=rows.writer.map_sums(), completeness_errors=errors,
    )  # fmt: skip
    results.write_tables(folder, samples, evaluation, kept.skipped, inputs.classes)
    _draw(rows, samples, evaluation, findings)
    order_warning = class_order_warning(evaluation.confusion, inputs.classes)
    late_warnings = [*results.completeness_warnings(errors), *([order_warning] if order_warning else [])]
    for warning in late_warnings:
        warn(warning)
    warnings = [
        *results.ProbeWarnings(folder, inputs.fingerprint).read(),
        *warnings_of_regions(inputs, session.model_properties.grid_size),
        *late_warnings,
    ]
    measures = results.map_measures(rows.maps) | results.completeness_measures(errors)
    measures |= results.speed_measures(session.clock.durations_s, num_predicted)
    for found in findings:
        measures |= found.measures
    manifest = results.build_manifest(
        name=inputs.run_name,
        config=inputs.config,
        request=request,
        recipe=inputs.recipe,
        dataset=inputs.dataset,
        weights=inputs.weights,
        model=session.model_properties,
        evaluation=evaluation,
        kept=kept,
        measures=measures,
        findings=plain_findings(findings, broken_gates),
        sentences=[(found.title, found.sentence) for found in findings if found.sentence],
        warnings=warnings,
    )
    rows.writer.finish(_write_page(session, folder, manifest))


def plain_findings(findings: Findings, broken_gates: Sequence[str]) -> dict[str, Any]:
    """As the manifest keeps them."""
    plain: dict[str, Any] = {}
    for stage in STAGES:
        found = findings.by_stage.get(stage.name)
        plain[stage.name] = stage.nothing if found is None else found.plain
    return {**plain, "broken_gates": list(broken_gates)}


def _evaluate(rows: EvaluatedRows, probs: FloatArray) -> Evaluation:
    inputs, config = rows.session.inputs, rows.session.inputs.config
    with rows.session.clock.timed("metrics"):
        return evaluate_predictions(
            rows.labels,
            probs,
            class_names=inputs.classes,
            groups=rows.groups,
            num_resamples=config.bootstrap.num_resamples,
            confidence=config.bootstrap.confidence,
            seed=config.seed,
        )


def _draw(rows: EvaluatedRows, samples: pd.DataFrame, evaluation: Evaluation, findings: Findings) -> None:
    """All are drawn again: a figure of an earlier request would tell of what was not found this time."""
    session, inputs, folder = rows.session, rows.session.inputs, rows.writer.folder / "figures"
    shutil.rmtree(folder, ignore_errors=True)
    chosen_by = samples.assign(
        **{name: values.reindex(samples["row_id"]).to_numpy() for name, values in findings.row_columns.items()}
    )
    with session.clock.timed("figures"), report.saving_in_background() as save:
        report.draw_figures(
            chosen_by,
            evaluation,
            rows.maps,
            session.photos.load_photo,
            folder,
            inputs.config.report,
            class_names=inputs.classes,
            seed=inputs.config.seed,
            extent=session.photos.extent,
            save=save,
        )
        album = Album(rows, samples, folder, save)
        for found in findings:
            found.draw(album)


def _write_page(session: Session, folder: Path, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Writes `report.html`, or removes that of an earlier request; returns the manifest with the time it took."""
    path, photos = folder / "report.html", session.photos
    if not session.inputs.config.report.html:
        path.unlink(missing_ok=True)
        return manifest
    with session.clock.timed("report"):
        report.write_report(folder, manifest, photos.load_photo, path, extent=photos.extent)
    seconds = session.clock.durations_s["report"]
    return {**manifest, "metrics": {**manifest["metrics"], "time/report_s": seconds}}
