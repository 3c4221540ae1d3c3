"""From stored rows to metrics, tables, figures and, last, the manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from evalharness import report, results
from evalharness.attention.trust import MapTrust
from evalharness.console import warn
from evalharness.metrics import class_order_warning, evaluate_predictions
from evalharness.records import Evaluation, FloatArray, Interval, Sample
from evalharness.slugs import slug
from evalharness.steps.audit import RegionAudit
from evalharness.steps.inputs import Inputs, timed


@dataclass(frozen=True)
class Findings:
    """What the stages behind prediction found."""

    trust: tuple[MapTrust, ...] = ()
    regions: RegionAudit | None = None
    broken_gates: tuple[str, ...] = ()
    """A sentence for each gate that did not hold."""


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
    with timed("figures", inputs.durations_s):
        report.draw_figures(
            table,
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
    warnings = [warning] if (warning := class_order_warning(evaluation.confusion, inputs.classes)) else []
    for text in warnings:
        warn(text)
    measures = results.map_measures(maps) | results.speed_measures(inputs.durations_s, num_predicted)
    writer.finish(
        results.build_manifest(
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
    )


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
                "measures": _plain(entry.measures),
                "leads": _plain(entry.leads),
                "notices_head": entry.notices_head,
                "is_trusted": entry.is_trusted,
                "verdict": entry.verdict,
            }
            for entry in findings.trust
        ],
        "regions": plain_regions(findings.regions),
        "broken_gates": list(findings.broken_gates),
    }


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
        "lead": asdict(regions.lead) if regions.lead else None,
        "categories": [asdict(entry) for entry in regions.categories],
        "pull": [asdict(cell) for cell in regions.pull],
    }


def _plain(intervals: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: asdict(interval) for name, interval in intervals.items()}
