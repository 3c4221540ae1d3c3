"""From stored rows to metrics, tables, figures and, last, the manifest."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import softmax

from evalharness import report, results
from evalharness.attention.trust import MapTrust
from evalharness.console import warn
from evalharness.metrics import class_order_warning, evaluate_predictions
from evalharness.records import Evaluation, FloatArray, Interval, Sample
from evalharness.steps.inputs import Inputs, timed


@dataclass(frozen=True)
class Findings:
    """What the stages behind prediction found."""

    trust: tuple[MapTrust, ...] = ()
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
            inputs.load_image,
            writer.folder,
            config.report,
            class_names=inputs.classes,
            seed=config.seed,
        )
        if findings.trust:
            figure = report.draw_trust(findings.trust, max_head_similarity=config.faithfulness.max_head_similarity)
            report.save_figure(figure, writer.folder / "trust.png")
    warnings = [warning] if (warning := class_order_warning(evaluation.confusion, inputs.classes)) else []
    for text in warnings:
        warn(text)
    measures = results.map_measures(maps) | results.speed_measures(inputs.durations_s, num_predicted)
    writer.finish(
        results.build_manifest(
            name=inputs.run_name,
            config=config,
            recipe=inputs.recipe,
            dataset=dataset,
            source=inputs.source,
            facts=inputs.facts,
            evaluation=evaluation,
            settled=settled,
            measures=measures | trust_measures(findings.trust),
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
        "broken_gates": list(findings.broken_gates),
    }


def _plain(intervals: "dict[str, Interval] | Any") -> dict[str, Any]:
    return {name: asdict(interval) for name, interval in intervals.items()}
