"""From stored rows to metrics, tables, figures and, last, the manifest."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from evalharness import report, results
from evalharness.attention.faithfulness_verdict import MapTrust
from evalharness.console import warn
from evalharness.evaluating.album import (
    Album,
    draw_artifacts,
    draw_before_after,
    draw_named,
    draw_noisiest_sheets,
    draw_quadrant_sheets,
    draw_stress,
)
from evalharness.evaluating.inputs import Inputs, timed
from evalharness.evaluating.stages.audit.stage import RegionAudit
from evalharness.evaluating.stages.before_after.stage import BeforeAfter
from evalharness.evaluating.stages.noise.stage import Noise
from evalharness.evaluating.stages.stress.stage import StressTest
from evalharness.evaluating.stages.what_is_it.stage import NamedRegions
from evalharness.metrics import class_order_warning, evaluate_predictions
from evalharness.records import Evaluation, FloatArray, Interval, Sample
from evalharness.slugs import slug


@dataclass(frozen=True)
class Findings:
    """What the stages behind prediction found."""

    trust: tuple[MapTrust, ...] = ()
    regions: RegionAudit | None = None
    broken_gates: tuple[str, ...] = ()
    """A sentence for each gate that did not hold."""
    noise: Noise | None = None
    stress: StressTest | None = None
    before_after: BeforeAfter | None = None
    named: NamedRegions | None = None

    @property
    def measured(self) -> dict[str, Noise | StressTest | BeforeAfter | NamedRegions | None]:
        """What knows its own numbers, by its name in the manifest."""
        return {
            "noise": self.noise,
            "stress": self.stress,
            "before_after": self.before_after,
            "what_is_it": self.named,
        }


def evaluate(inputs: Inputs, samples: Sequence[Sample], probs: FloatArray) -> Evaluation:
    """Metrics of the evaluated rows.

    Args:
        inputs: The evaluation.
        samples: The evaluated rows.
        probs: (rows, C).
    """
    config = inputs.config
    with timed("metrics", inputs.durations_s):
        return evaluate_predictions(
            np.array([inputs.classes.index(sample.label) for sample in samples]),
            probs,
            class_names=inputs.classes,
            groups=[sample.group for sample in samples],
            num_resamples=config.bootstrap.num_resamples,
            confidence=config.bootstrap.confidence,
            seed=config.seed,
        )


def complete(
    inputs: Inputs, writer: results.ResultsWriter, settled: results.Settlement, findings: Findings, num_predicted: int
) -> None:
    """Writes tables, figures and the manifest, which makes the folder complete.

    Args:
        inputs: The evaluation.
        writer: The stored rows.
        settled: Which rows count.
        findings: Of the stages behind prediction.
        num_predicted: Rows that this process ran through the model.
    """
    config, dataset = inputs.config, inputs.dataset
    samples = [dataset.samples[position] for position in settled.evaluated]
    probs = softmax(np.asarray(writer.array("logits.npy"), np.float64), axis=1)
    maps = writer.maps()
    evaluation = evaluate(inputs, samples, probs)
    table = results.samples_table(samples, dataset.images, probs, inputs.classes, writer.map_sums())
    results.write_tables(writer.folder, table, evaluation, settled.skipped, inputs.classes)
    # All are drawn again: one of an earlier request would tell of what was not found this time.
    shutil.rmtree(writer.folder / "figures", ignore_errors=True)
    with timed("figures", inputs.durations_s):
        report.draw_figures(
            _with_noise_ranks(table, findings.noise),
            evaluation,
            maps,
            inputs.load_photo,
            writer.folder / "figures",
            config.report,
            class_names=inputs.classes,
            seed=config.seed,
            extent=inputs.photo_extent,
        )
        if findings.trust:
            figure = report.draw_trust(findings.trust, max_head_similarity=config.faithfulness.max_head_similarity)
            report.save_figure(figure, writer.folder / "figures" / "trust.png")
        if findings.regions:
            draw_regions(findings.regions, writer.folder / "figures")
        draw_findings(Album(inputs, writer, table, writer.folder / "figures"), findings)
    warnings = [warning] if (warning := class_order_warning(evaluation.confusion, inputs.classes)) else []
    for text in warnings:
        warn(text)
    measures = results.map_measures(maps) | results.speed_measures(inputs.durations_s, num_predicted)
    for found in findings.measured.values():
        measures |= found.measures if found else {}
    manifest = results.build_manifest(
        name=inputs.run_name,
        config=config,
        request=inputs.request,
        recipe=inputs.recipe,
        dataset=dataset,
        source=inputs.source,
        facts=inputs.facts,
        evaluation=evaluation,
        settled=settled,
        measures=measures | trust_measures(findings.trust) | region_measures(findings.regions),
        findings=plain_findings(findings),
        warnings=warnings,
    )
    writer.finish(write_page(inputs, writer.folder, manifest))


def write_page(inputs: Inputs, folder: Path, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Writes `report.html`, or removes that of an earlier request; returns the manifest with the time it took."""
    path = folder / "report.html"
    if not inputs.config.report.html:
        path.unlink(missing_ok=True)
        return manifest
    with timed("report", inputs.durations_s):
        report.write_report(folder, manifest, inputs.load_photo, path, extent=inputs.photo_extent)
    return {**manifest, "metrics": {**manifest["metrics"], "time/report_s": inputs.durations_s["report"]}}


def trust_measures(trust: Sequence[MapTrust]) -> dict[str, float]:
    """The numbers of a trust table that runs are compared by, by MLflow name."""
    names = ("faithfulness", "saco", "head_similarity")
    return {f"faithfulness/{entry.map_id}/{name}": entry.measures[name].value for entry in trust for name in names}


def plain_findings(findings: Findings) -> dict[str, Any]:
    """As the manifest keeps them."""
    return {
        "trust": [
            {
                "map_id": entry.map_id,
                "num_images": entry.num_images,
                "num_units": entry.num_units,
                "measures": _plain(entry.measures),
                "leads": _plain(entry.leads),
                "notices_head": entry.notices_head,
                "is_trusted": entry.is_trusted,
                "verdict": entry.verdict,
            }
            for entry in findings.trust
        ],
        "regions": plain_regions(findings.regions),
        **{name: found.plain if found else None for name, found in findings.measured.items()},
        "broken_gates": list(findings.broken_gates),
    }


def draw_findings(album: Album, findings: Findings) -> None:
    """Writes the sheets of photos that the findings call for."""
    if findings.regions:
        draw_quadrant_sheets(album, findings.regions)
    if findings.noise:
        draw_noisiest_sheets(album, findings.noise, findings.regions)
        draw_artifacts(album, findings.noise)
    if findings.stress:
        draw_stress(album, findings.stress)
    if findings.before_after:
        draw_before_after(album, findings.before_after)
    if findings.named:
        draw_named(album, findings.named)


def _with_noise_ranks(samples: pd.DataFrame, noise: Noise | None) -> pd.DataFrame:
    """With the column `noise_rank` of the first map."""
    if noise is None:
        return samples
    ranks = noise.table[noise.table["map_id"] == noise.maps[0].map_id].set_index("row_id")["noise_rank"]
    return samples.assign(noise_rank=ranks.reindex(samples["row_id"]).to_numpy())


def draw_regions(regions: RegionAudit, folder: Path) -> None:
    """Writes `audit_quadrants.png` and, where a distractor is annotated, `audit_pull.png`."""
    report.save_figure(report.draw_quadrants(regions.categories), folder / "audit_quadrants.png")
    if regions.pull:
        report.save_figure(report.draw_pull(regions.pull), folder / "audit_pull.png")


def region_measures(regions: RegionAudit | None) -> dict[str, float]:
    """What runs are compared by, of the first map, by MLflow name."""
    if regions is None:
        return {}
    measures: dict[str, float] = {}
    for entry in regions.categories:
        if entry.map_id == regions.categories[0].map_id:
            values = {
                "share": entry.looks.share.value,
                "lift": entry.looks.lift.value,
                "uses_rate": entry.uses.interval.value,
                "relies_rate": entry.quadrants["relies"].interval.value,
                "flip_rate": entry.flips.interval.value,
            }
            measures |= {f"audit/{slug(entry.category)}/{name}": value for name, value in values.items()}
    return measures


def plain_regions(regions: RegionAudit | None) -> dict[str, Any] | None:
    """As the manifest keeps them."""
    if regions is None:
        return None
    return {
        "sentence": regions.sentence,
        "thresholds": regions.thresholds,
        "lead": asdict(regions.lead) if regions.lead else None,
        "categories": [asdict(entry) for entry in regions.categories],
        "pull": [asdict(cell) for cell in regions.pull],
    }


def _plain(intervals: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: asdict(interval) for name, interval in intervals.items()}
