"""Fixtures that every test may ask for."""

import gc
import os
from pathlib import Path

import pytest
from tiny_vit import TinyRun, build_tiny_model, write_photos

from evalharness.cli.launchers import THREAD_VARIABLES

# Before TensorFlow is imported: two workers with threads for both cores each took a quarter more of their time.
for _variable in THREAD_VARIABLES:
    os.environ.setdefault(_variable, "1")


def pytest_collection_finish():
    """The collector would otherwise go through TensorFlow, MLflow and all else that was imported, again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory) -> TinyRun:
    """Forty photos of five classes and a tiny ViT's weights."""
    root = tmp_path_factory.mktemp("photos")
    write_photos(root, num_per_class=8).to_csv(root / "testing_files.csv", index=False)
    build_tiny_model().save_weights(root / "tiny.h5")
    return TinyRun(root / "tiny.h5", root / "testing_files.csv", root)


@pytest.fixture(scope="session")
def flowers() -> Path:
    """The folder of real photos and weights; tests that use it are marked `flowers`."""
    folder = os.environ.get("EVALHARNESS_FLOWERS")
    if not folder:
        pytest.skip("EVALHARNESS_FLOWERS does not name the folder of real photos and weights")
    return Path(folder)


@pytest.fixture(autouse=True)
def _empty_working_directory(tmp_path_factory, monkeypatch):
    """Nothing is left behind in the repository."""
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))
