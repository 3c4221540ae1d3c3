"""The story of an evaluation, from a config to a logged run. Start reading here."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from scipy.special import softmax

from evalharness import dataset as datasets
from evalharness import model as models
from evalharness import report, results, tracking
from evalharness.attention import map_specs
from evalharness.config.schema import RunConfig
from evalharness.console import note, warn
from evalharness.inference import ForwardPass, run_inference
from evalharness.metrics import class_order_warning, evaluate_predictions
from evalharness.records import Dataset, IntArray, MapSpec, VisionTransformer, WeightsSource


@dataclass(frozen=True)
class Inputs:
    """What an evaluation starts from, checked."""

    config: RunConfig
    dataset: Dataset
    source: WeightsSource
    classes: tuple[str, ...]
    specs: tuple[MapSpec, ...]
    recipe: Mapping[str, Any]
    durations_s: dict[str, float] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Of the recipe."""
        return results.fingerprint(self.recipe)

    @property
    def labels(self) -> IntArray:
        """Class index of every sample, in the order of the model's outputs."""
        return np.array([self.classes.index(sample.label) for sample in self.dataset.samples], np.int32)

    @property
    def run_name(self) -> str:
        """Shown in MLflow."""
        return self.config.tracking.run_name or f"{self.source.path.name.split('.')[0]} on {self.dataset.name}"

    @property
    def folder(self) -> Path:
        """Where the results go."""
        default = results.default_folder(self.config.runs_dir, self.run_name, self.fingerprint)
        return self.config.output_dir or default


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
        if config.resume and results.holds_results(inputs.folder, inputs.fingerprint):
            note(f"same recipe, results complete: reusing {inputs.folder} (resume=false computes them again)")
        else:
            compute_results(inputs)
        tracking.upload_results(store, run_id, inputs.folder)
    return LoggedRun(results.StoredResult(inputs.folder), store, run_id)


def gather_inputs(config: RunConfig) -> Inputs:
    """Reads and checks everything that can be wrong before a model is built."""
    durations_s: dict[str, float] = {}
    source = models.resolve_weights(
        config.model.weights,
        tracking_uri=tracking.resolve_uri(config.tracking.uri, config.runs_dir),
        cache_dir=config.runs_dir / "cache" / "weights",
    )
    with timed("scan", durations_s):
        dataset = datasets.load_dataset(
            config.dataset,
            model_classes=config.model.classes,
            runs_dir=config.runs_dir,
            limit=config.limit,
            seed=config.seed,
            num_workers=config.num_workers,
        )
    classes = config.model.classes or dataset.classes
    models.configure_tensorflow(config.seed)
    specs = map_specs(config.attention, classes)
    recipe = results.build_recipe(config, dataset, source, classes, specs)
    return Inputs(config, dataset, source, classes, specs, recipe, durations_s)


def compute_results(inputs: Inputs) -> None:
    """Loads the model, evaluates every row that is not stored yet, and completes the results folder."""
    with timed("load_model", inputs.durations_s):
        model = models.load_model(inputs.config.model, classes=inputs.classes, source=inputs.source)
    layout = results.ArrayLayout.of(model, num_rows=len(inputs.dataset.samples), specs=inputs.specs)
    with results.ResultsWriter.open(
        inputs.folder, inputs.recipe, inputs.fingerprint, layout, resume=inputs.config.resume
    ) as writer:
        num_predicted = predict(inputs, ForwardPass(model, inputs.specs), writer)
        settled = results.settle_failures(writer, inputs.dataset, inputs.config.dataset.on_error)
        complete(inputs, model, writer, settled, num_predicted)


def predict(inputs: Inputs, forward: ForwardPass, writer: results.ResultsWriter) -> int:
    """One forward pass over every pending row: prediction and attention together. Returns the number of rows."""
    config, positions = inputs.config, writer.pending()
    if writer.num_resumed:
        note(f"continuing: {writer.num_resumed} of {len(inputs.dataset.samples)} images are stored already")
    batches = datasets.iterate_batches(
        inputs.dataset,
        positions,
        image_size=forward.model.image_size,
        config=config.dataset,
        batch_size=config.batch_size,
        num_workers=config.num_workers,
    )
    with timed("predict", inputs.durations_s):
        row_ids = [sample.row_id for sample in inputs.dataset.samples]
        run_inference(forward, batches, inputs.labels, row_ids, writer, num_images=len(positions))
    return len(positions)


def complete(
    inputs: Inputs,
    model: VisionTransformer,
    writer: results.ResultsWriter,
    settled: results.Settlement,
    num_predicted: int,
) -> None:
    """From stored rows to metrics, tables, figures and, last, the manifest."""
    config, dataset = inputs.config, inputs.dataset
    samples = [dataset.samples[position] for position in settled.evaluated]
    probs = softmax(np.asarray(writer.array("logits.npy"), np.float64), axis=1)
    maps, map_sums = writer.maps(), writer.map_sums()
    with timed("metrics", inputs.durations_s):
        evaluation = evaluate_predictions(
            inputs.labels[settled.evaluated],
            probs,
            class_names=inputs.classes,
            groups=[sample.group for sample in samples],
            num_resamples=config.bootstrap.num_resamples,
            confidence=config.bootstrap.confidence,
            seed=config.seed,
        )
    table = results.samples_table(samples, dataset.images, probs, inputs.classes, map_sums)
    results.write_tables(writer.folder, table, evaluation, settled.skipped, inputs.classes)
    paths = {sample.row_id: sample.path for sample in samples}
    with timed("figures", inputs.durations_s):
        report.draw_figures(
            table,
            evaluation,
            maps,
            lambda row_id: datasets.load_image(paths[row_id], image_size=model.image_size, config=config.dataset),
            writer.folder,
            config.report,
            class_names=inputs.classes,
            seed=config.seed,
        )
    warning = class_order_warning(evaluation.confusion, inputs.classes)
    if warning:
        warn(warning)
    measures = results.map_measures(maps) | results.speed_measures(inputs.durations_s, num_predicted)
    writer.finish(
        results.build_manifest(
            name=inputs.run_name,
            config=config,
            recipe=inputs.recipe,
            dataset=dataset,
            model=model,
            evaluation=evaluation,
            settled=settled,
            measures=measures,
            warnings=[warning] if warning else [],
        )
    )


@contextmanager
def timed(stage: str, durations_s: dict[str, float]) -> Iterator[None]:
    """Notes the seconds spent inside as the stage's."""
    start = perf_counter()
    yield
    durations_s[stage] = perf_counter() - start
