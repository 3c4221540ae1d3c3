"""Pages of MLflow's UI, as path and query behind the server's address."""

from collections.abc import Sequence
from urllib.parse import quote

from evalharness.tracking.store import Store

SWEEP_TAG = "sweep"
# Without it MLflow opens its pages for language models.
WORKFLOW = "workflowType=machine_learning"


def run_link(store: Store, run_id: str) -> str:
    """The page of one run."""
    return f"/#/experiments/{store.experiment_id}/runs/{run_id}?{WORKFLOW}"


def compare_link(
    store: Store, run_ids: Sequence[str] = (), *, sweep: str | None = None, view: str | None = None
) -> str:
    """The page that shows runs side by side as charts.

    Args:
        store: Where the runs are.
        run_ids: These runs.
        sweep: The runs that share this sweep tag. Without either: all runs of the experiment.
        view: Key of a shared view, which holds its own search.
    """
    if view is not None:
        # A search in the address would keep the UI from reading the view.
        query = f"{WORKFLOW}&compareRunsMode=CHART&viewStateShareKey={quote(view, safe='')}"
        return f"/#/experiments/{store.experiment_id}/runs?{query}"
    condition = ""
    if sweep is not None:
        condition = f"tags.{SWEEP_TAG} = '{sweep}'"
    elif run_ids:
        condition = "attributes.run_id IN ({})".format(", ".join(f"'{run_id}'" for run_id in run_ids))
    query = f"{WORKFLOW}&compareRunsMode=CHART"
    if condition:
        query += f"&searchFilter={quote(condition, safe='')}"
    return f"/#/experiments/{store.experiment_id}/runs?{query}"
