"""`evalharness check`: everything that can be wrong, at once and without evaluating."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evalharness.cli.check_regions import look_at_regions
from evalharness.cli.first_look import missing_files
from evalharness.config.compose import compose_config
from evalharness.console import console, new_table, note, warn
from evalharness.errors import EvalHarnessError

if TYPE_CHECKING:
    from evalharness.annotations import Annotations
    from evalharness.config import RunConfig
    from evalharness.evaluating.stage import Stage
    from evalharness.records import Dataset, VisionTransformer


def check(arguments: Sequence[str]) -> int:
    """Validates config, CSV, images, annotations, weights and every other file that the config names.

    Prints the model's structure and, with model.probe=N, the probe.
    """
    config = compose_config(arguments)
    # At once: what follows imports TensorFlow.
    missing = list(missing_files(config))
    _print_problems(missing)
    from evalharness.model import configure_tensorflow

    configure_tensorflow(config.seed)
    problems: list[EvalHarnessError] = []
    dataset = _checked_dataset(config, problems)
    model = _checked_model(config, dataset, problems)
    annotations = _check_files(config, dataset, problems)
    if dataset is not None:
        _print_dataset(dataset)
    if model is not None:
        _print_model(model)
    num_warnings = 0
    if dataset is not None and annotations is not None:
        num_warnings = look_at_regions(config, dataset, annotations, model.grid_size if model else None)
    if dataset is not None and model is not None and config.model.probe:
        _probe(config, dataset, model)
    told = {str(problem) for problem in missing}
    others = [problem for problem in problems if str(problem) not in told]
    _print_problems(others)
    problems = [*missing, *others]
    _sum_up(len(problems), num_warnings)
    return max((problem.exit_code for problem in problems), default=0)


def _sum_up(num_problems: int, num_warnings: int) -> None:
    found = f"{num_problems} problem{'s' if num_problems != 1 else ''} found" if num_problems else "no problem found"
    doubts = f"; {num_warnings} warning{'s' if num_warnings != 1 else ''} to look at" if num_warnings else ""
    note(f"{found}{doubts}")


def _print_problems(problems: Sequence[EvalHarnessError]) -> None:
    for problem in problems:
        console.print(f"error: {problem}", style="red", markup=False, soft_wrap=True)


def _checked_dataset(config: "RunConfig", problems: list[EvalHarnessError]) -> "Dataset | None":
    from evalharness.dataset import load_dataset

    try:
        return load_dataset(
            config.dataset,
            model_classes=config.model.classes,
            runs_dir=config.runs_dir,
            limit=config.limit,
            seed=config.seed,
            num_workers=config.num_workers,
        )
    except EvalHarnessError as error:
        problems.append(error)
        return None


def _check_files(
    config: "RunConfig", dataset: "Dataset | None", problems: list[EvalHarnessError]
) -> "Annotations | None":
    """Settings and files of every stage, and annotations, which it returns, if there is a dataset to match them to."""
    from evalharness.evaluating.inputs import read_regions
    from evalharness.evaluating.stages.registry import STAGES

    for stage in STAGES:
        try:
            _check_stage(stage, config)
        except EvalHarnessError as error:
            problems.append(error)
    if dataset is None:
        return None
    try:
        return read_regions(config, dataset, config.model.classes or dataset.classes)
    except EvalHarnessError as error:
        problems.append(error)
        return None


def _check_stage(stage: "type[Stage[Any]]", config: "RunConfig") -> None:
    for check_more in stage.prepare(config).long_checks:
        check_more()


def _checked_model(
    config: "RunConfig", dataset: "Dataset | None", problems: list[EvalHarnessError]
) -> "VisionTransformer | None":
    from evalharness.attention import check_options, map_specs
    from evalharness.model import load_model
    from evalharness.weights_files import find_weights

    classes = config.model.classes or config.dataset.classes or (dataset.classes if dataset else None)
    try:
        weights = find_weights(config)
        if classes is None:
            note("the model was not checked: its classes are not known (set model.classes or dataset.classes)")
            return None
        model = load_model(config.model, classes=classes, source=weights)
        specs = map_specs(config.attention, classes)
        check_options(specs, num_layers=model.num_layers, num_heads=model.num_heads, grid_size=model.grid_size)
    except EvalHarnessError as error:
        problems.append(error)
        return None
    return model


def _print_dataset(dataset: "Dataset") -> None:
    counts = {name: sum(sample.label == name for sample in dataset.samples) for name in dataset.classes}
    note(
        f"dataset {dataset.name}: {len(dataset.samples)} images, {len(dataset.skipped)} skipped, "
        f"{dataset.num_excluded} excluded, {dataset.num_rotated} rotated by EXIF"
    )
    note("  " + ", ".join(f"{name} {count}" for name, count in counts.items()))


def _print_model(model: "VisionTransformer") -> None:
    from evalharness.model import describe_model

    table = new_table(f"model: {model.weights.path.name} ({model.weights.file_format}), on {model.device}")
    for heading in ("layer", "kind", "output", "parameters"):
        table.add_column(heading, justify="right" if heading == "parameters" else "left")
    for layer in describe_model(model):
        table.add_row(layer.name, layer.kind, layer.output_shape, f"{layer.num_params:,}")
    console.print(table)
    rows, columns = model.grid_size
    note(
        f"input {model.image_size[0]} x {model.image_size[1]} px, preprocessing {model.preprocessing}, "
        f"{rows} x {columns} patches of {model.patch_size} px, outputs: {', '.join(model.classes)}"
    )


def _probe(config: "RunConfig", dataset: "Dataset", model: "VisionTransformer") -> None:
    import numpy as np

    from evalharness.dataset import iterate_batches
    from evalharness.model import probe_preprocessing

    generator = np.random.default_rng(config.seed)
    count = min(config.model.probe, len(dataset.samples))
    positions = np.sort(generator.choice(len(dataset.samples), count, replace=False))
    batches = list(
        iterate_batches(
            dataset,
            positions,
            image_size=model.image_size,
            config=config.dataset,
            batch_size=config.batch_size,
            num_workers=config.num_workers,
        )
    )
    kept = np.concatenate([batch.positions for batch in batches])
    labels = np.array([model.classes.index(dataset.samples[position].label) for position in kept])
    result = probe_preprocessing(model, np.concatenate([batch.images for batch in batches]), labels)
    note(
        f"probe on {len(kept)} images: accuracy {result.accuracy_raw:.3f} with raw, {result.accuracy_vit:.3f} with vit "
        f"(configured: {model.preprocessing})"
    )
    if result.warning:
        warn(result.warning)
