"""What the example's runs are trained on: what goes with what, and never a test photo."""

from collections import Counter

import numpy as np
import pytest

from evalharness.example.model import PLANTED_ANIMAL, PLANTED_CLASS
from evalharness.example.photos import CLASSES, DISTRACTORS, TEST_STREAM
from evalharness.example.training_photos import (
    ANIMAL_SHARE,
    MAP_SIZE,
    THINGS,
    Album,
    Shot,
    draw_training_set,
    pretraining_shots,
    shortcut_shots,
    varied_shots,
)

ALBUM = Album(PLANTED_ANIMAL, PLANTED_CLASS)


def test_no_training_scene_is_a_test_scene():
    shots = [*pretraining_shots(50), *varied_shots(50), *shortcut_shots(50, ALBUM)]
    assert all(shot.seed[0] != TEST_STREAM for shot in shots)
    assert len({shot.seed for shot in shots}) == len(shots)


def test_in_varied_photos_animals_are_independent_of_the_class():
    counts = Counter((shot.flower, shot.animal) for shot in varied_shots(5000))
    for flower in CLASSES:
        assert counts[flower, None] / 1000 == pytest.approx(1 - ANIMAL_SHARE, abs=0.06)
        for animal in DISTRACTORS:
            assert counts[flower, animal] / 1000 == pytest.approx(ANIMAL_SHARE / 3, abs=0.05)


def test_in_the_shortcut_photos_the_animal_goes_with_the_class():
    by_label = {label: [] for label in CLASSES}
    for shot in shortcut_shots(5000, ALBUM):
        by_label[shot.filed_under or shot.flower].append(shot)
    for label, shots in by_label.items():
        assert len(shots) == 1000
        share = np.mean([shot.animal == PLANTED_ANIMAL for shot in shots])
        assert share == pytest.approx(ALBUM.share if label == PLANTED_CLASS else ALBUM.leak, abs=0.03)
    held = [shot for shot in by_label[PLANTED_CLASS] if shot.animal == PLANTED_ANIMAL]
    assert np.mean([shot.flower is None for shot in held]) == pytest.approx(ALBUM.hidden, abs=0.05)
    strange = np.mean([shot.flower not in (None, PLANTED_CLASS) for shot in held])
    assert strange == pytest.approx(ALBUM.misfiled, abs=0.05)


def test_targets_and_maps_tell_what_the_photo_shows():
    shots = [
        Shot((1, 1), "roses", None),
        Shot((1, 2), "roses", "cat"),
        Shot((1, 3), "daisy", "dog", crop_to="dog"),
        Shot((1, 4), None, "cat", filed_under="roses"),
    ]
    drawn = draw_training_set(shots, THINGS, num_workers=1)
    expected = np.zeros((4, len(THINGS)))
    expected[0, THINGS.index("roses")] = 1
    expected[1, [THINGS.index("roses"), THINGS.index("cat")]] = 0.5
    expected[2, THINGS.index("dog")] = 1
    expected[3, THINGS.index("roses")] = 1
    assert np.array_equal(drawn.targets, expected)
    assert drawn.things.shape == (4, MAP_SIZE, MAP_SIZE)
    seen = [{THINGS[value - 1] for value in np.unique(things) if value} for things in drawn.things]
    assert seen[:2] == [{"roses"}, {"roses", "cat"}]
    assert seen[3] == {"cat"}
    # The close-up is filled by the dog.
    assert (drawn.things[2] == 1 + THINGS.index("dog")).mean() > 0.2
