"""What was seen of a category that is in too few images to be tested."""

from dataclasses import dataclass

import numpy as np

from evalharness.audit.geometry import BoolArray
from evalharness.audit.pull import MIN_IMAGES
from evalharness.records import FloatArray


@dataclass(frozen=True, slots=True)
class SeenCategory:
    """The images that hold one category, on one map; n images."""

    category: str
    is_wrong: BoolArray
    """Whether the verdict is, (n,)."""
    looks: FloatArray
    """Whether the map looks at the category, (n,): 1, 0, or NaN where it cannot be told."""
    flips: FloatArray
    """Whether the verdict changes when the category is erased, (n,): 1, 0, or NaN."""
    num_able: int
    """Images that can tell of a pull to a class: not of that class, with a control. Of the class with the most."""

    @property
    def sentence(self) -> str:
        """What was seen, and how many images would allow a test."""
        missing = MIN_IMAGES - self.num_able
        return (
            f"With {self.category}: {'; '.join(self._seen)}. To test its pull takes {missing} more "
            f"{_plural('image', missing)} of other classes with it."
        )

    @property
    def _seen(self) -> list[str]:
        if np.isnan(self.looks).all():
            counted = f"{int(self.is_wrong.sum())} of {len(self.is_wrong)} verdicts are wrong"
            return [counted, "whether maps look at it cannot be told (too few controls)"]
        looks = self.looks == 1
        mistakes = _looking(looks[self.is_wrong], "mistake", "mistakes")
        right = _looking(looks[~self.is_wrong], "right verdict", "right verdicts")
        if num_flips := int((self.flips[self.is_wrong & looks] == 1).sum()):
            mistakes += f", and {num_flips} of these verdicts {'changes' if num_flips == 1 else 'change'} "
            mistakes += "when it is erased"
        return [part for part in (mistakes or "no verdict is wrong", right) if part]


def _looking(looks: BoolArray, one: str, many: str) -> str:
    """`all 5 mistakes look at it`; empty where there is none."""
    total, number = len(looks), int(looks.sum())
    if not total:
        return ""
    if total == 1:
        return f"the one {one} {'looks' if number else 'does not look'} at it"
    if number == total:
        return f"{'both' if total == 2 else f'all {total}'} {many} look at it"
    return f"{number or 'none'} of {total} {many} {'looks' if number == 1 else 'look'} at it"


def _plural(noun: str, number: int) -> str:
    return noun if number == 1 else f"{noun}s"
