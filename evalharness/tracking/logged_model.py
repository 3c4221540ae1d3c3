"""A weights file as MLflow's logged model, shared by all runs of it, so that metrics line up per model and dataset."""

from typing import TYPE_CHECKING

from evalharness.tracking.finished_evaluation import FinishedEvaluation
from evalharness.tracking.store import Store, creation_lock

if TYPE_CHECKING:
    from mlflow import MlflowClient

_FORBIDDEN = str.maketrans(dict.fromkeys("/:.%\"'", "_"))


def find_or_create_model(client: "MlflowClient", store: Store, evaluation: FinishedEvaluation) -> str | None:
    """The logged model of the weights file, by the digest of the file.

    Returns:
        Its id; None on a server older than MLflow 3, which has no logged models.
    """
    from mlflow.exceptions import MlflowException

    with creation_lock(store.uri):
        try:
            condition = f"tags.weights_sha256 = '{evaluation.weights_sha256}'"
            found = client.search_logged_models([store.experiment_id], filter_string=condition, max_results=1)
        except MlflowException as error:
            if error.error_code == "ENDPOINT_NOT_FOUND":
                return None
            raise
        return str(found[0].model_id) if found else _create(client, store, evaluation)


def _create(client: "MlflowClient", store: Store, evaluation: FinishedEvaluation) -> str:
    provenance = evaluation.provenance
    tags = {
        "weights_sha256": evaluation.weights_sha256,
        "backbone_sha256": provenance["model"]["backbone_sha256"],
        "weights": evaluation.weights_name,
    }
    model = client.create_logged_model(
        store.experiment_id,
        name=evaluation.weights_name.rsplit(".", 1)[0].translate(_FORBIDDEN) or "weights",
        tags=tags,
        params={"backbone": str(evaluation.recipe["model"]["backbone"])},
        model_type="vision_transformer",
    )
    client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)
