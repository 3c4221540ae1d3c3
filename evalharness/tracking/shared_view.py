"""A view of a sweep that MLflow's UI opens: the charts and columns that tell which run is better, and where it looks.

The UI keeps a shared view as a tag of the experiment: JSON of its own state, compressed since a tag holds 5,000
characters. It is opened by the tag's key in the address (MLflow 2.2 and later; others show all charts).
"""

import base64
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from evalharness.slugs import ascii_slug
from evalharness.tracking.client import connect, failures_told, http_limits
from evalharness.tracking.runs import SWEEP_TAG
from evalharness.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities import Run

VIEW_TAG = "mlflow.sharedViewState."
COMPRESSED = "deflate;"
IMAGES_TAG_SEPARATOR = "+"
MAX_IMAGES = 6
SECTIONS = {
    "Which run is better": (
        r"accuracy",
        r"audit/lowest_accuracy",
        r"believe/coverage_at_risk",
        r"macro_f1",
    ),
    "What it relies on": (
        r"audit/max_pull",
        r"audit/accuracy_without_distractor",
        r"audit/.*/accuracy",
        r"concepts/max_pull",
        r"concepts/num_harmful",
        r"audit/.*/relies_rate",
        r"audit/.*/pull",
        r"audit/.*/lift",
    ),
    "How many verdicts may be believed": (r"believe/coverage", r"believe/coverage_at_risk", r"macro_f1"),
    "Is the map to be believed": (r"faithfulness/(?!random|center)[^/]+/(faithfulness|head_similarity)",),
}
"""Metrics by pattern, in the order of the page; each is shown once."""
NUM_FIRST = 2
"""Charts of the first section: a row, wide enough for their titles, and the images below it are on the first screen."""
COLUMNS = (
    r"accuracy", r"audit/lowest_accuracy", r"believe/coverage_at_risk", r"audit/max_pull", r"concepts/max_pull",
    r"audit/.*/relies_rate",
)  # fmt: skip
WHERE, REST = "Where it looks", "Everything else"


def save_view(store: Store, sweep: str) -> str:
    """Writes the view of a sweep's runs to the experiment, and gives the key that opens it.

    Args:
        store: Where the runs are.
        sweep: The value of their tag.

    Raises:
        TrackingError: The store does not take it.
    """
    key = ascii_slug(sweep)
    with (
        http_limits(timeout_s=30, max_retries=2),
        failures_told("the view of the sweep cannot be stored", store.uri, "Check the store"),
    ):
        client = connect(store.uri)
        condition = f"tags.{SWEEP_TAG} = '{sweep}'"
        runs = client.search_runs([store.experiment_id], filter_string=condition)
        images = [entry.path for run in runs[:1] for entry in client.list_artifacts(run.info.run_id, "images")]
        view = json.dumps(build_view(condition, runs, images), separators=(",", ":"))
        packed = COMPRESSED + base64.b64encode(zlib.compress(view.encode(), 9)).decode()
        client.set_experiment_tag(store.experiment_id, VIEW_TAG + key, packed)
    return key


def build_view(condition: str, runs: Sequence["Run"], images: Sequence[str]) -> dict[str, Any]:
    """The UI's state.

    Args:
        condition: The search that finds the runs.
        runs: Whose metrics are charted.
        images: Paths of the artifacts of one run's images.
    """
    metrics = sorted({name for run in runs for name in run.data.metrics})
    sections, charts, shown = [], [], set[str]()
    for title, patterns in SECTIONS.items():
        is_first = title == next(iter(SECTIONS))
        names = [name for name in _matching(metrics, patterns) if name not in shown][: NUM_FIRST if is_first else None]
        if names:
            sections.append(
                _section(title, is_open=True, columns=NUM_FIRST if is_first else 3, height=230 if is_first else 300)
            )
            charts += [_bar(title, name) for name in names]
            shown |= set(names)
        if is_first and (keys := _image_keys(images)):
            sections.append(_section(WHERE, is_open=True, columns=1, height=420))
            charts += [_grid(key) for key in keys]
    sections.append(_section(REST, is_open=False))
    charts += [_bar(REST, name) for name in metrics if name not in shown]
    return {
        "searchFilter": condition,
        "orderByKey": "metrics.`accuracy`",
        "orderByAsc": False,
        "selectedColumns": [f"metrics.`{name}`" for name in _matching(metrics, COLUMNS)],
        "compareRunCharts": charts,
        "compareRunSections": sections,
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
    }


def _matching(names: Sequence[str], patterns: Sequence[str]) -> Iterator[str]:
    """In the order of the patterns."""
    for pattern in patterns:
        yield from (name for name in names if re.fullmatch(pattern, name))


def _image_keys(paths: Sequence[str]) -> list[str]:
    """Of the first images, each once: `overlay~libra~roses.a+...` is `overlay/libra/roses.a`."""
    names = [path.rpartition("/")[2].partition(IMAGES_TAG_SEPARATOR)[0].replace("~", "/") for path in paths]
    return list(dict.fromkeys(names))[:MAX_IMAGES]


def _section(title: str, *, is_open: bool, columns: int = 3, height: int = 300) -> dict[str, Any]:
    """Columns of cards, and the height of a card in pixels."""
    return {
        "uuid": title,
        "name": title,
        "display": is_open,
        "columns": columns,
        "cardHeight": height,
        "isReordered": True,
        "isGenerated": False,
    }


def _bar(section: str, metric: str) -> dict[str, Any]:
    return _chart(section, metric) | {"type": "BAR", "metricKey": metric, "displayName": metric}


def _grid(key: str) -> dict[str, Any]:
    return _chart(WHERE, key) | {"type": "IMAGE", "imageKeys": [key], "step": 0, "showRunParams": False}


def _chart(section: str, name: str) -> dict[str, Any]:
    return {
        "uuid": f"{section}/{name}",
        "runsCountToCompare": 10,
        "metricSectionId": section,
        "deleted": False,
        "isGenerated": False,
    }
