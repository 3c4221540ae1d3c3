import math

import numpy as np
import pytest

from evalharness.audit import (
    Effects,
    Yardstick,
    control_threshold,
    judge,
    measure_effects,
    measure_quadrants,
    measure_rate,
)
from evalharness.audit.uses import _leave_one_out

NAN = float("nan")


def test_effects_by_hand():
    logits = np.array([[2.0, 1.0], [0.0, 3.0]])
    erased = np.array([[0.5, 1.0], [NAN, NAN]])
    controls = np.array([[[2.0, 1.0], [1.0, 2.0]], [[0.0, 2.0], [NAN, NAN]]])
    effects = measure_effects(logits, erased, controls)
    np.testing.assert_array_equal(effects.targets, [0, 1])
    np.testing.assert_array_equal(effects.delta_logit, [1.5, NAN])
    np.testing.assert_array_equal(effects.control_delta_logit, [[0, 1], [1, NAN]])
    expected = 1 / (1 + math.exp(-1)) - 1 / (1 + math.exp(0.5))
    np.testing.assert_allclose(effects.delta_prob, [expected, NAN])
    np.testing.assert_array_equal(effects.flips, [1, NAN])
    np.testing.assert_array_equal(effects.control_flips, [[0, 1], [0, NAN]])
    np.testing.assert_array_equal(effects.has_control, [True, True])


def test_the_class_is_that_of_the_original_verdict():
    # The verdict moves to class 1; the delta is still that of class 0.
    effects = measure_effects(np.array([[1.0, 0.0]]), np.array([[-1.0, 9.0]]), np.array([[[1.0, 0.0]]]))
    assert effects.delta_logit[0] == 2


def test_threshold_is_the_order_statistic():
    # ceil(0.95 * 20) = 19 of 19; ceil(0.95 * 41) = 39 of 40.
    assert control_threshold(np.arange(19.0)[:, None]).value == 18
    assert control_threshold(np.arange(40.0).reshape(10, 4)).value == 38
    few = control_threshold(np.arange(18.0)[:, None])
    assert math.isnan(few.value)
    assert few.num_controls == 18


def test_missing_controls_are_not_pooled():
    controls = np.full((40, 2), NAN)
    controls[:, 0] = np.arange(40)
    threshold = control_threshold(controls)
    assert (threshold.value, threshold.num_controls) == (38, 40)


def test_control_rate_leaves_the_image_itself_out():
    # Four controls an image, all equal within it: an image is above iff it is above the other images' threshold.
    controls = np.repeat(np.arange(10.0)[:, None], 4, axis=1)
    # Without the image itself 36 values are left, ceil(0.95 * 37) = 36: the largest. Only the top image exceeds it.
    assert control_threshold(controls).control_rate == pytest.approx(0.1)


def test_control_rate_equals_taking_each_image_out_in_turn():
    generator = np.random.default_rng(5)
    controls = generator.integers(-6, 7, (40, 4)).astype(float)
    controls[generator.random(controls.shape) < 0.3] = NAN
    parts = []
    for image in range(40):
        others = control_threshold(np.delete(controls, image, axis=0)).value
        own = controls[image][~np.isnan(controls[image])]
        # Every image weighs as one, as every region does.
        parts += [(own > others).mean()] if len(own) else []
    assert control_threshold(controls).control_rate == pytest.approx(np.mean(parts))
    assert max(parts) > 0


def test_each_image_is_left_out_of_its_own_threshold():
    controls = np.random.default_rng(6).normal(size=(30, 4))
    controls[::3, 2] = NAN
    controls[7] = NAN
    expected = [control_threshold(np.delete(controls, image, axis=0)).value for image in range(30)]
    np.testing.assert_array_equal(_leave_one_out(controls, ~np.isnan(controls), 0.95), expected)


def test_control_rate_with_ties_takes_out_the_right_number():
    controls = np.zeros((12, 2))
    assert control_threshold(controls).control_rate == 0


def test_controls_and_regions_without_effect_exceed_at_about_five_per_cent():
    generator = np.random.default_rng(0)
    logits = np.tile([5.0, 0.0], (500, 1))
    erased, controls = logits.copy(), np.repeat(logits[:, None], 4, axis=1)
    erased[:, 0] -= generator.normal(size=500)
    controls[..., 0] -= generator.normal(size=(500, 4))
    effects = measure_effects(logits, erased, controls)
    judgement = judge(effects, np.ones(500), np.ones((500, 4)))
    assert judgement.uses_threshold.control_rate == pytest.approx(0.05, abs=0.005)
    rate = measure_rate(judgement.uses)
    assert rate.interval.value == pytest.approx(0.05, abs=0.025)
    assert not rate.is_raised


def test_a_region_that_matters_is_raised():
    generator = np.random.default_rng(0)
    logits = np.tile([5.0, 0.0], (60, 1))
    erased, controls = logits.copy(), np.repeat(logits[:, None], 4, axis=1)
    erased[:30, 0] -= 10
    controls[..., 0] -= generator.normal(size=(60, 4))
    rate = measure_rate(judge(measure_effects(logits, erased, controls), np.ones(60), np.ones((60, 4))).uses)
    assert rate.interval.value == pytest.approx(0.5)
    assert rate.is_raised


def judged():
    """Twenty-five images whose controls have deltas and lifts 0 and 1; the first five are the four quadrants and one
    without control."""
    logits = np.zeros((25, 2))
    logits[:, 0] = 10
    controls = np.repeat(logits[:, None], 2, axis=1)
    controls[:, 1, 0] -= 1
    controls[4] = NAN
    erased = logits.copy()
    erased[[0, 2, 4], 0] -= 2
    lift, control_lift = np.full(25, 0.5), np.tile([0.0, 1.0], (25, 1))
    lift[[0, 1, 4]] = 3
    control_lift[4] = NAN
    return judge(measure_effects(logits, erased, controls), lift, control_lift)


def test_quadrants():
    judgement = judged()
    assert list(judgement.quadrants[:6]) == ["relies", "looks only", "uses unseen", "clean", "undetermined", "clean"]
    assert judgement.num_without_control == 1
    assert np.isnan([judgement.uses[4], judgement.looks[4]]).all()
    assert (judgement.uses_threshold.value, judgement.looks_threshold.value) == (1, 1)


def test_rates_are_of_what_could_be_told():
    rates = measure_quadrants(judged())
    assert {name: rate.interval.value for name, rate in rates.items()} == pytest.approx(
        {"relies": 1 / 24, "looks only": 1 / 24, "uses unseen": 1 / 24, "clean": 21 / 24}
    )
    assert all(rate.num_images == 24 for rate in rates.values())


def test_too_few_controls_leave_everything_undetermined():
    logits = np.array([[1.0, 0.0]])
    judgement = judge(
        measure_effects(logits, logits - 1, np.repeat(logits[:, None], 4, axis=1)), np.ones(1), np.ones((1, 4))
    )
    assert list(judgement.quadrants) == ["undetermined"]
    rate = measure_rate(judgement.uses)
    assert rate.num_images == 0
    assert not rate.is_raised
    assert math.isnan(rate.interval.value)


def test_a_use_takes_its_least_effect_from_the_probability():
    """By hand: controls of 0 to 18 hundredths, so that 0.19 lies above all; its class loses 0.05 of probability."""
    num = 20
    delta_logit, control_logit = np.full(num, 0.19), np.arange(float(num))[:, None] / 100
    effects = Effects(
        targets=np.zeros(num, int),
        delta_logit=delta_logit + 0.01,
        delta_prob=np.where(np.arange(num) < 5, 0.05, 0.02),
        flips=np.zeros(num),
        control_delta_logit=control_logit,
        control_delta_prob=np.where(control_logit >= 0.19, 0.05, 0.0),
        control_flips=np.zeros((num, 1)),
    )
    lift, control_lift = np.full(num, 2.0), np.ones((num, 1))
    without = judge(effects, lift, control_lift)
    assert without.uses.sum() == num
    assert without.uses_threshold.control_rate == pytest.approx(1 / num)
    judged = judge(effects, lift, control_lift, Yardstick(min_effect=0.05))
    np.testing.assert_array_equal(judged.uses, [1] * 5 + [0] * 15)
    np.testing.assert_array_equal(judged.quadrants, ["relies"] * 5 + ["looks only"] * 15)
    assert judged.uses_threshold.control_rate == pytest.approx(1 / num)
    none = judge(effects, lift, control_lift, Yardstick(min_effect=0.06))
    assert none.uses.sum() == 0
    assert none.uses_threshold.control_rate == 0


def test_the_quantile_moves_the_threshold_and_the_rate_by_construction():
    # ceil(0.8 * 20) = 16 of 19.
    assert control_threshold(np.arange(19.0)[:, None], 0.8).value == 15
    assert Yardstick(0.8).rate_by_construction == pytest.approx(0.2)
    flags = np.array([1.0] * 3 + [0.0] * 7)
    assert measure_rate(flags, yardstick=Yardstick(0.995)).is_raised
    assert not measure_rate(flags, yardstick=Yardstick(0.8)).is_raised
