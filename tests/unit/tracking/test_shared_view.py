import base64
import json
import zlib
from types import SimpleNamespace

import pytest

from evalharness.config import TrackingConfig
from evalharness.tracking import compare_link, open_store, save_view
from evalharness.tracking.client import connect
from evalharness.tracking.shared_view import REST, VIEW_TAG, WHERE, build_view

METRICS = [
    "accuracy", "macro_f1", "time/scan_s", "audit/cat/relies_rate", "audit/cat/lift", "concepts/max_pull",
    "faithfulness/libra/faithfulness", "faithfulness/random/faithfulness",
]  # fmt: skip
IMAGES = [
    "images/overlay~libra~roses.a+step+0+timestamp+1+x+compressed.webp",
    "images/overlay~libra~roses.a+step+0+timestamp+1+x.png",
    "images/overlay~libra~tulips.b+step+0+timestamp+1+y.png",
]


def run_with(*names):
    return SimpleNamespace(data=SimpleNamespace(metrics=dict.fromkeys(names, 0.5)))


@pytest.fixture(scope="module")
def view():
    return build_view("tags.sweep = 's'", [run_with(*METRICS[:4]), run_with(*METRICS[4:])], IMAGES)


def charts_of(view, section):
    return [chart for chart in view["compareRunCharts"] if chart["metricSectionId"] == section]


def test_the_question_comes_first_and_everything_else_is_folded(view):
    sections = view["compareRunSections"]
    assert [section["name"] for section in sections] == [
        "Which run is better", WHERE, "What it relies on", "Is the map to be believed", REST,
    ]  # fmt: skip
    assert [section["display"] for section in sections] == [True] * 4 + [False]
    assert [chart["metricKey"] for chart in charts_of(view, REST)] == [
        "faithfulness/random/faithfulness",
        "time/scan_s",
    ]


def test_every_metric_has_one_chart_and_every_chart_a_section(view):
    keys = [chart["metricKey"] for chart in view["compareRunCharts"] if chart["type"] == "BAR"]
    assert sorted(keys) == sorted(METRICS)
    assert {chart["metricSectionId"] for chart in view["compareRunCharts"]} == {
        section["uuid"] for section in view["compareRunSections"]
    }
    assert len({chart["uuid"] for chart in view["compareRunCharts"]}) == len(view["compareRunCharts"])


def test_the_first_row_leaves_room_for_the_images():
    names = ["accuracy", "macro_f1", "believe/coverage", "believe/coverage_at_risk"]
    audited = ["audit/lowest_accuracy", "audit/accuracy_without_distractor", "audit/cat/accuracy"]
    view = build_view("", [run_with(*names, *audited)], [])
    keys = {
        section["name"]: [chart["metricKey"] for chart in charts_of(view, section["name"])]
        for section in view["compareRunSections"]
    }
    assert keys == {
        "Which run is better": ["accuracy", "audit/lowest_accuracy"],
        "What it relies on": ["audit/accuracy_without_distractor", "audit/cat/accuracy"],
        "How many verdicts may be believed": ["believe/coverage", "believe/coverage_at_risk", "macro_f1"],
        REST: [],
    }


def test_an_image_has_one_grid_however_many_files_it_has(view):
    assert [chart["imageKeys"] for chart in charts_of(view, WHERE)] == [
        ["overlay/libra/roses.a"], ["overlay/libra/tulips.b"],
    ]  # fmt: skip


def test_runs_without_images_or_an_audit_have_no_empty_sections():
    names = [section["name"] for section in build_view("", [run_with("accuracy")], [])["compareRunSections"]]
    assert names == ["Which run is better", REST]


def test_the_view_is_stored_for_the_link_and_fits_a_tag(tmp_path):
    store = open_store(TrackingConfig(), tmp_path)
    client = connect(store.uri)
    run = client.create_run(store.experiment_id, tags={"sweep": "a sweep"}).info.run_id
    for number in range(150):
        client.log_metric(run, f"audit/a rather long category {number}/relies_rate", 0.1)
    key = save_view(store, "a sweep")
    assert f"viewStateShareKey={key}" in compare_link(store, view=key)
    stored = client.get_experiment(store.experiment_id).tags[VIEW_TAG + key]
    assert len(stored) <= 5000
    found = json.loads(zlib.decompress(base64.b64decode(stored.removeprefix("deflate;"))))
    assert found["searchFilter"] == "tags.sweep = 'a sweep'"
    assert len(found["compareRunCharts"]) == 150
