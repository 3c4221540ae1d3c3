"""Ranking and summary of noise, on maps small enough to score by hand."""

import numpy as np
import pandas as pd
import pytest

from evalharness.audit import MistakePrediction
from evalharness.evaluating.stages.noise.finding import explain_mistakes
from evalharness.evaluating.stages.noise.stage import rank_noise, score_maps
from evalharness.records import Interval


def spot(*hot, size=5):
    """All of the map on some patches, evenly; a density."""
    density = np.zeros((size, size), np.float32)
    for patch in hot:
        density[patch] = size * size / len(hot)
    return density


EVEN = np.ones((5, 5), np.float32)
MAPS = np.stack([spot((2, 2)), EVEN, spot((0, 0), (0, 4), (4, 0), (4, 4)), np.full((5, 5), np.nan, np.float32)])
ROWS = ["one", "even", "corners", "none"]


def table(outliers=None):
    none = np.zeros(MAPS.shape, bool)
    return score_maps("m", ROWS, MAPS, none if outliers is None else outliers).set_index("row_id")


def test_scores_of_a_row_are_those_of_its_map():
    rows = table()
    assert rows.loc["one", ["entropy", "num_hot_blobs", "border_share"]].tolist() == [0, 1, 0]
    assert rows.loc["one", "gini"] == pytest.approx(24 / 25)
    assert rows.loc["even", "entropy"] == pytest.approx(1)
    # Sixteen of twenty-five patches are on the border.
    assert rows.loc["even", "border_share"] == pytest.approx(16 / 25)
    assert rows.loc["corners", ["num_hot_blobs", "border_share"]].tolist() == [4, 1]
    assert rows.loc["corners", "entropy"] == pytest.approx(np.log(4) / np.log(25))
    assert rows["num_hot"].tolist() == [1, 0, 4, 0]


def test_places_follow_the_mean_rank_and_skip_maps_that_are_not_defined():
    # Ranks of one, even, corners: entropy 1 3 2, blobs 2 1 3, border 1 2 3; means 4/3, 2, 8/3.
    places = table()["noise_rank"]
    assert places.drop("none").tolist() == [3, 2, 1]
    assert pd.isna(places["none"])


def test_equal_images_share_a_place():
    scores = {name: np.array([1.0, 1.0, 0.0]) for name in ("entropy", "num_hot_blobs", "border_share")}
    assert rank_noise(scores) == [1, 1, 3]
    assert rank_noise({name: np.array([np.nan]) for name in scores}) == [None]


def test_hot_patches_on_outlier_tokens_are_counted_as_artifacts():
    outliers = np.zeros(MAPS.shape, bool)
    outliers[2, 0, 0] = outliers[2, 2, 2] = True
    rows = table(outliers)
    assert rows.loc["corners", ["num_hot", "num_hot_artifacts", "num_outliers"]].tolist() == [4, 1, 2]
    assert rows.loc["one", ["num_hot", "num_hot_artifacts", "num_outliers"]].tolist() == [1, 0, 0]


def mistake(score, low, value, high, num_images=40, num_wrong=20):
    return MistakePrediction(score, Interval(value, low, high), num_images, num_wrong)


def test_the_summary_names_regions_first_each_once_and_the_shape_of_the_map_behind():
    text = explain_mistakes(
        [
            mistake("gini", 0.3, 0.45, 0.6),
            mistake("entropy", 0.8, 0.95, 0.99),
            mistake("share on dog", 0.1, 0.2, 0.3),
            mistake("lift on dog", 0.1, 0.15, 0.3),
            mistake("share on cat", 0.6, 0.7, 0.8),
        ]
    )
    assert text == (
        "Attention goes with mistakes in 4 of 5 scores (by chance 1 in 20 would). "
        "Wrong answers have a lower lift on dog than right ones (AUROC 0.15, 0.10 to 0.30; 20 of 40 wrong). "
        "Wrong answers have a higher share on cat than right ones (AUROC 0.70, 0.60 to 0.80; 20 of 40 wrong). "
        "By the shape of the map alone: AUROC of entropy 0.95."
    )


def test_the_summary_says_when_nothing_tells():
    assert "none of 1 scores" in explain_mistakes([mistake("gini", 0.4, 0.5, 0.6)])


def test_scores_with_hardly_a_right_answer_are_not_heard():
    alone = mistake("share on cat", 1.0, 1.0, 1.0, num_images=10, num_wrong=9)
    assert "cannot be told" in explain_mistakes([alone])
    assert "none of 1 scores" in explain_mistakes([alone, mistake("gini", 0.4, 0.5, 0.6)])
