import pytest
from tracking_results import write_results

from evalharness.config import TrackingConfig
from evalharness.tracking import open_store
from evalharness.tracking.client import connect


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def store(runs_dir):
    return open_store(TrackingConfig(), runs_dir)


@pytest.fixture(scope="module")
def client(store):
    return connect(store.uri)


@pytest.fixture
def results(tmp_path):
    """Writes a results folder with the given differences."""
    return lambda name="results", **values: write_results(tmp_path / name, **values)
