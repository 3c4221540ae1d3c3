"""The `attention` section: which maps to compute, and for which class."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from evalharness.config.base import Frozen, Options, Text


class MapConfig(Frozen):
    """One entry of `attention.methods`, when a bare name is not enough."""

    method: str
    target: Text | None = None
    name: Text | None = Field(None, description="The map's id; required when options differ from the defaults.")
    options: Options = Field(default_factory=dict)


def _named_methods(value: object) -> object:
    if isinstance(value, list | tuple):
        return [{"method": entry} if isinstance(entry, str) else entry for entry in value]
    return value


class AttentionConfig(Frozen):
    """`attention`: which maps to compute, and for which class."""

    methods: Annotated[tuple[MapConfig, ...], BeforeValidator(_named_methods)]
    target: Text = Field(
        "predicted",
        description="`predicted`, `true`, `contrast`, `nearest`, or a class name (`class:true` if one is called so).",
    )
