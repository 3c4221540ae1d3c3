"""Temperature scaling against a grid search, and on logits whose right temperature is known."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from evalharness.metrics.temperature import cross_fit_temperature, fit_temperature


def labelled_logits(temperature, num_rows=4000, seed=0):
    """Logits that are `temperature` times too large for their labels."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(num_rows, 3)) * 2
    probs = softmax(logits, axis=1)
    labels = (generator.random(num_rows)[:, None] > probs.cumsum(axis=1)).sum(axis=1)
    return logits * temperature, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_found(temperature):
    logits, labels = labelled_logits(temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.1)


def test_it_is_the_best_of_a_fine_grid():
    logits, labels = labelled_logits(1.7, num_rows=150)
    grid = np.linspace(0.5, 5, 2001)
    losses = [-log_softmax(logits / t, axis=1)[np.arange(150), labels].mean() for t in grid]
    assert fit_temperature(logits, labels) == pytest.approx(grid[np.argmin(losses)], abs=0.005)


def test_each_fold_is_judged_by_a_temperature_fitted_without_it():
    logits, labels = labelled_logits(3.0, num_rows=600)
    found = cross_fit_temperature(logits, labels, None, seed=1)
    assert len(found.folds) == 5
    assert found.value == pytest.approx(np.exp(np.mean(np.log(found.folds))))
    assert found.log_loss_after < found.log_loss_before
    assert found.ece_after < found.ece_before
    probs = found.apply(logits)
    np.testing.assert_allclose(probs, softmax(logits / found.value, axis=1))
    assert probs.max(axis=1).mean() == pytest.approx((probs.argmax(axis=1) == labels).mean(), abs=0.05)


def test_confidences_stay_as_they_are_where_scaling_does_not_help_or_is_not_determined():
    logits = np.where(np.eye(3)[np.arange(30) % 3] == 1, 4.0, 0.0)
    perfect = cross_fit_temperature(logits, np.arange(30) % 3, None, seed=1)
    # Every label is the highest logit: the smaller the temperature the better, without end.
    assert not perfect.helps
    np.testing.assert_array_equal(perfect.apply(logits), softmax(logits, axis=1))


def test_a_group_is_never_on_both_sides():
    """Copies of a row that the model is wrong about would teach the fold that holds the others."""
    logits, labels = labelled_logits(2.0, num_rows=40)
    copies, groups = np.repeat(np.arange(40), 10), np.repeat([f"g{number}" for number in range(40)], 10)
    together = cross_fit_temperature(logits[copies], labels[copies], list(groups), seed=3)
    alone = cross_fit_temperature(logits, labels, [f"g{number}" for number in range(40)], seed=3)
    assert together.folds == pytest.approx(alone.folds, rel=1e-4)
    assert together.log_loss_after == pytest.approx(alone.log_loss_after, rel=1e-4)
