"""A weights file as MLflow's logged model, shared by all runs of it, so that metrics line up per model and dataset."""

from collections.abc import Mapping
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
    return find_or_create_weights(
        client,
        store,
        sha256=evaluation.weights_sha256,
        name=evaluation.weights_name.rsplit(".", 1)[0],
        tags={
            "backbone_sha256": evaluation.provenance["model"]["backbone_sha256"],
            "weights": evaluation.weights_name,
        },
        backbone=str(evaluation.recipe["model"]["backbone"]),
    )


def find_or_create_weights(
    client: "MlflowClient", store: Store, *, sha256: str, name: str, tags: Mapping[str, str], backbone: str
) -> str | None:
    """The logged model of a weights file.

    Args:
        client: Of the store.
        store: Where models are looked up and made.
        sha256: Of the file.
        name: Of a model that is made.
        tags: Of a model that is made.
        backbone: Its architecture.

    Returns:
        Its id; None on a server older than MLflow 3, which has no logged models.
    """
    from mlflow.exceptions import MlflowException

    with creation_lock(store.uri):
        try:
            condition = f"tags.weights_sha256 = '{sha256}'"
            found = client.search_logged_models([store.experiment_id], filter_string=condition, max_results=1)
        except MlflowException as error:
            if error.error_code == "ENDPOINT_NOT_FOUND":
                return None
            raise
        if found:
            return str(found[0].model_id)
        model = client.create_logged_model(
            store.experiment_id,
            name=name.translate(_FORBIDDEN) or "weights",
            tags={"weights_sha256": sha256, **tags},
            params={"backbone": backbone},
            model_type="vision_transformer",
        )
        client.finalize_logged_model(model.model_id, "READY")
        return str(model.model_id)
