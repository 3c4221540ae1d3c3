"""Every metric again, by scikit-learn or row after row, and predictions that are hard to get right."""

import warnings

import numpy as np
from sklearn import metrics as scikit


def oracle(name, labels, probs, rows=slice(None)):
    """The metric of that name on some of the rows; averages run over the classes that occur in all of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name in AVERAGES:
            score, occurring = AVERAGES[name]
            verdicts = probs.argmax(axis=1)
            classes = occurring(labels, verdicts)
            return score(labels[rows], verdicts[rows], labels=classes, average="macro", zero_division=0)
        return ORACLES[name](labels[rows], probs[rows])


AVERAGES = {
    "balanced_accuracy": (scikit.recall_score, lambda labels, verdicts: np.unique(labels)),
    "macro_precision": (scikit.precision_score, np.union1d),
    "macro_recall": (scikit.recall_score, np.union1d),
    "macro_f1": (scikit.f1_score, np.union1d),
}


def _top2(labels, probs):
    hits = [label in np.argsort(-row, kind="stable")[:2] for label, row in zip(labels, probs, strict=True)]
    return np.mean(hits)


def _ece(labels, probs):
    error = 0.0
    for number in range(15):
        rows = [i for i, row in enumerate(probs) if number / 15 < row.max() <= (number + 1) / 15]
        if rows:
            accuracy = np.mean([probs[i].argmax() == labels[i] for i in rows])
            error += len(rows) / len(labels) * abs(accuracy - np.mean([probs[i].max() for i in rows]))
    return error


def _roc_auc(labels, probs):
    occurring = set(labels.tolist())
    if len(occurring) < 2:
        return np.nan
    return np.mean([scikit.roc_auc_score(labels == index, probs[:, index]) for index in occurring])


ORACLES = {
    "accuracy": lambda labels, probs: scikit.accuracy_score(labels, probs.argmax(axis=1)),
    "top2_accuracy": _top2,
    "mcc": lambda labels, probs: scikit.matthews_corrcoef(labels, probs.argmax(axis=1)),
    "log_loss": lambda labels, probs: scikit.log_loss(labels, probs, labels=range(probs.shape[1])),
    "brier": lambda labels, probs: scikit.brier_score_loss(
        labels, probs, labels=range(probs.shape[1]), scale_by_half=False
    ),
    "ece": _ece,
    "roc_auc": _roc_auc,
}


def informed_probs(labels, num_classes, generator):
    """Probabilities that lean to the true class."""
    scores = generator.normal(size=(len(labels), num_classes))
    scores[np.arange(len(labels)), labels] += 1.2
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def _plain():
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 5, 60)
    return labels, informed_probs(labels, 5, generator)


def _rare_class():
    """Class 4 has one row, and vanishes from a third of all resamples; class 3 has two."""
    generator = np.random.default_rng(2)
    labels = np.array([0] * 20 + [1] * 12 + [2] * 8 + [3] * 2 + [4])
    return labels, informed_probs(labels, 5, generator)


def _absent_class():
    """Classes 1 and 4 have no rows, and class 4 is predicted all the same; class 2 never is."""
    generator = np.random.default_rng(3)
    labels = generator.choice([0, 2, 3], 50)
    probs = informed_probs(labels, 5, generator) * [1, 1, 0, 1, 2]
    return labels, probs / probs.sum(axis=1, keepdims=True)


def _ties():
    """Tenths: equal scores within rows and columns, zeros and ones, confidences on the edges of bins."""
    generator = np.random.default_rng(4)
    labels = generator.integers(0, 4, 70)
    probs = np.array([generator.multinomial(10, row) for row in informed_probs(labels, 4, generator)]) / 10
    probs[:3] = [[1, 0, 0, 0], [0, 0, 0, 1], [0.25, 0.25, 0.25, 0.25]]
    return labels, probs


def _two_classes():
    generator = np.random.default_rng(5)
    labels = np.array([0] * 25 + [1] * 2)
    return labels, informed_probs(labels, 2, generator)


def _collapsed():
    """The model says the same of every row."""
    return np.arange(20) % 3, np.tile([0.5, 0.3, 0.2], (20, 1))


CASES = {
    "plain": _plain(),
    "rare class": _rare_class(),
    "absent class": _absent_class(),
    "ties": _ties(),
    "two classes": _two_classes(),
    "collapsed": _collapsed(),
}
