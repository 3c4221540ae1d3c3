"""What a class-specific map explains: a word for a class that differs from image to image, or one class by its name."""

import re
from typing import NamedTuple

TARGETS = ("predicted", "true", "contrast", "nearest")
CLASS_PREFIX = "class:"
NEAREST = re.compile(r"nearest(?::(?P<num_classes>[1-9]\d*):(?P<weight>0|1|[01]?\.\d+))?")


class Nearest(NamedTuple):
    """The target `nearest`: the predicted class minus a part of the mean of those that come next."""

    num_classes: int = 3
    weight: float = 0.6


def is_word(target: str) -> bool:
    """Whether a target is one of the words, and not a class's name."""
    return target in TARGETS or nearest_of(target) is not None


def nearest_of(target: str) -> Nearest | None:
    """The numbers in `nearest` or `nearest:<classes>:<weight>`; None for another target."""
    found = NEAREST.fullmatch(target)
    if found is None:
        return None
    if found["num_classes"] is None:
        return Nearest()
    return Nearest(int(found["num_classes"]), float(found["weight"]))


def target_of_class(name: str) -> str:
    """How a class is named as a target: by its name, with a prefix where that would be one of the words."""
    return f"{CLASS_PREFIX}{name}" if is_word(name) or name.startswith(CLASS_PREFIX) else name


def class_of(target: str) -> str:
    """The class that a target names."""
    return target.removeprefix(CLASS_PREFIX)
