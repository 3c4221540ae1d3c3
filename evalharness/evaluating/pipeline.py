"""The story of an evaluation, from a config to a logged run. Start reading here."""

from dataclasses import dataclass

from evalharness import results, tracking
from evalharness.config.schema import RunConfig
from evalharness.console import note
from evalharness.evaluating.complete import Findings, complete
from evalharness.evaluating.gates import broken_gates
from evalharness.evaluating.inputs import Inputs, gather_inputs
from evalharness.evaluating.predict import predict
from evalharness.evaluating.stages.audit.stage import audit_regions
from evalharness.evaluating.stages.before_after.stage import look_before
from evalharness.evaluating.stages.faithfulness.stage import examine_maps
from evalharness.evaluating.stages.noise.stage import measure_noise
from evalharness.evaluating.stages.stress.stage import stress_verdicts
from evalharness.evaluating.stages.what_is_it.stage import name_regions


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
    inputs = gather_inputs(config)
    with tracking.start_run(store, name=inputs.run_name, config=config.tracking) as run_id:
        if config.resume and results.holds_results(inputs.folder, inputs.fingerprint, inputs.request):
            note(f"same recipe, results complete: reusing {inputs.folder} (resume=false computes them again)")
        else:
            compute_results(inputs)
        tracking.upload_results(store, run_id, inputs.folder)
    return LoggedRun(results.StoredResult(inputs.folder), store, run_id)


def compute_results(inputs: Inputs) -> None:
    """Evaluates every row that is not stored yet, examines what came out, and completes the results folder."""
    config = inputs.config
    layout = results.ArrayLayout.of(
        inputs.facts, num_rows=len(inputs.labels), classes=inputs.classes, specs=inputs.specs
    )
    with results.ResultsWriter.open(
        inputs.folder, inputs.recipe, inputs.fingerprint, layout, resume=config.resume
    ) as writer:
        results.write_facts(inputs.folder, inputs.fingerprint, inputs.facts)
        num_predicted = predict(inputs, writer)
        settled = results.settle_failures(writer, inputs.dataset, config.dataset.on_error)
        samples = [inputs.dataset.samples[position] for position in settled.evaluated]
        stages = results.Stages(inputs.folder)
        trust = examine_maps(inputs, samples, stages)
        regions = audit_regions(inputs, samples, writer, stages)
        noise = measure_noise(inputs, samples, writer, regions)
        stress = stress_verdicts(inputs, samples, writer, stages)
        before_after = look_before(inputs, samples, writer, stages)
        named = name_regions(inputs, samples, writer, stages, noise)
        gates = broken_gates(config.gate, trust, regions, stress)
        findings = Findings(trust, regions, gates, noise, stress, before_after, named)
        complete(inputs, writer, settled, findings, num_predicted)
