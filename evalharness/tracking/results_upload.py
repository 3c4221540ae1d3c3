"""Uploads a finished results folder to a run; repeating it changes nothing."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from evalharness.slugs import ascii_form, ascii_slug
from evalharness.tracking.client import connect, failures_told, http_limits, shown_uri
from evalharness.tracking.description import describe
from evalharness.tracking.finished_evaluation import FinishedEvaluation
from evalharness.tracking.logged_model import find_or_create_model
from evalharness.tracking.run_fields import metrics_of, params_of, tags_of
from evalharness.tracking.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from PIL import Image

FIGURES, RESULTS = "figures", PurePosixPath("results")
SAMPLES_TABLE = "samples.json"
MAX_TABLE_ROWS = 2000
MAX_IMAGE_KEY = 120
"""MLflow adds 84 characters, and a file name has at most 255 bytes."""
MAX_ASPECT = 128
"""Longer side / shorter side; MLflow's thumbnail has 256 pixels on the longer one."""
TABLE_TAG = "mlflow.loggedArtifacts"


def upload_results(store: Store, run_id: str, folder: Path) -> None:
    """Logs everything of a finished evaluation to a run.

    Args:
        store: Where the run is.
        run_id: A run made by `start_run`.
        folder: The results folder.

    Raises:
        ResultsError: The evaluation is not finished.
        TrackingError: The store failed; the folder is complete and the upload can be repeated.
    """
    evaluation = FinishedEvaluation.read(folder)
    client = connect(store.uri)
    fix = (
        f"The results are complete in {evaluation.folder}: repeat the upload with "
        f"`evalharness log {shlex.quote(str(evaluation.folder))}` once the store works"
    )
    with (
        http_limits(timeout_s=60, max_retries=3),
        failures_told("results cannot be uploaded to MLflow", store.uri, fix),
    ):
        _log_fields(client, store, run_id, evaluation)
        client.log_dict(run_id, _shareable(evaluation.config), "config.yaml")
        _log_files(client, run_id, evaluation)
        _log_samples(client, run_id, evaluation)
        _log_overlays(client, run_id, evaluation)


def _log_fields(client: "MlflowClient", store: Store, run_id: str, evaluation: FinishedEvaluation) -> None:
    from mlflow.entities import LoggedModelInput, Metric, Param, RunTag

    model_id = find_or_create_model(client, store, evaluation)
    models = [LoggedModelInput(model_id=model_id)] if model_id else None
    client.log_inputs(run_id, datasets=[_dataset_input(evaluation)], models=models)
    metrics = [
        Metric(
            name,
            value,
            # The evaluation's own time: a repeated upload then adds no second point.
            timestamp=evaluation.created_ms,
            step=0,
            model_id=model_id,
            dataset_name=evaluation.dataset_name,
            dataset_digest=evaluation.dataset_digest,
            run_id=run_id,
        )
        for name, value in metrics_of(evaluation).items()
    ]
    params = [Param(key, value) for key, value in params_of(evaluation).items()]
    tags = {**tags_of(evaluation), "mlflow.note.content": describe(evaluation, run_id)}
    client.log_batch(run_id, metrics, params, [RunTag(key, value) for key, value in tags.items()])


def _dataset_input(evaluation: FinishedEvaluation) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = {"uri": evaluation.provenance["dataset"]["csv"], "root": evaluation.provenance["dataset"]["root"]}
    profile = {
        "num_rows": evaluation.recipe["dataset"]["num_rows"],
        "num_evaluated": evaluation.manifest["num_evaluated"],
        "num_skipped": evaluation.manifest["num_skipped"],
        "sha256": evaluation.recipe["dataset"]["digest"],
        "csv_sha256": evaluation.provenance["dataset"]["csv_sha256"],
    }
    columns = [{"type": "string", "name": name, "required": True} for name in ("path", "label")]
    dataset = Dataset(
        name=evaluation.dataset_name,
        digest=evaluation.dataset_digest,
        source_type="local",
        source=json.dumps(source),
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps(profile),
    )
    return DatasetInput(dataset=dataset, tags=[InputTag("mlflow.data.context", "evaluation")])


def _log_files(client: "MlflowClient", run_id: str, evaluation: FinishedEvaluation) -> None:
    if evaluation.report:
        client.log_artifact(run_id, str(evaluation.report))
    for path in evaluation.figures:
        client.log_artifact(run_id, str(path), FIGURES)
    for path in evaluation.tables_and_arrays:
        client.log_artifact(run_id, str(path), (RESULTS / path.relative_to(evaluation.folder).parent).as_posix())


def _log_samples(client: "MlflowClient", run_id: str, evaluation: FinishedEvaluation) -> None:
    """The samples as a table of the UI. MLflow's own `log_table` would append the rows again when repeated."""
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / SAMPLES_TABLE
        _samples(evaluation).to_json(path, orient="split", index=False, double_precision=6)
        client.log_artifact(run_id, str(path))
    client.set_tag(run_id, TABLE_TAG, json.dumps([{"path": SAMPLES_TABLE, "type": "table"}]))


def _samples(evaluation: FinishedEvaluation) -> "pd.DataFrame":
    """The columns that a person reads, wrong and confident rows first where not all fit.

    The UI's comparison of tables joins on the first column and shows the second.
    """
    import pandas as pd

    samples = pd.read_parquet(evaluation.folder / "samples.parquet")
    probs = [name for name in samples.columns if name.startswith("prob_")]
    samples = samples[["row_id", "pred_label", "label", "correct", "confidence", *probs]]
    if len(samples) > MAX_TABLE_ROWS:
        worst_first = samples.sort_values(["correct", "confidence"], ascending=[True, False], kind="stable")
        samples = worst_first.head(MAX_TABLE_ROWS)
    return samples


def _log_overlays(client: "MlflowClient", run_id: str, evaluation: FinishedEvaluation) -> None:
    """Photo beside map under keys that are equal in every run of the same images."""
    from PIL import Image

    logged = _logged_images(client, run_id)
    for path in evaluation.overlays:
        key = _image_key(path.stem, evaluation.map_ids)
        stored = [name for name in logged if name.startswith(f"{key.replace('/', '~')}+")]
        # Two files an image: the picture and its thumbnail.
        if len(stored) < 2:
            with Image.open(path) as image:
                client.log_image(run_id, _loggable(image), key=key, step=0)


def _loggable(image: "Image.Image") -> "Image.Image":
    """The image, thicker where its thumbnail, which MLflow makes in proportion, would be thinner than a pixel."""
    shortest = -(-max(image.size) // MAX_ASPECT)
    width, height = (max(side, shortest) for side in image.size)
    return image if (width, height) == image.size else image.resize((width, height))


def _logged_images(client: "MlflowClient", run_id: str) -> list[str]:
    """File names of the images that the run has; MLflow adds a random part, so that one logged twice is there twice."""
    from mlflow.exceptions import MlflowException

    try:
        return [Path(entry.path).name for entry in client.list_artifacts(run_id, "images")]
    except MlflowException as error:
        # Listing asks for logged models, which servers before MLflow 3 do not have.
        if error.error_code != "ENDPOINT_NOT_FOUND":
            raise
        return []


def _image_key(stem: str, map_ids: Sequence[str]) -> str:
    """`<class>.<row>.<map_id>` becomes `overlay/<map_id>/<class>.<row>`, in ASCII: MLflow takes nothing else here."""
    map_id = max((known for known in map_ids if stem.endswith(f".{known}")), key=len)
    class_name, _, row = stem.removesuffix(f".{map_id}").partition(".")
    image = f"{ascii_form(class_name)}.{ascii_form(row)}"
    key = f"overlay/{map_id}/{image}"
    return key if len(key) <= MAX_IMAGE_KEY else f"overlay/{ascii_slug(map_id)}/{ascii_slug(image)}"


def _shareable(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config without a password in the store's URI."""
    tracking = dict(config["tracking"])
    if tracking.get("uri"):
        tracking["uri"] = shown_uri(tracking["uri"])
    return {**config, "tracking": tracking}
