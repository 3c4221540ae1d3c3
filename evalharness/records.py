"""What passes between the stages: frozen records, each field documented where its name does not say it all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import tensorflow as tf

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
UInt8Array = npt.NDArray[np.uint8]

FIRST_TURNED_ORIENTATION = 5


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What one read of an image file found."""

    sha256: str
    width: int
    """In pixels as stored, before any EXIF rotation."""
    height: int
    mode: str
    """Pillow's name of the stored pixel format, such as `RGB`, `L`, `CMYK`, `I;16`."""
    image_format: str
    exif_orientation: int
    """1 to 8; 1 is upright."""
    num_frames: int

    @property
    def is_turned(self) -> bool:
        """Whether the EXIF orientation swaps width and height."""
        return self.exif_orientation >= FIRST_TURNED_ORIENTATION


class Extent(NamedTuple):
    """The part of the model's input that a drawn photo spans, each side as a fraction of the input's.

    Below 0 or above 1: cropped away. Within: the rest of the input is padding.
    """

    top: float
    bottom: float
    left: float
    right: float


WHOLE = Extent(0.0, 1.0, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of the dataset CSV that can be evaluated."""

    row_id: str
    """The stable key of the row: `dataset.id_column`, or the path as written in the CSV."""
    path: Path
    relative_path: str
    """The path as written in the CSV, path columns joined with `/`, without the root."""
    label: str
    csv_line: int
    """Line of the CSV file, counted from 1, the header being line 1."""
    group: str
    """Resampling unit of the bootstrap; the row id unless `dataset.group` names a column."""
    clean_row_id: str = ""
    """The row of the same scene without its distractor, where `dataset.clean_column` names a column."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row of the CSV that cannot be evaluated, and why."""

    row_id: str
    relative_path: str
    csv_line: int
    reason: str
    """A sentence for the user."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The rows to evaluate, checked."""

    name: str
    csv: Path
    csv_sha256: str
    root: Path
    classes: tuple[str, ...]
    """The labels that may occur, in the order of the config (or sorted)."""
    samples: tuple[Sample, ...]
    """In CSV order."""
    skipped: tuple[BadRow, ...]
    """Rows left out under `dataset.on_error=skip`."""
    images: Mapping[str, ImageInfo]
    """By `row_id`."""
    digest: str
    """SHA-256 over row ids, labels and image digests, in CSV order."""
    left_out: tuple[tuple[str, Path], ...] = ()
    """Path as written, and resolved, of every row of the CSV that is not among the samples, for whatever reason."""
    num_excluded: int = 0
    """Rows dropped by `dataset.exclude`: not wanted, so not counted as skipped."""
    num_rotated: int = 0
    """Images whose EXIF orientation is not upright."""


@dataclass(frozen=True, slots=True)
class ImageBatch:
    """Decoded images of consecutive samples."""

    positions: IntArray
    """Positions of the images in `Dataset.samples`, shape (batch,)."""
    images: UInt8Array
    """RGB, shape (batch, height, width, 3), 0 to 255, after resizing."""
    failures: tuple[tuple[int, str], ...] = ()
    """Position and reason of each sample of this stretch that could not be decoded."""


@dataclass(frozen=True, slots=True)
class BatchOutput:
    """What the model said of one batch of B images."""

    logits: FloatArray
    """(B, C) float32."""
    features: FloatArray
    """(B, K * D): what the head reads after the final norm, nearly always the class token."""
    patch_norms: FloatArray
    """(B, grid rows, grid columns): norm of each patch token at the last block's output, before the final norm."""
    densities: dict[str, FloatArray]
    """By map id, (B, grid rows, grid columns)."""
    map_sums: dict[str, FloatArray]
    """By map id, (B,): the raw sums."""
    signed: dict[str, FloatArray] = field(default_factory=dict)
    """By map id, (B, grid rows, grid columns): values with their sign, of the methods that have one."""
    completeness_errors: dict[str, FloatArray] = field(default_factory=dict)
    """By map id, (B,): how far values are from adding up to the score, of the methods where they should."""


class BlockInside(NamedTuple):
    """What is kept of one transformer block's forward pass: T tokens of hidden size D, H heads, an MLP of width F."""

    inputs: "tf.Tensor"
    """(B, T, D)."""
    normalized: "tf.Tensor"
    """(B, T, D): output of the first norm."""
    attention: "tf.Tensor"
    """(B, H, T, T), post-softmax."""
    middle: "tf.Tensor"
    """(B, T, D): after attention, before the second norm."""
    hidden: "tf.Tensor"
    """(B, T, F): pre-activation of the MLP."""


class Trace(NamedTuple):
    """The tensors of one forward pass, alive inside the compiled graph only.

    Shapes: B images, C classes, T tokens (patches last), D hidden size, H heads, L blocks, K sums of tokens that
    the head reads.
    """

    logits: "tf.Tensor"
    """(B, C): pre-activation of the last layer; a single sigmoid z is given as (-z/2, z/2)."""
    features: "tf.Tensor"
    """(B, K * D): what the head reads after the final norm, nearly always the class token."""
    attentions: tuple["tf.Tensor", ...]
    """L tensors (B, H, T, T), post-softmax."""
    block_outputs: tuple["tf.Tensor", ...]
    """L tensors (B, T, D), before the final norm."""
    last_normalized: "tf.Tensor"
    """(B, T, D): output of the first norm inside the last block."""
    num_prefix_tokens: int
    """Tokens before those of the patches, as the model has them."""
    insides: tuple[BlockInside, ...] = ()
    """L blocks, for the frozen backward pass."""
    readout_row: FloatArray | None = None
    """(T,): weights, 1 in sum, with which the head reads the tokens; None: the class token alone."""


class FrozenGradients(NamedTuple):
    """A target score s as an affine function of the tokens x_l that enter each block, all gates held constant.

    s = sum(at_inputs[l] * x_l) + constants[l], for every block l.
    """

    at_inputs: tuple["tf.Tensor", ...]
    """L tensors (B, T, D)."""
    constants: tuple["tf.Tensor", ...]
    """L tensors (B,): what the biases from block l on add."""
    scores: "tf.Tensor"
    """s of the forward pass, (B,)."""


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """The file that a model's weights came from."""

    uri: str
    """As the config names it."""
    path: Path
    """The local file, or folder of a checkpoint."""
    sha256: str
    file_format: str
    """`h5`, `h5-model`, `weights.h5` or `keras`; `huggingface` or `timm` of a checkpoint."""
    source_run_id: str | None = None
    """The MLflow run that produced the file, when the uri names one."""


@dataclass(frozen=True, slots=True)
class VisionTransformer:
    """A loaded model, ready to be traced."""

    trace: Callable[["tf.Tensor"], Trace]
    """Maps RGB of 0 to 255, float32 (B, height, width, 3), to a Trace; preprocesses inside; differentiable."""
    readout: Callable[["tf.Tensor", str], "tf.Tensor"]
    """Logits (B, C) of the head on any block's output (B, T, D), pooled after the final norm by `head` (what the head
    reads), `cls` or `mean`."""
    freeze: Callable[[], Callable[[Trace, "tf.Tensor"], FrozenGradients]]
    """Gives the frozen backward pass, from a trace and the weights (B, C) of the score, or refuses the model."""
    predict_probs: Callable[..., "tf.Tensor"]
    """The model's own output as class probabilities (B, C), from images as for `trace`; a second argument names another
    preprocessing."""
    classes: tuple[str, ...]
    """In the order of the outputs."""
    preprocessing: str
    """As the config has it: a name such as `raw` or `vit`, or `{mean: [...], std: [...]}`."""
    image_size: tuple[int, int]
    """(height, width) in pixels."""
    patch_size: int
    num_layers: int
    num_heads: int
    hidden_size: int
    weights: WeightsSource
    backbone_sha256: str
    """Over the backbone's weights by canonical name: equal for two runs that share a frozen backbone."""
    architecture: Mapping[str, object]
    """Backbone and head as plain values, for the recipe."""
    device: str
    keras_model: "tf.keras.Model | None" = field(default=None, repr=False, compare=False)
    num_prefix_tokens: int = 1
    """Tokens before those of the patches."""
    pooling: str = "cls"
    """What the head reads: `cls`, `mean`, `cls_mean` or `cls_dist`."""
    feature_size: int = 0
    """Width of what the head reads; 0: the hidden size."""
    needs_autograph: bool = True
    """Whether layers may hold Python control flow on tensors, which TensorFlow has to convert; looking for it takes
    seconds."""

    @property
    def grid_size(self) -> tuple[int, int]:
        """Patch rows and patch columns."""
        return self.image_size[0] // self.patch_size, self.image_size[1] // self.patch_size


@dataclass(frozen=True, slots=True)
class MapSpec:
    """One attention map to compute for every image."""

    map_id: str
    method: str
    target: str
    """`predicted`, `true`, `contrast`, `nearest` or a class name; ignored by class-agnostic methods."""
    options: Mapping[str, object]
    version: int
    """Of the method's numbers."""
    is_signed: bool = False
    """Values are kept with their sign as well."""
    is_complete: bool = False
    """Values add up to the score, up to a constant, and how well they do is kept."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its percentile bootstrap interval."""

    value: float
    ci_low: float
    ci_high: float
    num_undefined: int = 0
    """Resamples in which the number was not defined."""


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """One row of the per-class table."""

    class_name: str
    support: int
    num_predicted: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that was computed from labels and probabilities."""

    headline: Mapping[str, Interval]
    """By metric name, in the order of the metric table."""
    per_class: tuple[ClassMetrics, ...]
    confusion: IntArray
    """Counts, true classes in rows, shape (C, C), in the order of the model's classes."""
    calibration_bins: tuple[tuple[float, float, int], ...]
    """Mean confidence, accuracy and count of each confidence bin; NaN for an empty bin."""

    @property
    def averaged_classes(self) -> tuple[str, ...]:
        """Names of the classes that averages over classes run over: those that occur among labels or verdicts."""
        return tuple(row.class_name for row in self.per_class if row.support or row.num_predicted)

    @property
    def classes_with_rows(self) -> tuple[str, ...]:
        """Names of the classes that occur among the labels."""
        return tuple(row.class_name for row in self.per_class if row.support)
