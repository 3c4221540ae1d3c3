from urllib.parse import parse_qs, urlsplit

from evalharness.tracking import Store, compare_link, run_link

STORE = Store("sqlite:////runs/mlflow.db", "7", "evalharness")


def parts(link):
    """Path and query of the page, which stand behind the # of the address."""
    assert link.startswith("/#/")
    page = urlsplit(link[2:])
    return page.path, parse_qs(page.query)


def test_run_link():
    assert parts(run_link(STORE, "abc")) == ("/experiments/7/runs/abc", {"workflowType": ["machine_learning"]})


def test_compare_link_of_runs():
    path, query = parts(compare_link(STORE, ["a1", "b2"]))
    assert path == "/experiments/7/runs"
    assert query["searchFilter"] == ["attributes.run_id IN ('a1', 'b2')"]
    assert query["compareRunsMode"] == ["CHART"]


def test_compare_link_of_a_view():
    """The view of a sweep holds the search for its runs (test_shared_view.py)."""
    query = parts(compare_link(STORE, view="20260101-1"))[1]
    assert query["viewStateShareKey"] == ["20260101-1"]
    assert "searchFilter" not in query


def test_compare_link_of_everything():
    assert "searchFilter" not in parts(compare_link(STORE))[1]
