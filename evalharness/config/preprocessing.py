"""How pixels of 0 to 255 are scaled for the model: by a name, or by a mean and a standard deviation a channel."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator

from evalharness.config.base import Frozen

PreprocessingName = Literal["raw", "vit", "rescale", "imagenet"]
PREPROCESSINGS: tuple[str, ...] = get_args(PreprocessingName)
NUM_CHANNELS = 3
EXPECTED = f"{', '.join(PREPROCESSINGS)}, or {{mean: [r,g,b], std: [r,g,b]}}"
Number = Annotated[float, Field(strict=True)]
"""No boolean, and no text."""


def _are_three(value: object) -> object:
    if isinstance(value, list | tuple) and len(value) == NUM_CHANNELS:
        return value
    raise ValueError(f"expected three numbers, [r,g,b], got {value}")


Channels = Annotated[tuple[Number, Number, Number], BeforeValidator(_are_three)]


class Normalization(Frozen):
    """Pixels / 255, minus `mean`, divided by `std`; red, green, blue."""

    mean: Channels
    std: Channels

    @field_validator("mean", "std")
    @classmethod
    def _is_of_pixels_over_255(cls, value: Channels) -> Channels:
        if any(number > 1 for number in value):
            raise ValueError(
                f"expected numbers of at most 1, of pixels / 255, got {_listed(value)}; divide them by 255"
            )
        return value

    @field_validator("mean")
    @classmethod
    def _mean_is_a_pixel(cls, value: Channels) -> Channels:
        if any(number < 0 for number in value):
            raise ValueError(f"expected numbers from 0 to 1, got {_listed(value)}; it is subtracted")
        return value

    @field_validator("std")
    @classmethod
    def _std_divides(cls, value: Channels) -> Channels:
        if any(number <= 0 for number in value):
            raise ValueError(f"expected numbers above 0, got {_listed(value)}")
        return value


def _is_known(value: object) -> object:
    if not isinstance(value, Mapping | Normalization) and value not in PREPROCESSINGS:
        raise ValueError(f"expected {EXPECTED}, got {value}")
    return value


def _form_of(value: object) -> str:
    return "[name]" if isinstance(value, str) else "[values]"


Preprocessing = Annotated[
    Annotated[PreprocessingName, Tag("[name]")] | Annotated[Normalization, Tag("[values]")],
    Discriminator(_form_of),
    BeforeValidator(_is_known),
]


def preprocessing_text(value: "str | Mapping[str, Any] | Normalization") -> str:
    """As it is written on the command line.

    Args:
        value: From a config, or from a recipe, which holds plain values.
    """
    if isinstance(value, str):
        return value
    values = value.model_dump() if isinstance(value, Normalization) else value
    return f"{{mean: {_listed(values['mean'])}, std: {_listed(values['std'])}}}"


def _listed(numbers: Any) -> str:
    return f"[{', '.join(f'{number:g}' for number in numbers)}]"
