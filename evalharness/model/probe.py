"""The probe: weights load under settings that no file tells, and only then score low. Which settings score best?"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from evalharness.config import PREPROCESSINGS
from evalharness.model.backbone import find_backbone
from evalharness.records import FloatArray, IntArray, Interval, UInt8Array, VisionTransformer

LEAST_GAIN = 0.05
"""In accuracy: a smaller one is no reason to suspect the setting."""
ALPHA = 0.05
BATCH = 32
HEAD_WIDTHS = (16, 32, 64, 96, 128)
"""Hidden size / heads of the Vision Transformers that are published; nearly always 64."""


@dataclass(frozen=True)
class Candidate:
    """One value of the setting and how the same weights score with it."""

    value: str
    accuracy: float
    """0 to 1."""
    gain: Interval
    """In accuracy over the configured value, on the same images."""
    p_value: float
    """That both are equally often right, corrected for the number of values tried."""

    @property
    def is_better(self) -> bool:
        """Whether it scores clearly better than what is configured."""
        return self.gain.value >= LEAST_GAIN and self.gain.ci_low > 0 and self.p_value < ALPHA


@dataclass(frozen=True)
class ProbeResult:
    """The values of one setting, scored on the same images."""

    key: str
    """Of the config."""
    num_images: int
    configured: Candidate
    others: tuple[Candidate, ...]
    """In the order in which they were tried."""
    majority: float
    """Accuracy of always answering the most frequent class, 0 to 1."""

    @property
    def best(self) -> Candidate:
        """The value with the highest accuracy; the configured one where no other is above it."""
        return max((self.configured, *self.others), key=lambda candidate: candidate.accuracy)

    @property
    def accuracy(self) -> dict[str, float]:
        """Of every value, 0 to 1."""
        return {candidate.value: candidate.accuracy for candidate in (self.configured, *self.others)}

    @property
    def better(self) -> Candidate | None:
        """The best value if it is clearly better; None of images of one class, which a wrong input may favour."""
        return self.best if self.best.is_better and self.majority < 1 else None

    @property
    def warning(self) -> str | None:
        """Set where another value is clearly better."""
        best = self.better
        if best is None:
            return None
        return (
            f"{self.key}={self.configured.value} scores {self.configured.accuracy:.1%} on {self.num_images} images, "
            f"{best.value} scores {best.accuracy:.1%} (better by {_points(best.gain)}): the weights were probably "
            f"trained with {self.key}={best.value}"
        )

    @property
    def sentence(self) -> str:
        """Which value is best, and whether that is known."""
        best = self.best
        if self.majority == 1:
            return f"all images are of one class, which does not tell whether {self.key} is right"
        if best.accuracy <= self.majority < 1:
            return (
                f"no {self.key} scores above {self.majority:.1%}, as always answering the most frequent class does: "
                "check the weights, the head and the order of model.classes"
            )
        if best is self.configured:
            return f"{self.key}={best.value}, as configured, scores best"
        if self.better:
            return f"{self.key}={best.value} scores best, better than {self.configured.value} by {_points(best.gain)}"
        return (
            f"{self.key}={best.value} scores best, but {self.num_images} images do not tell it from "
            f"{self.configured.value} (better by {_points(best.gain)}); more of them might: model.probe=N"
        )


@dataclass(frozen=True)
class ProbeImages:
    """The images that every value is scored on."""

    images: UInt8Array
    """RGB, (N, height, width, 3), 0 to 255."""
    labels: IntArray
    """(N,) class indices."""
    groups: Sequence[str] | None = None
    """What the bootstrap draws together; None: every image by itself."""


def probe_preprocessing(model: VisionTransformer, photos: ProbeImages) -> ProbeResult:
    """Scores the images under the configured preprocessing and every other named one."""
    names = [name for name in PREPROCESSINGS if name != model.preprocessing]
    correct = {name: _is_correct(model, photos, name) for name in names}
    configured = {model.preprocessing: _is_correct(model, photos, None)}
    return _compare("model.preprocessing", {**configured, **correct}, photos)


def probe_heads(model: VisionTransformer, photos: ProbeImages, preprocessing: str | None = None) -> ProbeResult | None:
    """Scores the images with other numbers of attention heads, which have weights of the same shapes.

    Args:
        model: The model, whose own number is the configured one.
        photos: The images.
        preprocessing: A named one; None: the model's own.

    Returns:
        None where no other number is usual at this hidden size.
    """
    usual = [model.hidden_size // width for width in HEAD_WIDTHS if model.hidden_size % width == 0]
    others = [number for number in usual if number != model.num_heads]
    if not others:
        return None
    correct = {str(model.num_heads): _is_correct(model, photos, preprocessing)}
    for number in others:
        with _other_heads(model, number):
            correct[str(number)] = _is_correct(model, photos, preprocessing)
    return _compare("model.num_heads", correct, photos)


@contextmanager
def _other_heads(model: VisionTransformer, num_heads: int) -> Iterator[None]:
    layers = [block.att for block in find_backbone(model.keras_model).blocks]
    before = [(layer.num_heads, layer.projection_dim) for layer in layers]
    for layer in layers:
        layer.num_heads, layer.projection_dim = num_heads, model.hidden_size // num_heads
    try:
        yield
    finally:
        for layer, (number, width) in zip(layers, before, strict=True):
            layer.num_heads, layer.projection_dim = number, width


def _compare(key: str, correct: Mapping[str, FloatArray], photos: ProbeImages) -> ProbeResult:
    """The first value is the configured one."""
    # SciPy takes a second to import, and whoever only looks a weights file up needs none of it.
    from evalharness.statistics import holm, mcnemar_exact, paired_bootstrap

    (configured, baseline), *others = correct.items()
    p_values = [mcnemar_exact(int((values > baseline).sum()), int((values < baseline).sum())) for _, values in others]
    candidates = [
        Candidate(
            value, float(values.mean()), paired_bootstrap(values - baseline, groups=photos.groups), float(p_value)
        )
        for (value, values), p_value in zip(others, holm(p_values), strict=True)
    ]
    return ProbeResult(
        key=key,
        num_images=len(baseline),
        configured=Candidate(configured, float(baseline.mean()), Interval(0.0, 0.0, 0.0), 1.0),
        others=tuple(candidates),
        majority=float(np.unique(photos.labels, return_counts=True)[1].max() / len(baseline)),
    )


def _is_correct(model: VisionTransformer, photos: ProbeImages, preprocessing: str | None) -> FloatArray:
    """1 where the verdict is right, (N,); under the model's own preprocessing if none is named."""
    import tensorflow as tf

    verdicts = []
    for start in range(0, len(photos.images), BATCH):
        batch = tf.cast(photos.images[start : start + BATCH], tf.float32)
        verdicts.append(np.argmax(model.predict_probs(batch, preprocessing), axis=1))
    is_correct: FloatArray = (np.concatenate(verdicts) == photos.labels).astype(np.float64)
    return is_correct


def _points(gain: Interval) -> str:
    return f"{100 * gain.value:.1f} points [{100 * gain.ci_low:.1f}, {100 * gain.ci_high:.1f}]"
