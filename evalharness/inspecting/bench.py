"""What an inspection starts from: the weights, the classes, the map, and the evaluation that images are judged by."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from evalharness import model as models
from evalharness.attention import map_specs
from evalharness.config import RunConfig
from evalharness.console import note
from evalharness.dataset.columns import read_rows, resolve_classes, resolve_layout
from evalharness.errors import ConfigError, ResultsError
from evalharness.inference import BlockTokens, ForwardPass
from evalharness.inspecting.evaluated_images import EvaluatedImages
from evalharness.inspecting.stored_judge import StoredJudge
from evalharness.records import MapSpec, WeightsSource
from evalharness.results import StoredResult, input_settings
from evalharness.weights_files import find_evaluated_weights, find_weights


@dataclass(frozen=True)
class Bench:
    """One model, loaded once, and what is known of the images it was evaluated on."""

    config: RunConfig
    classes: tuple[str, ...]
    weights: WeightsSource
    spec: MapSpec | None
    stored: StoredResult | None = None
    top_k: int = 3
    """Classes that are named."""
    is_compiled: bool = True
    """False for a handful of images: compiling the model then takes longer than it saves."""

    @cached_property
    def forward(self) -> ForwardPass:
        """The compiled model."""
        model = models.load_model(self.config.model, classes=self.classes, source=self.weights)
        return ForwardPass(model, () if self.spec is None else (self.spec,), is_compiled=self.is_compiled)

    @cached_property
    def judge(self) -> StoredJudge | None:
        """What judges the verdicts; None without an evaluation, or where that has none."""
        return None if self.stored is None else StoredJudge.of(self.stored)

    @cached_property
    def tokens_of(self) -> BlockTokens | None:
        """What describes regions; None where no concept of the evaluation is harmful."""
        concepts = self.judge.concepts if self.judge is not None else None
        return (
            None if concepts is None else BlockTokens(self.forward.model, concepts.block, is_compiled=self.is_compiled)
        )

    @cached_property
    def evaluated(self) -> EvaluatedImages | None:
        """The images of the stored evaluation."""
        map_id = self.spec.map_id if self.spec else None
        if self.stored is None:
            return None
        if self.judge is None:
            return EvaluatedImages.of(self.stored, map_id)
        return EvaluatedImages.of(self.stored, map_id, self.judge.fitted, self.judge.temperature)

    def tell_what_is_known(self) -> None:
        """Notes what the stored evaluation can tell and what it cannot."""
        for sentence in self.evaluated.notes if self.evaluated else ():
            note(sentence)


def open_bench(
    config: RunConfig,
    *,
    stored: StoredResult | None = None,
    has_csv: bool = True,
    top_k: int = 3,
    is_compiled: bool = True,
) -> Bench:
    """Finds the weights, the classes and the map, and sets TensorFlow up.

    Args:
        config: Of the stored evaluation, or composed.
        stored: An evaluation of the same model, to judge images by.
        has_csv: Whether `dataset.csv` names a file, which then tells the classes.
        top_k: How many classes to name.
        is_compiled: False for a handful of images.

    Raises:
        EvalHarnessError: Weights or classes that cannot be used, or weights that are not those of the evaluation.
    """
    if stored is not None:
        check_same_input(stored, config)
    weights = find_weights(config) if stored is None else find_evaluated_weights(config, stored)
    classes = stored.classes if stored is not None else known_classes(config, has_csv=has_csv)
    models.configure_tensorflow(config.seed)
    return Bench(config, classes, weights, bench_map(config, classes), stored, top_k, is_compiled)


def known_classes(config: RunConfig, *, has_csv: bool) -> tuple[str, ...]:
    """The model's classes: from the config, or from the CSV as in an evaluation.

    Raises:
        ConfigError: Neither tells.
    """
    given = config.model.classes or config.dataset.classes
    if given is None and has_csv:
        table = read_rows(config.dataset)
        layout = resolve_layout(config.dataset, table)
        labels = {row.cells[layout.label_column] for row in table.rows} - {""}
        given = resolve_classes(config.dataset, layout, None, labels)
    if given is None:
        raise ConfigError(
            "the model's classes are not known",
            expected="names in the order of its outputs",
            got="none",
            where="model.classes",
            fix="Set model.classes=[...], or name an evaluation with --run, or its dataset.csv",
        )
    return given


def bench_map(config: RunConfig, classes: Sequence[str]) -> MapSpec | None:
    """The first map that needs no true label; None if the config has no maps.

    Raises:
        ConfigError: All maps explain the true class, which nobody knows here.
    """
    specs = map_specs(config.attention, classes)
    usable = [spec for spec in specs if spec.target != "true"]
    if specs and not usable:
        raise ConfigError(
            "no map can be drawn: they explain the true class, which is not known here",
            expected="predicted, contrast or a class", got="true", where="attention.target",
            fix="Set attention.target=predicted",
        )  # fmt: skip
    return usable[0] if usable else None


def check_same_input(stored: StoredResult, config: RunConfig) -> None:
    """A stored evaluation tells of images that were prepared as it prepared its own.

    Raises:
        ResultsError: The settings of the input are others.
    """
    now = input_settings(config)
    unlike = [name for name, value in stored.recipe["input"].items() if now[name] != value]
    if unlike:
        raise ResultsError(
            "the evaluation was made with another input", got=", ".join(unlike), where=stored.folder,
            fix="Leave these settings to --run",
        )  # fmt: skip
