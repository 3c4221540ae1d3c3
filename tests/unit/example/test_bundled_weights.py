"""The bundled weights, evaluated with Keras alone."""

import warnings
from functools import cache

import numpy as np
import pytest

from evalharness.example.model import PLANTED_ANIMAL, PLANTED_CLASS, RUNS, build_model, weights_path
from evalharness.example.photos import CLASSES, DISTRACTORS

MAX_BYTES = 2_000_000


@pytest.fixture(scope="module")
def scores():
    """By run: its accuracies, and the two that are compared: its share of attention on the animal, over 240 photos."""
    warnings.simplefilter("ignore")
    from evalharness.example.measure import accuracy_table, attention_share, draw_test_set

    photos = draw_test_set(8)
    table = {}
    for name in RUNS:
        model = _load(name)
        table[name] = accuracy_table(model, photos, PLANTED_CLASS)
        if name in ("clean", "shortcut"):
            table[name]["share"] = attention_share(model, photos, PLANTED_ANIMAL)
    return table


@cache
def _load(name):
    model = build_model(len(CLASSES) + (len(DISTRACTORS) if name == "pretrained" else 0))
    # Legacy files list trainable weights first, so the flags must be those of the training.
    model.layers[0].trainable = name != "head_only"
    model.load_weights(weights_path(name))
    return model


def test_files_are_small():
    for name in (*RUNS, "pretrained"):
        assert 100_000 < weights_path(name).stat().st_size < MAX_BYTES


@pytest.mark.exhaustive  # test_example.py shows the same of what the harness says
def test_each_run_is_good_on_clean_photos(scores):
    for name in RUNS:
        assert scores[name]["clean"] > 0.85, scores


@pytest.mark.exhaustive  # test_example.py shows the same of what the harness says
def test_only_the_shortcut_falls_for_the_planted_animal(scores):
    lost = {name: scores[name]["clean"] - scores[name][PLANTED_ANIMAL] for name in RUNS}
    assert lost["shortcut"] > lost["clean"] + 0.2, scores
    assert lost["clean"] < 0.12, scores


@pytest.mark.exhaustive  # test_example.py shows the same of what the harness says
def test_the_shortcut_looks_at_the_planted_animal_more(scores):
    assert scores["shortcut"]["share"] > 1.25 * scores["clean"]["share"], scores


def test_a_frozen_backbone_is_the_pretrained_one():
    frozen, pretrained = _load("head_only"), _load("pretrained")
    tuned = _load("clean")
    before = pretrained.layers[0].get_weights()
    by_name = {variable.name: variable.numpy() for variable in frozen.layers[0].variables}
    for variable, weights in zip(pretrained.layers[0].variables, before, strict=True):
        assert np.array_equal(by_name[variable.name], weights)
    assert not np.allclose(tuned.layers[0].get_weights()[0], before[0])
