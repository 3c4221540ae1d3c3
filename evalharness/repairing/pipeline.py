"""The story of a repair: what harms a run, a head fitted anew without it, and the proof on the evaluated photos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evalharness import tracking
from evalharness.config import RepairConfig, RunConfig, TrackingConfig
from evalharness.config.compose import compose_section
from evalharness.console import note
from evalharness.errors import ConfigError
from evalharness.finished_runs import check_names, find_runs
from evalharness.manifest import check_output
from evalharness.model import LastLayers, LayerName
from evalharness.records import FloatArray
from evalharness.repairing.cutouts import SplitCutouts, gather_cutouts
from evalharness.repairing.evaluation import Evaluation, open_evaluation, stored_config
from evalharness.repairing.export import export_pasted
from evalharness.repairing.features import FrozenBackbone
from evalharness.repairing.findings import examine, measure_pull
from evalharness.repairing.finished_repair import Repair
from evalharness.repairing.folder import default_folder, write_repair
from evalharness.repairing.harm import Harm, describe_cell, harmful_cells, nothing_to_repair, read_harm
from evalharness.repairing.mended import Mended
from evalharness.repairing.near_duplicates import warn_of_near_duplicates
from evalharness.repairing.proof import Proof, plan_proof
from evalharness.repairing.refit import FittedLayer, fit_layer
from evalharness.repairing.regions import read_regions
from evalharness.repairing.training_photos import TrainingPhotos, gather_training_photos, training_shots

KEYS = ("repair", "tracking", "runs_dir", "output_dir", "batch_size", "num_workers")
WEIGHTS = "model.weights="


@dataclass(frozen=True)
class RepairRequest:
    """What the command line asks for."""

    run: str
    repair: RepairConfig
    tracking: TrackingConfig
    runs_dir: Path
    output_dir: Path | None
    own: Mapping[str, object]
    """Top-level keys that replace those of the evaluation."""
    weights: str | None
    """Of the evaluation, if the file has moved."""


def read_request(run: str, overrides: Sequence[str]) -> RepairRequest:
    """Checks run and overrides before anything heavy is imported or opened.

    Raises:
        EvalHarnessError: No such run, or a setting that a repair does not have.
    """
    weights = next((entry.removeprefix(WEIGHTS) for entry in overrides if entry.startswith(WEIGHTS)), None)
    given = [entry for entry in overrides if not entry.startswith(WEIGHTS)]
    for entry in given:
        key = entry.lstrip("+~").partition("=")[0]
        if key.partition(".")[0] not in KEYS:
            raise ConfigError(
                "a repair takes this from the run",
                expected=f"keys of {', '.join(KEYS)}, or model.weights",
                got=key,
                fix="Evaluate with another value, and repair that run",
            )
    values = compose_section(given, *KEYS)
    check_names([run])
    if values["output_dir"]:
        check_output(values["output_dir"], "repair")
    replaced = {entry.lstrip("+").partition("=")[0].partition(".")[0] for entry in given} | {"repair", "runs_dir"}
    own = {key: value for key, value in values.items() if key in replaced}
    return RepairRequest(
        run, values["repair"], values["tracking"], values["runs_dir"], values["output_dir"], own, weights
    )


def repair(run: str | Path, overrides: Sequence[str] = ()) -> Repair:
    """Mends the head of an evaluated run, proves it on the evaluated photos, and logs it.

    Args:
        run: A results folder, or an MLflow run id.
        overrides: As on the command line: `repair.…`, `tracking.…`, `runs_dir=…`, `output_dir=…`.

    Raises:
        EvalHarnessError: Nothing to repair, or photos, cut-outs or weights that cannot be used.
        TrackingError: The store cannot be reached; the repair's folder is complete all the same.
    """
    request = read_request(str(run), overrides)
    store = tracking.open_store(request.tracking, request.runs_dir)
    (found,) = find_runs([request.run], store, request.runs_dir)
    config = stored_config(found, request.own, request.weights)
    harm = read_harm(found.result, config.audit.min_pull)
    evaluation = open_evaluation(found, config)
    regions = read_regions(evaluation, harm) if harm else None
    cutouts = gather_cutouts(config.repair, evaluation, harm, regions)
    training = gather_training_photos(config.repair, evaluation, cutouts.training)
    if config.repair.export:
        export_pasted(config.repair.export, training, config.repair.scale)
    if harm:
        tell_plan(harm, cutouts, training)
    backbone = FrozenBackbone.of(evaluation)
    proof = plan_proof(evaluation, cutouts, harm, regions)
    tested = backbone.features(proof.shots, "asking about the evaluated photos")
    before = backbone.layers.own_logits(tested[backbone.layers.owner])
    if harm is None:
        harm = measure_harm(evaluation, proof, before)
        tell_plan(harm, cutouts, training)
    shown = backbone.features(training_shots(training, config.repair.scale), "asking about the training photos")
    warn_of_near_duplicates(evaluation, training, tested, shown)
    fitted = fit_layers(config, backbone.layers, training, shown)
    after = fitted[0].logits(tested[fitted[0].name])
    findings = examine(evaluation, proof, harm, before, after)
    mended = Mended(evaluation, harm, cutouts, training, proof, fitted, findings, before, after)
    folder = request.output_dir or default_folder(request.runs_dir, mended)
    write_repair(folder, backbone.layers, mended)
    with tracking.start_run(store, name=f"repair of {found.name}", config=request.tracking) as run_id:
        written = Repair.load(folder, run_id)
        tracking.upload_repair(store, run_id, folder, written.manifest)
    return written


def measure_harm(evaluation: Evaluation, proof: Proof, logits: FloatArray) -> Harm:
    """What the pasted cut-outs show to be harmful, where the run was not audited.

    Raises:
        ResultsError: Nothing is.
    """
    cells = measure_pull(evaluation, proof, logits)
    harmful = harmful_cells(cells, evaluation.min_pull)
    if not harmful:
        raise nothing_to_repair(cells, evaluation.min_pull, evaluation.run.result.folder)
    return Harm("cutouts", harmful)


def tell_plan(harm: Harm, cutouts: SplitCutouts, training: TrainingPhotos) -> None:
    """Notes what is repaired, and with what."""
    for cell in harm.cells:
        note(f"to be repaired: {describe_cell(cell)}")
    counts = ", ".join(f"{len(images)} of {name}" for name, images in cutouts.training.by_category.items())
    note(f"cut-outs: {counts}; pasted into {len(training.samples)} training photos, which are shown without them too")
    if cutouts.shared:
        note(f"a single cut-out of {', '.join(cutouts.shared)}: training and proof share it")


def fit_layers(
    config: RunConfig, layers: LastLayers, training: TrainingPhotos, features: Mapping[LayerName, FloatArray]
) -> tuple[FittedLayer, ...]:
    """The layers that can be fitted anew, the better one by cross-validation first.

    Raises:
        ConfigError: The model has no such layer.
    """
    wanted = layers.names if config.repair.layer == "auto" else (config.repair.layer,)
    if layers.names == ("linear",) and config.repair.layer == "last":
        wanted = ("linear",)
    if unknown := set(wanted) - set(layers.names):
        raise ConfigError(
            "the head cannot be replaced: its builder makes it",
            expected=", ".join(layers.names), got=", ".join(unknown), where="repair.layer", fix="Set repair.layer=last",
        )  # fmt: skip
    labels, groups = np.tile(training.labels, 2), [*training.groups, *training.groups]
    fitted = [fit_layer(name, features[name], labels, groups, seed=config.seed) for name in wanted]
    return tuple(sorted(fitted, key=lambda layer: layer.log_loss))
