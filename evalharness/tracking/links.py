"""Pages of MLflow's UI, as path and query behind the server's address."""

from collections.abc import Sequence
from urllib.parse import quote

from evalharness.tracking.store import Store

# Without it MLflow opens its pages for language models.
WORKFLOW = "workflowType=machine_learning"


def run_link(store: Store, run_id: str) -> str:
    """The page of one run."""
    return f"/#/experiments/{store.experiment_id}/runs/{run_id}?{WORKFLOW}"


def compare_link(store: Store, run_ids: Sequence[str] = (), *, view: str | None = None) -> str:
    """The page that shows runs side by side as charts.

    Args:
        store: Where the runs are.
        run_ids: These runs; without any, all of the experiment.
        view: Key of a shared view, which holds its own search: one in the address would keep the UI from reading it.
    """
    query = f"{WORKFLOW}&compareRunsMode=CHART"
    if view is not None:
        query += f"&viewStateShareKey={quote(view, safe='')}"
    elif run_ids:
        condition = "attributes.run_id IN ({})".format(", ".join(f"'{run_id}'" for run_id in run_ids))
        query += f"&searchFilter={quote(condition, safe='')}"
    return f"/#/experiments/{store.experiment_id}/runs?{query}"
