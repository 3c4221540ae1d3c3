"""Resamples of whole groups, drawn row by row: the slow loop that intervals are held against."""

import numpy as np


def drawn_rows(groups, resampling):
    """The rows of each resample; groups are numbered by sorted name."""
    names = sorted(set(groups))
    members = {name: [row for row, group in enumerate(groups) if group == name] for name in names}
    drawn = np.random.default_rng(resampling.seed).integers(0, len(names), (resampling.num_resamples, len(names)))
    return [[row for number in draw for row in members[names[number]]] for draw in drawn]


def middle(values, resampling):
    """The ends of the interval over what is defined."""
    tail = (1 - resampling.confidence) / 2
    return np.nanquantile(np.asarray(values, float), (tail, 1 - tail))


def ends(interval):
    return interval.ci_low, interval.ci_high


def numbers(interval):
    return interval.value, interval.ci_low, interval.ci_high
