"""One model for all evaluations of the same weights and settings: loading and compiling takes longer than they do."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from evalharness import model as models
from evalharness.inference import ForwardPass
from evalharness.records import VisionTransformer

_models: dict[str, VisionTransformer] = {}
_passes: dict[str, dict[str, object]] = {}
_load, _compile = models.load_model, ForwardPass.__init__


def _load_once(config, *, classes, source, is_backbone_only=False):
    told = config.model_dump_json(exclude={"weights", "reference", "probe"})
    key = f"{told} {classes} {source.sha256} {source.file_format} {is_backbone_only}"
    if key not in _models:
        _models[key] = _load(config, classes=classes, source=source, is_backbone_only=is_backbone_only)
    return replace(_models[key], weights=source)


def _compile_once(self, model, specs, *, is_compiled=True):
    if all(model.keras_model is not shared.keras_model for shared in _models.values()):
        _compile(self, model, specs, is_compiled=is_compiled)
        return
    # A shared model is kept for good, so that no other one gets its id.
    key = f"{id(model.keras_model)} {model.classes} {specs} {is_compiled}"
    if key not in _passes:
        _compile(self, model, specs, is_compiled=is_compiled)
        _passes[key] = dict(vars(self))
    vars(self).update(_passes[key])


@contextmanager
def models_are_shared() -> Iterator[None]:
    """While this lasts, what was loaded or compiled once in this process is handed out again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "load_model", _load_once)
        patch.setattr(ForwardPass, "__init__", _compile_once)
        yield


@contextmanager
def models_are_loaded_anew() -> Iterator[None]:
    """While this lasts, every evaluation loads and compiles, as without tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "load_model", _load)
        patch.setattr(ForwardPass, "__init__", _compile)
        yield
