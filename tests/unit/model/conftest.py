"""Models that several files of tests share, built once a session; TensorFlow takes seconds to build even a tiny ViT."""

import pytest
import tiny_models
from tiny_models import Loader


@pytest.fixture(scope="session")
def loader() -> Loader:
    return Loader()


@pytest.fixture(scope="session")
def notebook():
    """The four-block model that has been trained and saved, as it were; tests leave it all trainable."""
    return tiny_models.notebook_model()


@pytest.fixture(scope="session")
def expected(notebook):
    """Its probabilities of three photos under `vit` preprocessing."""
    return tiny_models.probs_of(notebook, tiny_models.scaled(tiny_models.images()))


@pytest.fixture(scope="session")
def saved(notebook, tmp_path_factory):
    """Its file in each layout."""
    folder = tmp_path_factory.mktemp("saved")
    return {layout: tiny_models.save(notebook, folder, layout) for layout in tiny_models.FILES}


@pytest.fixture(scope="session")
def small_saved(tmp_path_factory):
    """A model of one block and the notebook's head, in each layout."""
    folder, model = tmp_path_factory.mktemp("small"), tiny_models.notebook_model(**tiny_models.SMALL)
    return {layout: tiny_models.save(model, folder, layout) for layout in tiny_models.FILES}
