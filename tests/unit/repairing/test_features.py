"""Features on disk: nothing that was computed is computed again, and nothing damaged is believed."""

import numpy as np
import pytest

from evalharness.repairing.features import FeatureStore, FrozenBackbone, Shot
from evalharness.repairing.near_duplicates import find_near


class CountingLayers:
    """A model of 2 x 2 images whose feature is the first pixel."""

    names = ("linear", "last")

    def __init__(self, dies_at=None):
        self.seen = []
        self.dies_at = dies_at
        self.model = type("Model", (), {"image_size": (2, 2)})()

    def inputs(self, images):
        values = images[:, 0, 0, :1].astype(np.float32)
        self.seen += values[:, 0].tolist()
        if self.dies_at in self.seen:
            raise KeyboardInterrupt
        return {"linear": values, "last": 2 * values}


def shots(*numbers):
    return [Shot(f"key {number}", lambda n=number: np.full((2, 2, 3), n, np.uint8)) for number in numbers]


def backbone(folder, layers):
    return FrozenBackbone(layers, FeatureStore(folder), batch_size=2, num_workers=1)


def test_features_come_in_the_order_asked_and_are_computed_once(tmp_path):
    layers = CountingLayers()
    first = backbone(tmp_path, layers).features(shots(3, 1, 2, 3), "asking")
    assert first["linear"][:, 0].tolist() == [3, 1, 2, 3]
    assert first["last"][:, 0].tolist() == [6, 2, 4, 6]
    assert sorted(number for number in layers.seen if number) == [1, 2, 3]
    again = CountingLayers()
    found = backbone(tmp_path, again).features(shots(2, 4), "asking")
    assert found["linear"][:, 0].tolist() == [2, 4]
    assert [number for number in again.seen if number] == [4]


def test_a_killed_reading_continues(tmp_path, monkeypatch):
    monkeypatch.setattr("evalharness.repairing.features.SHOTS_PER_PART", 2)
    with pytest.raises(KeyboardInterrupt):
        backbone(tmp_path, CountingLayers(dies_at=5)).features(shots(1, 2, 3, 4, 5, 6), "asking")
    layers = CountingLayers()
    backbone(tmp_path, layers).features(shots(1, 2, 3, 4, 5, 6), "asking")
    assert [number for number in layers.seen if number] == [5, 6]


def test_a_damaged_part_is_computed_again(tmp_path):
    backbone(tmp_path, CountingLayers()).features(shots(1, 2), "asking")
    (part,) = tmp_path.glob("*.npz")
    part.write_bytes(part.read_bytes()[:40])
    layers = CountingLayers()
    backbone(tmp_path, layers).features(shots(1, 2), "asking")
    assert [number for number in layers.seen if number] == [1, 2]


def test_near_duplicates_are_told_by_the_usual_distance():
    generator = np.random.default_rng(0)
    evaluated = generator.normal(0, 1, (50, 8))
    shown = np.concatenate([generator.normal(0, 1, (20, 8)), evaluated[[7]] + 1e-3, evaluated[[30]] + 1e-2])
    assert find_near(evaluated, shown) == [(20, 7), (21, 30)]
    # The same in other units.
    assert find_near(1e4 * evaluated, 1e4 * shown) == [(20, 7), (21, 30)]
    assert find_near(evaluated, shown[:20]) == []
