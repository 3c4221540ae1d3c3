"""What is said of an image beside the evaluated ones, and what is not where they are too few."""

import pytest

from evalharness.inspecting.evaluated_images import PlaceAmong, _describe_places


def test_from_99_images_on_one_in_a_hundred_can_be_told():
    assert PlaceAmong(None, 0.99, None, 99).is_unlike is True
    assert PlaceAmong(None, 1 - 2 / 150, None, 149).is_unlike is False
    assert PlaceAmong(None, 1.0, None, 98).is_unlike is None
    assert PlaceAmong(None, None, None, 500).is_unlike is None


def test_from_19_images_on_one_in_twenty():
    assert PlaceAmong(None, None, 1 - 1 / 20, 19).is_noisy is True
    assert PlaceAmong(None, None, 1 - 2 / 31, 30).is_noisy is False
    assert PlaceAmong(None, None, 1.0, 18).is_noisy is None


def test_what_cannot_be_told_is_left_out_and_the_number_stays():
    few = PlaceAmong(0.8, 1 - 1 / 41, 0.5, 40)
    assert few.plain == {
        "calibrated_confidence": 0.8,
        "novelty": pytest.approx(40 / 41),
        "noise": 0.5,
        "is_noisy": False,
    }
    assert few.warnings == ()
    many = PlaceAmong(None, 1 - 1 / 201, None, 200)
    assert many.plain["is_unlike"] is True
    assert many.warnings == ("unlike the evaluated images: farther from them than 99.5% of images like them would be",)


def test_too_few_images_or_groups_are_said():
    assert _describe_places(99, 99, object()) == []
    (few,) = _describe_places(40, 40, object())
    assert few == (
        "whether an image is unlike the evaluated ones cannot be told: 40 evaluated images are too few to say what "
        "is as rare as 1% (99 are needed)"
    )
    (grouped,) = _describe_places(60, 240, object())
    assert "240 evaluated images of 60 groups (dataset.group), which count as one each, are too few" in grouped
    (alone,) = _describe_places(2, 200, None)
    assert "have too few others outside their own group" in alone
