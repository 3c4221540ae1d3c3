"""The control quantile weighs every image as one: by its definition in whole fractions, by hand, and by simulation."""

import math
from fractions import Fraction

import numpy as np
import pytest

from evalharness.audit import control_threshold, judge, measure_effects
from evalharness.audit.uses import _leave_one_out

NAN = float("nan")
QUANTILE = Fraction(95, 100)


def by_definition(controls, quantile=QUANTILE):
    """The smallest control t with sum over images of (controls up to t) / k >= quantile (n + mean of 1 / k)."""
    images = [[float(value) for value in row if not math.isnan(value)] for row in controls]
    images = [own for own in images if own]
    if not images:
        return NAN
    extra = sum((Fraction(1, len(own)) for own in images), Fraction(0)) / len(images)
    for value in sorted(value for own in images for value in own):
        weight = sum((Fraction(sum(each <= value for each in own), len(own)) for own in images), Fraction(0))
        if weight >= quantile * (len(images) + extra):
            return value
    return NAN


def ragged(generator, num_images, *, whole=False, most=6):
    """Between none and six controls an image, with ties where whole."""
    controls = np.full((num_images, most), NAN)
    for row in controls:
        count = generator.integers(0, most + 1)
        row[:count] = generator.integers(-4, 5, count) if whole else generator.normal(size=count)
    return controls


def test_by_hand():
    """Two images with one control, one with three; at the median 0.5 (3 + 7/9) = 17/9 of the weight is wanted."""
    controls = np.array([[1.0, NAN, NAN], [8.0, NAN, NAN], [5.0, 6.0, 7.0]])
    # Weights up to 1, 5, 6, 7, 8: 1, 4/3, 5/3, 2, 3.
    assert control_threshold(controls, 0.5).value == 7
    # Pooled, the third of five would be 6.
    assert control_threshold(controls, 0.45).value == 7
    assert control_threshold(controls, 0.44).value == 6
    assert math.isnan(control_threshold(controls, 0.8).value)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_left_continuous_inverse_of_the_weighted_distribution(seed, whole):
    generator = np.random.default_rng(seed)
    controls = ragged(generator, int(generator.integers(5, 70)), whole=whole)
    np.testing.assert_equal(control_threshold(controls).value, by_definition(controls))
    for tenths in (6, 7, 8, 9):
        found = control_threshold(controls, tenths / 10).value
        np.testing.assert_equal(found, by_definition(controls, Fraction(tenths, 10)))


@pytest.mark.parametrize("whole", [False, True])
def test_each_image_is_left_out_of_its_own_threshold(whole):
    controls = ragged(np.random.default_rng(7), 60, whole=whole)
    expected = [by_definition(np.delete(controls, image, axis=0)) for image in range(60)]
    np.testing.assert_array_equal(_leave_one_out(controls, ~np.isnan(controls), 0.95), expected)
    assert np.isfinite(expected).all()


@pytest.mark.parametrize("num_controls", [1, 3, 4, 32])
def test_with_as_many_controls_in_every_image_it_is_an_order_statistic(num_controls):
    controls = np.random.default_rng(1).normal(size=(40, num_controls))
    place = math.ceil(QUANTILE * (40 * num_controls + 1))
    assert control_threshold(controls).value == np.sort(controls.ravel())[place - 1]


def test_an_image_with_many_controls_weighs_no_more_than_one():
    """Twenty images with one control each, and one whose 32 lie above all: 0.9 (21 + 20.03 / 21) is 19.76 of 21."""
    controls = np.full((21, 32), NAN)
    controls[:20, 0] = np.arange(20.0)
    controls[20] = 100
    assert control_threshold(controls, 0.9).value == 19
    assert control_threshold(controls).num_controls == 52


def false_rates(num_controls, scales, *, num_images=120, num_draws=200, shared=0.0):
    """Part of the regions above the threshold, weighted and pooled, where region and controls are drawn alike.

    Images are of the given kinds in turn; `shared` is how alike the values of one image are.
    """
    generator = np.random.default_rng(0)
    kinds = np.arange(num_images) % len(scales)
    counts, spread = np.array(num_controls)[kinds], np.array(scales)[kinds]
    weighted, pooled = [], []
    for _ in range(num_draws):
        own = generator.normal(size=(num_images, 1)) * math.sqrt(shared)
        values = own + generator.normal(size=(num_images, 1 + counts.max())) * math.sqrt(1 - shared)
        values *= spread[:, None]
        controls = np.where(np.arange(counts.max()) < counts[:, None], values[:, 1:], NAN)
        weighted.append((values[:, 0] > control_threshold(controls).value).mean())
        flat = np.sort(controls[~np.isnan(controls)])
        pooled.append((values[:, 0] > flat[math.ceil(0.95 * (len(flat) + 1)) - 1]).mean())
    return np.mean(weighted), np.mean(pooled)


@pytest.mark.parametrize("shared", [0.0, 0.6])
@pytest.mark.parametrize(
    ("num_controls", "scales"),
    [
        ((4, 1), (1, 4)),  # large regions: one place for a control, and four times the effect
        ((1, 4), (1, 4)),  # the reverse
        ((4, 3, 2, 1), (1, 2, 3, 4)),
        ((8, 1, 1), (1, 3, 10)),
        ((4, 4), (1, 4)),
    ],
)
def test_five_per_cent_exceed_where_nothing_is_used_whatever_the_number_of_controls(num_controls, scales, shared):
    """The mean of 200 draws of 120 images is known to about 0.0014."""
    weighted, _ = false_rates(num_controls, scales, shared=shared)
    assert weighted == pytest.approx(0.05, abs=0.006)


def test_pooled_controls_would_not_have_held_five_per_cent():
    assert false_rates((4, 1), (1, 4))[1] > 0.08
    assert false_rates((1, 4), (1, 4))[1] < 0.04


def test_the_verdict_uses_it():
    """Of 200 images every second has one control and four times the effect; nothing is used."""
    generator = np.random.default_rng(3)
    logits = np.tile([5.0, 0.0], (200, 1))
    spread = np.where(np.arange(200) % 2, 4.0, 1.0)
    erased, controls = logits.copy(), np.repeat(logits[:, None], 4, axis=1)
    erased[:, 0] -= generator.normal(size=200) * spread
    controls[..., 0] -= generator.normal(size=(200, 4)) * spread[:, None]
    controls[1::2, 1:] = NAN
    effects = measure_effects(logits, erased, controls)
    lift = generator.normal(size=200) * spread
    control_lift = np.where(np.isnan(controls[..., 0]), NAN, generator.normal(size=(200, 4)) * spread[:, None])
    judged = judge(effects, lift, control_lift)
    assert judged.uses_threshold.value == by_definition(effects.control_delta_logit)
    assert judged.looks_threshold.value == by_definition(control_lift)
    assert judged.uses_threshold.control_rate == pytest.approx(0.05, abs=0.01)
