"""What a class-specific map explains: a word for a class that differs from image to image, or one class by its name."""

TARGETS = ("predicted", "true", "contrast")
CLASS_PREFIX = "class:"


def target_of_class(name: str) -> str:
    """How a class is named as a target: by its name, with a prefix where that would be one of the words."""
    return f"{CLASS_PREFIX}{name}" if name in TARGETS or name.startswith(CLASS_PREFIX) else name


def class_of(target: str) -> str:
    """The class that a target names."""
    return target.removeprefix(CLASS_PREFIX)
