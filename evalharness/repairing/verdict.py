"""Repaired, better, or not better: the sentence."""

import math
from dataclasses import dataclass
from typing import Literal

from evalharness.audit import PullCell
from evalharness.records import Interval

Outcome = Literal["repaired", "better, not repaired", "not better"]
FINE_TUNE = "Fine-tune with pasted photos, which repair.export=DIR writes."


@dataclass(frozen=True)
class PullChange:
    """The pull of one category to one class, before and after, on the same photos."""

    category: str
    class_name: str
    num_images: int
    before: Interval
    after: Interval
    fall: Interval
    """Mean of before - after, paired by photo."""
    is_harmful: bool
    """Whether it was to be repaired."""
    is_tested: bool
    """Whether enough photos tell."""


@dataclass(frozen=True)
class Verdict:
    """What became of the run, and why."""

    changes: tuple[PullChange, ...]
    """Of the pulls that were to be repaired, at least one."""
    new: PullCell | None
    """A pull that is harmful only now."""
    gained: float
    """Accuracy on photos without a distractor, after - before."""
    min_pull: float
    """`audit.min_pull`."""
    min_difference: float
    """`compare.min_difference`."""

    @property
    def outcome(self) -> Outcome:
        """Of the three.

        `repaired`: the interval of every harmful pull lies below `min_pull`, no other pull lies above it now, and the
        accuracy without a distractor fell by less than `min_difference`. `better, not repaired`: every harmful pull
        surely fell, and the accuracy held. Else `not better`.
        """
        if self._is_worse:
            return "not better"
        if self.new is None and all(
            change.is_tested and change.after.ci_high < self.min_pull for change in self.changes
        ):
            return "repaired"
        return "better, not repaired" if all(change.fall.ci_low > 0 for change in self.changes) else "not better"

    @property
    def sentence(self) -> str:
        """The outcome in plain words, with its reason and what to do."""
        numbers = "; ".join(map(_numbers, self.changes))
        accuracy = f"Without a distractor the accuracy {_moved(self.gained)}"
        if self.outcome == "repaired":
            return f"Repaired: {numbers}; the limit is {self.min_pull:g}. {accuracy}."
        if self.outcome == "better, not repaired":
            return f"Better, not repaired: {self._reason} {numbers}; the limit is {self.min_pull:g}. {accuracy}."
        if self._is_worse:
            return (
                f"Not better: {numbers}. {accuracy}, by compare.min_difference ({self.min_difference:g}) or more. "
                "Take more training photos, and such as are like the evaluated ones."
            )
        return f"Not better: {numbers}, which is not surely less. {accuracy}. {FINE_TUNE}"

    @property
    def _is_worse(self) -> bool:
        return self.gained <= -self.min_difference

    @property
    def _reason(self) -> str:
        if any(change.is_tested and change.after.value >= self.min_pull for change in self.changes):
            return f"the backbone itself carries it. {FINE_TUNE}"
        if self.new is not None:
            return f"now {self.new.category} pulls to {self.new.class_name} ({self.new.pull.value:+.3f})."
        return "too few photos tell. Evaluate more that hold it, and repair that run."


def _numbers(change: PullChange) -> str:
    after = change.after
    interval = "" if math.isnan(after.ci_low) else f" ({after.ci_low:+.3f} to {after.ci_high:+.3f})"
    return (
        f"{change.category} added {change.before.value:+.3f} to the probability of {change.class_name} and now adds "
        f"{after.value:+.3f}{interval} in {change.num_images} images of other classes"
    )


def _moved(gained: float) -> str:
    points = 100 * gained
    if round(points, 1) == 0:
        return "is the same"
    return f"{'rose' if gained > 0 else 'fell'} by {abs(points):.1f} points"
