"""A run's name keeps what tells weights files apart."""

import pytest

from evalharness.evaluating.inputs import stem_of


@pytest.mark.parametrize(
    ("file_name", "stem"),
    [
        ("run1.h5", "run1"),
        ("run1.weights.h5", "run1"),
        ("run1.keras", "run1"),
        ("RUN1.H5", "RUN1"),
        ("run1", "run1"),
        ("weights.01-0.50.h5", "weights.01-0.50"),
        ("weights.02-0.40.weights.h5", "weights.02-0.40"),
        ("epoch=05-val_loss=0.21.h5", "epoch=05-val_loss=0.21"),
        ("model.v2", "model.v2"),
        (".h5", ".h5"),
        (".weights.h5", ".weights.h5"),
    ],
)
def test_only_the_ending_goes(file_name, stem):
    assert stem_of(file_name) == stem
