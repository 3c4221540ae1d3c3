"""What judges photos, as the bench sees it: the model and its evaluation stand behind a function."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evalharness.records import FloatArray


@dataclass(frozen=True, slots=True)
class Judged:
    """What is said of one photo."""

    belief: str
    """`believe`, `check` or `unknown`."""
    class_name: str | None
    """None where the belief is `unknown`."""
    confidence: float
    """0 to 1."""
    top: tuple[tuple[str, float], ...]
    """The most probable classes."""
    reasons: tuple[str, ...]
    """In plain words, the most important first."""
    warnings: tuple[str, ...] = ()
    risk: float | None = None
    """Probability that the verdict is wrong, 0 to 1."""
    density: FloatArray | None = None
    """The map, (grid rows, grid columns)."""


@dataclass(frozen=True, slots=True)
class NotAPhoto:
    """A file that cannot be judged."""

    reason: str


@dataclass(frozen=True, slots=True)
class PhotoJudge:
    """A loaded model. It is asked from one thread, one photo at a time."""

    classes: tuple[str, ...]
    judge: Callable[[Path], Judged | NotAPhoto]
    warm_up: Callable[[], None] = lambda: None
    """Compiles what only some photos need."""
