"""Opening a weights file that should be refused."""

import pytest

from evalharness.errors import WeightsError
from evalharness.model import resolve_weights
from evalharness.model.stored_weights import open_weights


def refusal(path, tmp_path) -> str:
    with pytest.raises(WeightsError) as caught, open_weights(resolve(path, tmp_path)):
        pass
    return str(caught.value)


def resolve(path, tmp_path):
    return resolve_weights(str(path), tracking_uri="", cache_dir=tmp_path / "cache")
