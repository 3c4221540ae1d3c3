"""The story of an evaluation, from a config to a logged run. Start reading here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalharness import results, tracking
from evalharness.config import RunConfig
from evalharness.console import note
from evalharness.evaluating.complete import complete
from evalharness.evaluating.inputs import Inputs, gather_inputs
from evalharness.evaluating.predict import predict
from evalharness.evaluating.probe import probe_first
from evalharness.evaluating.session import EvaluatedRows, Session
from evalharness.evaluating.stage import Findings, Stage
from evalharness.evaluating.stages.registry import STAGES
from evalharness.evaluating.stopwatch import Stopwatch
from evalharness.manifest import holds_results

Stages = Sequence[Stage[Any]]


@dataclass(frozen=True)
class LoggedRun:
    """A finished evaluation and where it was logged."""

    result: results.StoredResult
    store: tracking.Store
    run_id: str


def run_evaluation(config: RunConfig) -> LoggedRun:
    """Evaluates one model on one dataset and logs the run; complete results of the same recipe are reused."""
    store = tracking.open_store(config.tracking, config.runs_dir)
    tracking.mark_killed_runs(store)
    clock = Stopwatch()
    stages = [stage.prepare(config) for stage in STAGES]
    inputs = gather_inputs(config, clock)
    request = request_of(inputs, stages)
    with tracking.start_run(store, name=inputs.run_name, config=config.tracking) as run_id:
        if config.resume and holds_results(inputs.folder, inputs.fingerprint, request):
            note(f"same recipe, results complete: reusing {inputs.folder} (resume=false computes them again)")
        else:
            compute_results(Session(inputs, clock), stages, request)
        tracking.upload_results(store, run_id, inputs.folder)
    return LoggedRun(results.StoredResult(inputs.folder), store, run_id)


def compute_results(session: Session, stages: Stages, request: str) -> None:
    """Predicts every row that is not stored yet, examines what came out, and completes the results folder."""
    inputs, model = session.inputs, session.model_properties
    layout = results.ArrayLayout.of(
        model, num_rows=len(inputs.dataset.samples), classes=inputs.classes, specs=inputs.specs
    )
    with results.ResultsWriter.open(
        inputs.folder, inputs.recipe, inputs.fingerprint, layout, resume=inputs.config.resume
    ) as writer:
        model.write(inputs.folder, inputs.fingerprint)
        probe_first(session, writer)
        num_predicted = predict(session, writer)
        kept = results.drop_failed_rows(writer, inputs.dataset, inputs.config.dataset.on_error)
        samples = tuple(inputs.dataset.samples[position] for position in kept.evaluated)
        rows = EvaluatedRows(session, samples, writer)
        findings = examine(rows, stages)
        broken = broken_gates(inputs, stages, findings)
        complete(rows, kept, findings, broken_gates=broken, request=request, num_predicted=num_predicted)


def examine(rows: EvaluatedRows, stages: Stages) -> Findings:
    """What each stage finds, in their order."""
    findings = Findings({})
    for stage in stages:
        findings = Findings({**findings.by_stage, stage.name: stage.examine(rows, findings)})
    return findings


def broken_gates(inputs: Inputs, stages: Stages, findings: Findings) -> list[str]:
    """A sentence for each gate that does not hold."""
    gate = inputs.config.gate
    return [text for stage in stages for text in stage.broken_gates(gate, findings.by_stage[stage.name])]


def request_of(inputs: Inputs, stages: Stages) -> str:
    """What is to be examined and drawn, beside the recipe: results of another request are completed anew."""
    sections = [stage.section for stage in stages if stage.section] + ["gate", "report"]
    digests = {"annotations": inputs.annotations.digest if inputs.annotations else None}
    for stage in stages:
        digests |= stage.digests
    versions = {stage.name: stage.version for stage in stages}
    return results.request_of(inputs.config, sections, digests, versions)
