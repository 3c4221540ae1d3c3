"""The fitted layer: its scaling folded in, its strength chosen over groups."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evalharness.repairing import refit
from evalharness.repairing.refit import fit, fit_layer, fold_scaling


def made_up(num_classes, *, num=300, width=12, seed=0):
    """Features whose columns have far apart means and scales, one of them constant."""
    generator = np.random.default_rng(seed)
    labels = np.arange(num) % num_classes
    features = generator.normal(0, 1, (num, width)) + generator.normal(0, 1, (num_classes, width))[labels]
    features = features * np.geomspace(1e-3, 1e3, width) + np.linspace(-50, 50, width)
    features[:, 3] = 7.0
    return features, labels


def test_folded_scaling_is_the_scaling_by_hand():
    kernel, bias = fold_scaling(
        np.array([[2.0, -1.0], [4.0, 0.5]]), np.array([1.0, 3.0]), np.array([10.0, -2.0]), np.array([2.0, 0.5])
    )
    np.testing.assert_allclose(kernel, [[1.0, -0.5], [8.0, 1.0]])
    # (x - mean) / scale of x = mean is zero, so that only the bias is left.
    np.testing.assert_allclose(np.array([10.0, -2.0]) @ kernel + bias, [1.0, 3.0])


@pytest.mark.parametrize("num_classes", [2, 3, 5])
def test_probabilities_are_those_of_scikit_learn_with_its_scaler(num_classes):
    features, labels = made_up(num_classes)
    kernel, bias = fit(features, labels, 0.1)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)).fit(features, labels)
    assert kernel.shape == (12, num_classes)
    np.testing.assert_allclose(
        softmax(features @ kernel + bias, axis=1), pipeline.predict_proba(features), atol=1e-5, rtol=0
    )


def test_float32_weights_give_the_same_probabilities():
    # As of a class token: no column is far from zero in units of its own spread.
    generator = np.random.default_rng(2)
    labels = np.arange(200) % 4
    features = generator.normal(0, 1, (200, 64)) + generator.normal(0, 1, (4, 64))[labels]
    features = features * generator.uniform(0.1, 3, 64) + generator.normal(0, 2, 64)
    layer = fit_layer("linear", features, labels, [str(place) for place in range(len(labels))], seed=1)
    kernel, bias = fit(features, labels, layer.strength)
    assert layer.kernel.dtype == layer.bias.dtype == np.float32
    np.testing.assert_allclose(
        softmax(layer.logits(features), axis=1), softmax(features @ kernel + bias, axis=1), atol=1e-5, rtol=0
    )


def test_a_photo_and_its_copy_are_never_on_both_sides_of_a_fold():
    # Noise that says nothing: only a copy of the same photo could tell its class.
    generator = np.random.default_rng(3)
    features, labels = generator.normal(0, 1, (200, 150)), np.arange(200) % 2
    twice, both = np.concatenate([features, features]), np.tile(labels, 2)
    groups = [str(place) for place in range(200)] * 2
    apart = fit_layer("linear", twice, both, groups, seed=0)
    leaking = fit_layer("linear", twice, both, [str(place) for place in range(400)], seed=0)
    assert apart.accuracy < 0.65
    assert leaking.accuracy > 0.75


def test_the_strength_is_the_one_with_the_least_log_loss(monkeypatch):
    features, labels = made_up(3, num=120)
    groups = [str(place) for place in range(120)]
    chosen = fit_layer("last", features, labels, groups, seed=0)
    losses = {}
    for strength in refit.STRENGTHS:
        monkeypatch.setattr(refit, "STRENGTHS", (strength,))
        losses[strength] = fit_layer("last", features, labels, groups, seed=0).log_loss
    assert chosen.strength == min(losses, key=losses.get)
    assert chosen.log_loss == pytest.approx(min(losses.values()))
    assert chosen.name == "last"
