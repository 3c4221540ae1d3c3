"""Finds the weights file that the config names: a path, or an artifact of an MLflow run or model."""

import hashlib
import re
import zipfile
from pathlib import Path

import h5py

from evalharness.errors import WeightsError
from evalharness.records import WeightsSource

ENDINGS = (".h5", ".hdf5", ".keras")
MLFLOW_URI = re.compile(r"(runs|models|mlflow-artifacts):/")


def resolve_weights(weights: str, *, tracking_uri: str, cache_dir: Path) -> WeightsSource:
    """Finds the file, tells its format from its content and hashes it.

    Args:
        weights: A path, or an MLflow uri (`runs:/...`, `models:/...`).
        tracking_uri: The MLflow store that an uri is looked up in.
        cache_dir: Where artifacts of a tracking server are downloaded to.

    Raises:
        WeightsError: No such file or artifact, or not a weights file.
    """
    source_run_id = None
    if MLFLOW_URI.match(weights):
        path, source_run_id = _fetch_artifact(weights, tracking_uri, cache_dir)
    else:
        path = Path(weights).expanduser()
    if path.is_dir() and (path / "saved_model.pb").exists():
        raise WeightsError(
            "weights are in a SavedModel folder, which can run code when loaded",
            got=path,
            where="model.weights",
            fix="Save them once with model.save_weights('weights.h5')",
        )
    if not path.is_file():
        raise WeightsError("weights file not found", expected="a .h5 or .keras file", got=path, where="model.weights")
    file_format = detect_format(path)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return WeightsSource(weights, path, sha256, file_format, source_run_id)


def detect_format(path: Path) -> str:
    """Tells which of the layouts that Keras 2.15 writes a file has, from its content.

    Returns:
        `h5` (weights only), `h5-model` (a whole model), `weights.h5` (Keras 3 layout) or `keras` (an archive).

    Raises:
        WeightsError: None of these; the message says what the file looks like instead.
    """
    try:
        with h5py.File(path, "r") as file:
            if "layer_names" in file.attrs:
                return "h5"
            if "model_weights" in file:
                return "h5-model"
            if "layers" in file:
                return "weights.h5"
            keys = ", ".join(list(file)[:5]) or "nothing"
            raise WeightsError(
                "HDF5 file holds no Keras weights", expected="layers of a Keras model", got=keys, where=path
            )
    except OSError as error:
        if zipfile.is_zipfile(path):
            return _checked_archive(path)
        raise WeightsError(
            "weights file cannot be read",
            expected="a Keras .h5 or .keras file",
            got=_looks_like(path, error),
            where=path,
            fix=_cure(path),
        ) from error


def _checked_archive(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        if "model.weights.h5" not in archive.namelist():
            raise WeightsError(
                "archive holds no Keras weights", expected="a member model.weights.h5",
                got=", ".join(archive.namelist()[:5]), where=path,
            )  # fmt: skip
    return "keras"


def _looks_like(path: Path, error: OSError) -> str:
    start = path.read_bytes()[:64]
    if not start:
        return "an empty file"
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer"
    if start.startswith(b"\x89HDF"):
        return f"a damaged HDF5 file ({error})"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "a web page"
    return "a file of another kind"


def _cure(path: Path) -> str:
    start = path.read_bytes()[:64]
    if start.startswith(b"version https://git-lfs"):
        return "Fetch the file itself with `git lfs pull`"
    if not start or start.startswith(b"\x89HDF"):
        return "Copy or save the file again: it is incomplete"
    return "Save the weights with model.save_weights('weights.h5')"


def _fetch_artifact(uri: str, tracking_uri: str, cache_dir: Path) -> tuple[Path, str | None]:
    from mlflow import MlflowClient
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    cache_dir.mkdir(parents=True, exist_ok=True)
    try:
        local = Path(download_artifacts(artifact_uri=uri, dst_path=str(cache_dir), tracking_uri=tracking_uri))
        run_id = _run_of(uri, MlflowClient(tracking_uri))
    except (MlflowException, OSError) as error:
        raise WeightsError(
            "weights cannot be fetched from MLflow",
            got=f"{uri}: {str(error).splitlines()[0]}",
            where="model.weights",
            fix="Check the uri and tracking.uri, which names the store that it is looked up in",
        ) from error
    if local.is_file():
        return local, run_id
    found = sorted(path for path in local.rglob("*") if path.name.lower().endswith(ENDINGS))
    if len(found) != 1:
        names = ", ".join(str(path.relative_to(local)) for path in found[:5]) or "none"
        raise WeightsError(
            "MLflow artifact is a folder",
            expected="one weights file in it",
            got=names,
            where=uri,
            fix="Append the file's path to the uri",
        )
    return found[0], run_id


def _run_of(uri: str, client: "object") -> str | None:
    """The run that produced the artifact."""
    kind, _, rest = uri.partition(":/")
    first, _, others = rest.lstrip("/").partition("/")
    if kind == "runs":
        return first
    if kind != "models":
        return None
    if first.startswith("m-"):
        run_id = client.get_logged_model(first).source_run_id  # type: ignore[attr-defined]
    elif "@" in first:
        name, _, alias = first.partition("@")
        run_id = client.get_model_version_by_alias(name, alias).run_id  # type: ignore[attr-defined]
    else:
        run_id = client.get_model_version(first, others.split("/")[0]).run_id  # type: ignore[attr-defined]
    return run_id or None
