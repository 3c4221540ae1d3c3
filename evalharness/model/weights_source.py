"""Finds the weights file that the config names: a path, or an artifact of an MLflow run or model."""

import hashlib
import re
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import h5py

from evalharness.errors import WeightsError
from evalharness.folders import from_home
from evalharness.model.checkpoints import COMPONENTS, find_checkpoint, kind_of_checkpoint
from evalharness.model.foreign_weights import (
    ForeignFormat,
    checkpoint_of,
    foreign_archive,
    foreign_file,
    saved_model_fix,
    similar_names,
)
from evalharness.model.stored_weights import BROKEN_ARCHIVE, is_locked, locked_error
from evalharness.records import WeightsSource

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

ENDINGS = (".h5", ".hdf5", ".keras")
MLFLOW_URI = re.compile(r"(runs|models|mlflow-artifacts):/")
_fetched: dict[tuple[str, str | None, Path], Path] = {}
"""By location, store and cache: a config is completed from the files that are loaded later."""
OTHER_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_artifact(weights: str) -> bool:
    """Whether the config names an artifact of an MLflow store, not a path."""
    return MLFLOW_URI.match(weights) is not None


def resolve_weights(
    weights: str, *, tracking_uri: str | None, cache_dir: Path, key: str = "model.weights"
) -> WeightsSource:
    """Finds the file, tells its format from its content and hashes it.

    Args:
        weights: A path, or an MLflow uri (`runs:/...`, `models:/...`).
        tracking_uri: The MLflow store that an uri is looked up in; None will do for a path.
        cache_dir: Where artifacts of a tracking server are downloaded to.
        key: Of the config, for messages.

    Raises:
        WeightsError: No such file or artifact, or not a weights file.
    """
    path, source_run_id = find_path(weights, tracking_uri=tracking_uri, cache_dir=cache_dir, key=key)
    checkpoint = find_checkpoint(path, key)
    if checkpoint is not None:
        return WeightsSource(weights, path, checkpoint.sha256, kind_of_checkpoint(checkpoint), source_run_id)
    return WeightsSource(weights, path, _sha256(path), detect_format(path), source_run_id)


def find_path(weights: str, *, tracking_uri: str | None, cache_dir: Path, key: str) -> tuple[Path, str | None]:
    """Finds the file, or the folder of a checkpoint; arguments as of `resolve_weights`.

    Returns:
        Where it is, and the MLflow run that it came from, if the uri names one.

    Raises:
        WeightsError: No such file or artifact.
    """
    source_run_id, path = None, local_path(weights, key)
    if path is None:
        path, source_run_id = _fetch_artifact(weights, tracking_uri, cache_dir, key)
        _check_file(path, key)
    return path, source_run_id


def local_path(weights: str, key: str) -> Path | None:
    """The file that a path names; None for an MLflow uri.

    Raises:
        WeightsError: No such file, or an address that nothing is fetched from.
    """
    if is_artifact(weights):
        return None
    if OTHER_URI.match(weights):
        raise WeightsError(
            "weights are not fetched from such an address",
            expected="a path, or an MLflow uri (runs:/... or models:/...)",
            got=weights,
            where=key,
            fix="Download the file and name its path",
        )
    if not weights:
        raise WeightsError("weights file not found", expected="a .h5 or .keras file", got="an empty text", where=key)
    try:
        path = Path(from_home(weights))
    except ValueError as error:
        raise WeightsError(f"{key} {error}") from error
    _check_file(path, key)
    return path


def _check_file(path: Path, key: str) -> None:
    if path.is_dir() and find_checkpoint(path, key) is None:
        raise _folder_error(path, key)
    if path.exists():
        return
    checkpoint, beside = checkpoint_of(path), similar_names(path)
    if checkpoint is not None:
        raise _foreign_error(checkpoint, path, key)
    raise WeightsError(
        "weights file not found",
        expected="a .h5 or .keras file",
        got=path,
        where=key,
        fix=f"Beside it: {', '.join(beside)}" if beside else None,
    )


def _foreign_error(found: ForeignFormat, path: Path, where: object = None) -> WeightsError:
    return WeightsError(
        f"weights are {found.name}", expected="a Keras .h5 or .keras file", got=path, where=where, fix=found.fix
    )


def _folder_error(path: Path, key: str) -> WeightsError:
    if (path / "saved_model.pb").exists():
        return WeightsError(
            "weights are in a SavedModel folder, which can run code when loaded",
            got=path,
            where=key,
            fix=saved_model_fix(path),
        )
    found = sorted(file.name for file in path.glob("*") if file.name.lower().endswith(ENDINGS))
    checkpoint = None if found else checkpoint_of(path)
    if checkpoint is not None:
        return _foreign_error(checkpoint, path, key)
    fix = f"Append the file's name, such as {found[0]}" if found else f"No file in it ends in {' or '.join(ENDINGS)}"
    return WeightsError("weights are a folder", expected="a .h5 or .keras file", got=path, where=key, fix=fix)


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
    except PermissionError as error:
        raise WeightsError("weights file may not be read", got=error.strerror, where=path) from error
    except OSError as error:
        if is_locked(error):
            raise locked_error(path, error) from error
        if zipfile.is_zipfile(path):
            return _checked_archive(path)
        foreign = foreign_file(path, _start(path))
        if foreign is not None:
            raise _foreign_error(foreign, path) from error
        raise _unreadable(path, error) from error
    except (KeyError, RuntimeError, ValueError) as error:
        raise _unreadable(path, error) from error


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)


def _unreadable(path: Path, error: Exception) -> WeightsError:
    return WeightsError(
        "weights file cannot be read",
        expected="a Keras .h5 or .keras file",
        got=_looks_like(path, error),
        where=path,
        fix=_cure(path),
    )


def _checked_archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except BROKEN_ARCHIVE as error:
        raise _unreadable(path, error) from error
    if "model.weights.h5" in members:
        return "keras"
    foreign, listed = foreign_archive(path, members), ", ".join(members[:5])
    raise WeightsError(
        "archive holds no Keras weights",
        expected="a member model.weights.h5",
        got=f"{listed}: {foreign.name}" if foreign else listed,
        where=path,
        fix=foreign.fix if foreign else None,
    )


def _looks_like(path: Path, error: Exception) -> str:
    start = _start(path)
    if not start:
        return "an empty file"
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer"
    if start.startswith(b"\x89HDF"):
        return f"a damaged HDF5 file ({error})"
    if start.startswith(b"PK"):
        return "a damaged archive"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "a web page"
    return "a file of another kind"


def _cure(path: Path) -> str:
    start = _start(path)
    if start.startswith(b"version https://git-lfs"):
        return "Fetch the file itself with `git lfs pull`"
    if not start or start.startswith((b"\x89HDF", b"PK")):
        return "Copy or save the file again: it is incomplete"
    return "Save the weights with model.save_weights('weights.h5')"


def _fetch_artifact(uri: str, tracking_uri: str | None, cache_dir: Path, key: str) -> tuple[Path, str | None]:
    from mlflow import MlflowClient
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    cache_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir) as fresh:
        try:
            location, run_id = _locate(uri, MlflowClient(tracking_uri))
            kept = _fetched.get((location, tracking_uri, cache_dir))
            if kept is not None and kept.exists():
                return kept, run_id
            local = Path(download_artifacts(artifact_uri=location, dst_path=fresh, tracking_uri=tracking_uri))
        except (MlflowException, OSError) as error:
            raise WeightsError(
                "weights cannot be fetched from MLflow",
                got=": ".join([uri, *str(error).splitlines()[:1]]),
                where=key,
                fix="Check the uri and tracking.uri, which names the store that it is looked up in",
            ) from error
        checkpoint = _only_checkpoint(local)
        kept = (
            _keep_file(_only_file(local, uri), cache_dir) if checkpoint is None else _keep_folder(checkpoint, cache_dir)
        )
    _fetched[location, tracking_uri, cache_dir] = kept
    return kept, run_id


def _only_checkpoint(local: Path) -> Path | None:
    """The one folder of a checkpoint among downloaded files; None where there is none, or several."""
    if local.is_file():
        return None
    found = {path.parent for path in local.rglob("*.safetensors")}
    return found.pop() if len(found) == 1 else None


def _keep_file(file: Path, cache_dir: Path) -> Path:
    """Moves a downloaded file to a place named by its content: runs call theirs alike, and jobs fetch one at once."""
    kept = cache_dir / _sha256(file)[:16] / file.name
    kept.parent.mkdir(exist_ok=True)
    return file.replace(kept)


def _keep_folder(folder: Path, cache_dir: Path) -> Path:
    """Moves the downloaded files of a checkpoint to a place named by their content."""
    found = find_checkpoint(folder, "model.weights")
    place = cache_dir / (found.digest[:16] if found else "checkpoint")
    staged = Path(tempfile.mkdtemp(dir=cache_dir))
    # MLflow's transformers flavour keeps the image processor beside the model.
    for part in (folder, folder.parent / COMPONENTS):
        if part.is_dir():
            part.rename(staged / part.name)
    try:
        staged.rename(place)
    except OSError:
        # Kept from before, or by another job of the sweep.
        shutil.rmtree(staged)
    return place / folder.name


def _only_file(local: Path, uri: str) -> Path:
    if local.is_file():
        return local
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
    return found[0]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _locate(uri: str, client: "MlflowClient") -> tuple[str, str | None]:
    """Where the artifact is stored, and the run that produced it.

    MLflow looks `models:/` up in its process-wide registry, not in the store that it is given: it is resolved here.
    """
    kind, _, rest = uri.partition(":/")
    first, _, path = rest.lstrip("/").partition("/")
    if kind != "models":
        return uri, first if kind == "runs" else None
    if first.startswith("m-"):
        model = client.get_logged_model(first)
        location, run_id = model.artifact_location, model.source_run_id
    else:
        if "@" in first:
            name, _, alias = first.partition("@")
            entry = client.get_model_version_by_alias(name, alias)
        else:
            version, _, path = path.partition("/")
            entry = _model_version(first, version, client)
        location, run_id = client.get_model_version_download_uri(entry.name, entry.version), entry.run_id
    return f"{location}/{path}" if path else location, run_id or None


def _model_version(name: str, version: str, client: "MlflowClient") -> "ModelVersion":
    """One version of a registered model, by its number, its stage, or `latest`."""
    from mlflow.exceptions import MlflowException

    if version.isdigit():
        return client.get_model_version(name, version)
    found = [
        entry
        for entry in client.search_model_versions(f"name='{name}'")
        if version.lower() in ("latest", str(entry.current_stage).lower())
    ]
    if not found:
        raise MlflowException(f"Model {name!r} has no version {version!r}")
    return max(found, key=lambda entry: int(entry.version))
