"""The verdict on a map, from measures that are made up."""

import math

import numpy as np
import pytest

from evalharness.attention.faithfulness_verdict import MEASURES, RIVALS, judge_maps
from evalharness.config import GateConfig
from evalharness.evaluating.stages.faithfulness import Faithfulness, FaithfulnessFinding

NUM_IMAGES = 30
ROW_IDS = [str(number) for number in range(NUM_IMAGES)]
NOISE = np.random.default_rng(8).normal(0, 0.02, NUM_IMAGES)


def measures(faithfulness, head_similarity):
    """Of one map, by image; a number is meant with a little noise."""
    if np.isscalar(faithfulness):
        faithfulness = faithfulness + NOISE
    values = {name: np.full(NUM_IMAGES, 0.5) for name in MEASURES}
    return {**values, "faithfulness": faithfulness, "head_similarity": head_similarity + np.zeros(NUM_IMAGES)}


def judge(groups=ROW_IDS, **maps):
    values = {"random": measures(0.0, 1.0), "center": measures(0.2, 1.0), **maps}
    judged = judge_maps(
        values, [*maps, *RIVALS], groups=groups, max_head_similarity=0.9, num_resamples=500, confidence=0.95, seed=1
    )  # fmt: skip
    return {entry.map_id: entry for entry in judged}


def test_a_map_that_beats_both_and_notices_the_head_is_to_be_believed():
    entry = judge(good=measures(0.4, 0.3))["good"]
    assert entry.is_trusted
    assert entry.verdict == "believe it: beats random, beats center, notices the head"
    assert entry.leads["center"].value == pytest.approx(0.2)
    assert entry.leads["random"].value == pytest.approx(0.4)
    assert entry.num_images == NUM_IMAGES


def test_leads_are_paired_image_by_image():
    """Images differ far more than maps do; on each of them the map is 0.05 ahead."""
    spread = np.random.default_rng(2).normal(0, 0.5, NUM_IMAGES)
    found = judge(good=measures(spread + 0.05, 0.3), center=measures(spread, 1.0))["good"]
    assert found.measures["faithfulness"].ci_low < 0 < found.measures["faithfulness"].ci_high
    assert (found.leads["center"].ci_low, found.leads["center"].ci_high) == pytest.approx((0.05, 0.05))
    assert found.beats("center")


def test_a_map_no_better_than_the_centre_is_not_to_be_relied_on():
    verdict = judge(blob=measures(0.2, 0.3))["blob"].verdict
    assert verdict == "do not rely on it: beats random, does not beat center, notices the head"


@pytest.mark.parametrize(
    ("low", "high", "notices", "words"),
    [
        (0.3, 0.5, True, "notices the head"),
        (0.97, 1.0, False, "blind to the head: says nothing about the class"),
        # The interval holds the threshold: nothing is known.
        (0.75, 1.0, False, "not shown to notice the head"),
        (math.nan, math.nan, False, "not shown to notice the head"),
    ],
)
def test_a_map_notices_the_head_if_its_interval_says_so(low, high, notices, words):
    similarity = np.where(np.arange(NUM_IMAGES) % 2, low, high)
    entry = judge(map=measures(0.6, similarity))["map"]
    assert entry.notices_head is notices
    assert entry.is_trusted is notices
    assert entry.verdict.endswith(f"beats center, {words}")


def test_rivals_are_yardsticks():
    found = judge(good=measures(0.4, 0.3))
    for rival in RIVALS:
        assert found[rival].verdict == "a yardstick, blind to the model"
        assert not found[rival].is_trusted
    assert set(found["random"].leads) == {"center"}


def test_images_without_a_map_are_left_out_and_counted():
    faithfulness = 0.4 + NOISE
    faithfulness[:5] = np.nan
    entry = judge(some=measures(faithfulness, 0.3))["some"]
    assert entry.measures["faithfulness"].value == pytest.approx(faithfulness[5:].mean())
    assert (entry.num_images, entry.num_units) == (NUM_IMAGES, NUM_IMAGES - 5)
    assert entry.is_trusted


def test_a_map_that_no_image_has_beats_nothing():
    entry = judge(none=measures(np.full(NUM_IMAGES, np.nan), math.nan))["none"]
    assert math.isnan(entry.measures["faithfulness"].value)
    assert not any(entry.beats(rival) for rival in RIVALS)
    assert entry.verdict == "cannot tell: 0 images that differ have this map, and it takes 10"
    assert not entry.is_trusted


def test_a_few_images_say_nothing_however_good_the_map():
    faithfulness = np.where(np.arange(NUM_IMAGES) < 9, 0.9, np.nan)
    entry = judge(few=measures(faithfulness, 0.1))["few"]
    assert not entry.is_trusted
    assert entry.verdict.startswith("cannot tell: 9 images")


def test_images_of_one_scene_are_drawn_together():
    """Ten scenes of three alike images: as wide as ten images, and not as thirty."""
    scenes = np.random.default_rng(3).normal(0.05, 0.1, 10)
    own = {"random": measures(np.zeros(NUM_IMAGES), 1.0), "map": measures(np.repeat(scenes, 3), 0.3)}
    groups = [f"scene {index // 3}" for index in range(NUM_IMAGES)]
    apart, together = judge(**own)["map"], judge(groups, **own)["map"]
    maps = {**own, "center": own["random"]}
    few = judge_maps(
        {name: {key: values[::3] for key, values in each.items()} for name, each in maps.items()},
        ["map"], groups=groups[::3], max_head_similarity=0.9, num_resamples=500, confidence=0.95, seed=1,
    )[0]  # fmt: skip
    lead = together.leads["random"]
    assert (lead.ci_low, lead.ci_high) == pytest.approx((few.leads["random"].ci_low, few.leads["random"].ci_high))
    assert lead.ci_low < apart.leads["random"].ci_low - 0.01
    assert together.num_units == 10


def test_the_gate_is_on_the_first_map():
    good, bad = judge(map=measures(0.4, 0.3))["map"], judge(map=measures(0.2, 0.3))["map"]
    gate = GateConfig(attention=True)

    def broken_gates(config, *maps):
        return Faithfulness().broken_gates(config, FaithfulnessFinding(maps, 0.9))

    assert broken_gates(gate, good, bad) == ()
    assert broken_gates(gate, bad, good) == (
        "gate.attention: map: do not rely on it: beats random, does not beat center, notices the head",
    )
    assert broken_gates(GateConfig(), bad) == ()
