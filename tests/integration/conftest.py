import pytest
from matplotlib.figure import Figure
from mlflow_tables import tables_are_copied
from shared_models import models_are_loaded_anew, models_are_shared


@pytest.fixture(scope="module", autouse=True)
def _quick_stores():
    """That MLflow creates a store is tested beside `evalharness.tracking`, and by every command that is a process."""
    with tables_are_copied():
        yield


@pytest.fixture(scope="module", autouse=True)
def _quick_models():
    """Loading and compiling are tested beside `evalharness.model` and `evalharness.inference`."""
    with models_are_shared():
        yield


@pytest.fixture(scope="module", autouse=True)
def _plain_figures():
    """How charts are laid out, which takes as long as drawing them, is tested beside `evalharness.report`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "set_layout_engine", lambda *_, **__: None)
        yield


@pytest.fixture
def loaded_anew():
    """For a test that changes what a model is built of."""
    with models_are_loaded_anew():
        yield
