"""The link of a sweep, opened in MLflow's own UI."""

import json
import os
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
from chromium import start_browser

from evalharness.config import TrackingConfig
from evalharness.tracking import compare_link, open_store, save_view
from evalharness.tracking.client import connect

PORT = 5231


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("store")
    store = open_store(TrackingConfig(), root)
    client = connect(store.uri)
    for number, name in enumerate(("clean", "shortcut")):
        run = client.create_run(store.experiment_id, run_name=name, tags={"sweep": "s1"}).info.run_id
        for metric in ("accuracy", "macro_f1", "audit/cat/relies_rate", "time/scan_s"):
            client.log_metric(run, metric, 0.4 + 0.1 * number)
        client.log_image(run, np.full((40, 80, 3), 200, np.uint8), key="overlay/libra/roses.a", step=0)
        client.set_terminated(run)
    return root, store


@pytest.fixture(scope="module")
def address(store):
    root, _ = store
    command = [sys.executable, "-m", "evalharness", "ui", f"port={PORT}", f"runs_dir={root}"]
    server = subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL, env=os.environ)
    url = f"http://127.0.0.1:{PORT}"
    for _ in range(240):
        try:
            urllib.request.urlopen(url, timeout=2).close()
            break
        except OSError:
            time.sleep(0.5)
    yield url
    server.terminate()
    server.wait(timeout=30)


def wait_for(page, script, *, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := page.execute_script(script)):
        assert time.monotonic() < deadline, page.execute_script("return document.body.innerText")
        time.sleep(0.3)
    return found


@pytest.mark.slow
@pytest.mark.browser
def test_the_link_of_a_sweep_opens_on_the_question(store, address, tmp_path):
    _, opened = store
    link = compare_link(opened, view=save_view(opened, "s1"))
    page = start_browser(tmp_path / "profile", "--window-size=1400,2400")
    try:
        page.get(address + link)
        titles = wait_for(
            page,
            "const text = document.body.innerText.replace(/\\s+/g, ' ');"
            "const found = ['Which run is better (2)', 'Where it looks (1)', 'What it relies on (1)',"
            " 'Everything else (1)'].map(title => text.indexOf(title));"
            "return found.every(place => place >= 0) ? found : null",
        )
        assert titles == sorted(titles), "the question first"
        # Three charts of metrics and the grid are open; what is folded is not drawn.
        drawn = (
            "return document.querySelectorAll('[data-testid=\"experiment-view-compare-runs-card-drag-handle\"]').length"
        )
        assert wait_for(page, f"{drawn} === 4"), page.execute_script(drawn)
        names = json.dumps(["clean", "shortcut"])
        assert wait_for(page, f"return {names}.every(name => document.body.innerText.includes(name))")
    finally:
        page.quit()
