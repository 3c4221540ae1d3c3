"""`evalharness check`: everything that can be wrong, at once and without evaluating."""

from argparse import ArgumentError, ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.cli.check_regions import look_at_regions
from evalharness.cli.first_look import missing_files
from evalharness.cli.flags import refuse_flags
from evalharness.completed_config import compose_completed
from evalharness.console import console, interval_text, new_table, note, say, warn
from evalharness.errors import ConfigError, EvalHarnessError

if TYPE_CHECKING:
    from evalharness.annotations import Annotations
    from evalharness.config import RunConfig
    from evalharness.evaluating.stage import Stage
    from evalharness.records import Dataset, VisionTransformer

USUAL_HEAD_WIDTH = 64
"""Of nearly all published Vision Transformers."""


def check(arguments: Sequence[str]) -> int:
    """Validates config, CSV, images, annotations, weights and every other file that the config names.

    Prints the model's structure and how it scores model.probe images under other settings than the configured ones.
    """
    overrides, presets = _split(arguments)
    config = compose_completed(overrides, presets)
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
    num_doubts = 0
    if dataset is not None and annotations is not None:
        num_doubts = look_at_regions(config, dataset, annotations, model.grid_size if model else None)
    warnings = _probe(config, dataset, model) if dataset is not None and model is not None else []
    told = {str(problem) for problem in missing}
    others = [problem for problem in problems if str(problem) not in told]
    _print_problems(others)
    problems = [*missing, *others]
    for text in warnings:
        warn(text)
    note(_counted(len(problems), num_doubts + len(warnings)))
    return max((problem.exit_code for problem in problems), default=0)


def _split(arguments: Sequence[str]) -> tuple[list[str], Path | None]:
    """Overrides, and the folder of --config-dir.

    Raises:
        ConfigError: Another flag, or one without its folder.
    """
    parser = ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config-dir", "-cd", type=Path)
    try:
        flags, overrides = parser.parse_known_args(arguments)
    except ArgumentError as error:
        raise ConfigError(f"flag cannot be used: {error}") from error
    refuse_flags("check", overrides)
    return overrides, flags.config_dir


def _counted(num_problems: int, num_warnings: int) -> str:
    counts = {"problem": num_problems, "warning": num_warnings}
    parts = [f"{count} {word}{'s' if count != 1 else ''}" for word, count in counts.items() if count]
    return f"{' and '.join(parts)} found" if parts else "no problem found"


def _print_problems(problems: Sequence[EvalHarnessError]) -> None:
    for problem in problems:
        say(f"error: {problem}", style="red")


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
    from evalharness.attention import ambiguous_targets, check_options, map_specs
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
        for sentence in ambiguous_targets(specs, classes):
            note(sentence)
        check_options(
            specs, num_layers=model.num_layers, num_heads=model.num_heads, grid_size=model.grid_size,
            pooling=model.pooling,
        )  # fmt: skip
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


def _probe(config: "RunConfig", dataset: "Dataset", model: "VisionTransformer") -> list[str]:
    """Prints how the weights score under other settings; returns what to warn of."""
    from evalharness.evaluating.probe import has_unknown_heads, probe

    if not config.model.probe:
        width = model.hidden_size // model.num_heads
        if has_unknown_heads(config, model) and width != USUAL_HEAD_WIDTH:
            note(
                f"heads of {width} (hidden_size / num_heads), usually {USUAL_HEAD_WIDTH}: weights fit any number of "
                "heads, and model.probe=N tells which one scores best"
            )
        return []
    found = probe(config, dataset, model)
    for result in found:
        table = new_table(f"probe on {result.num_images} images: {result.key}")
        for heading in ("value", "accuracy", "gain"):
            table.add_column(heading, justify="left" if heading == "value" else "right", no_wrap=heading != "value")
        table.add_row(f"{result.configured.value} (configured)", f"{result.configured.accuracy:.3f}", "")
        for candidate in result.others:
            table.add_row(candidate.value, f"{candidate.accuracy:.3f}", interval_text(asdict(candidate.gain)))
        console.print(table)
        note(result.sentence)
    return [result.warning for result in found if result.warning]
