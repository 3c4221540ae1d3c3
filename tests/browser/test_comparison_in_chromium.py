"""The report of a comparison in a real browser: filter, sort, page, open, look."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from chromium import (
    choose,
    complaints,
    drawn,
    element,
    press,
    requested_urls,
    show_in_sandbox,
    shown_rows,
    start_browser,
    status,
)
from comparison_results import RUN_NAMES, write_made_up_comparison, write_runs
from report_results import CLASSES, MAP_IDS

from evalharness.report.html import write_comparison_report
from evalharness.report.overlay import upsample

pytest.importorskip("selenium")
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return write_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, runs):
    folder = tmp_path_factory.mktemp("comparison")
    write_made_up_comparison(folder, runs)
    return folder


@pytest.fixture
def page(browser, folder):
    """The report, freshly opened."""
    browser.get((folder / "report.html").as_uri())
    return browser


@pytest.fixture(scope="module")
def flips(folder):
    """In the order of the page's data, so that an index label is an entry of the page."""
    table = pd.read_csv(folder / "flips.csv")
    return table.assign(change=(table["true_prob"] - table["reference_true_prob"]).abs().round(4))


def all_rows(page):
    choose(page, "size", "96")
    return shown_rows(page)


def test_opens_without_errors_or_requests(page, folder, flips):
    assert complaints(page) == []
    urls = requested_urls(page)
    assert {url.split(":")[0] for url in urls} <= {"file", "data"}
    assert {url for url in urls if url.startswith("file")} <= {(folder / "report.html").as_uri()}
    assert status(page) == f"{len(flips)} of {len(flips)} flips"
    assert page.execute_script("return document.querySelectorAll('b, i, u, [onerror]').length") == 0


def test_filters_by_run_kind_class_and_what_it_is_mistaken_for(page, flips):
    choose(page, "pair", "0")
    own = flips[flips["run"] == RUN_NAMES[1]]
    assert set(all_rows(page)) == set(own.index)
    choose(page, "kind", "broken")
    own = own[own["kind"] == "broken"]
    assert status(page) == f"{len(own)} of {len(flips)} flips"
    assert set(shown_rows(page)) == set(own.index)
    choose(page, "label", "1")
    own = own[own["label"] == CLASSES[1]]
    assert set(shown_rows(page)) == set(own.index)
    choose(page, "pred", "0")
    own = own[own["pred_label"] == CLASSES[0]]
    assert set(shown_rows(page)) == set(own.index)
    element(page, "#clear").send_keys(Keys.ENTER)
    choose(page, "kind", "fixed")
    choose(page, "pred", "0")
    wanted = flips[(flips["kind"] == "fixed") & (flips["reference_pred_label"] == CLASSES[0])]
    assert set(shown_rows(page)) == set(wanted.index)


def test_sorts_by_change_and_by_similarity_of_the_chosen_map(page, flips):
    ordered = flips.sort_values("change", ascending=False, kind="stable")
    assert all_rows(page) == list(ordered.index)
    choose(page, "map", "1")
    choose(page, "sort", "similarity")
    column = flips[f"similarity.{MAP_IDS[1]}"].round(3)
    assert column.nunique() > 5
    assert [column[row] for row in shown_rows(page)] == sorted(column)
    element(page, "#direction").click()
    assert [column[row] for row in shown_rows(page)] == sorted(column, reverse=True)


def test_a_count_opens_its_flips(page, flips):
    element(page, f"#classes a[data-pair='0'][data-kind='broken'][data-label='{CLASSES.index('daisy')}']").click()
    own = flips[(flips["run"] == RUN_NAMES[1]) & (flips["kind"] == "broken") & (flips["label"] == "daisy")]
    assert set(shown_rows(page)) == set(own.index)
    assert page.execute_script("return document.activeElement.id") == "gallery-title"
    page.execute_script("document.querySelector(\"#summary a[data-pair='1'][data-kind='fixed']\").click()")
    assert set(all_rows(page)) == set(flips[(flips["run"] == RUN_NAMES[2]) & (flips["kind"] == "fixed")].index)


def test_pages(page, flips):
    num_pages = -(-len(flips) // 24)
    seen = shown_rows(page)
    assert len(seen) == 24
    assert element(page, "#page").text == f"Page 1 of {num_pages}"
    for _ in range(num_pages - 1):
        element(page, "#next").click()
        seen += shown_rows(page)
    assert not element(page, "#next").is_enabled()
    assert sorted(seen) == list(flips.index)


def test_works_by_keyboard_alone(page, flips):
    ids = [flips["row_id"][row] for row in shown_rows(page)]
    page.execute_script("document.querySelector('.tile').focus()")
    press(page, Keys.ARROW_RIGHT, Keys.ENTER)
    assert element(page, "#viewer").get_attribute("open")
    assert element(page, "#viewer-title").text == ids[1]
    press(page, Keys.ARROW_RIGHT)
    assert element(page, "#viewer-title").text == ids[2]
    press(page, Keys.ESCAPE)
    assert not element(page, "#viewer").get_attribute("open")
    # The dialog tells of its end a moment later.
    WebDriverWait(page, 10).until(lambda driver: driver.switch_to.active_element == element(page, ".tile:nth-child(3)"))
    press(page, Keys.END, Keys.ARROW_RIGHT)
    assert element(page, "#page").text.startswith("Page 2 of ")
    assert page.execute_script("return document.querySelectorAll('.tile[tabindex=\"0\"]').length") == 1


def test_reader_sets_the_opacity_of_both_maps(page):
    script = (
        "return [...document.querySelectorAll('.tile:first-child canvas')]"
        ".map((canvas) => getComputedStyle(canvas).opacity)"
    )
    assert page.execute_script(script) == ["0.8", "0.8"]
    element(page, "#opacity").send_keys(Keys.HOME)
    assert page.execute_script(script) == ["0", "0"]
    element(page, "#opacity").send_keys(Keys.END)
    assert page.execute_script(script) == ["1", "1"]


@pytest.mark.parametrize("number", [1, 2])
def test_both_maps_are_drawn_on_the_scale_of_the_reference(page, runs, flips, number):
    from matplotlib import colormaps

    row = flips[(flips["run"] == RUN_NAMES[number]) & flips[f"similarity.{MAP_IDS[1]}"].notna()].index[-1]
    choose(page, "size", "96")
    element(page, f".tile[data-row='{row}']").click()
    colours = (colormaps["inferno"](np.arange(256))[:, :3] * 255).round().astype(int)
    for place, run in ((2, runs[0]), (3, runs[number])):
        pixels = drawn(page, f"#viewer .trio figure:nth-child({place}) canvas[data-map='{MAP_IDS[1]}']")
        density = run.result.map(flips["row_id"][row], MAP_IDS[1])
        expected = 255 * np.sqrt(np.clip(upsample(density, pixels.shape[:2]) / 6.0, 0, 1))
        near = np.clip(np.rint(expected).astype(int)[..., None] + np.arange(-3, 4), 0, 255)
        assert np.abs(colours[near] - pixels[..., None, :3]).max(axis=-1).min(axis=-1).max() <= 2


def test_viewer_tells_both_verdicts_and_shows_the_photo(page, flips):
    row = shown_rows(page)[0]
    element(page, ".tile").click()
    text = element(page, "#viewer").text
    flip = flips.loc[row]
    for name in ("reference_", ""):
        assert f"{flip[name + 'pred_label']} {flip[name + 'confidence']:.2f}" in text
    assert flip["run"] in text
    wait = "return [...document.querySelectorAll('#viewer img')].every((image) => image.naturalWidth > 0)"
    WebDriverWait(page, 10).until(lambda driver: driver.execute_script(wait))
    assert len(page.find_elements(By.CSS_SELECTOR, "#viewer img")) == 3 * len(MAP_IDS)


def test_fits_a_phone(browser, page):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        page.refresh()
        element(page, "#filters summary").click()
        assert page.execute_script("return document.documentElement.scrollWidth") <= 390
        page.execute_script("document.querySelector('.tile').click()")
        assert element(page, "#viewer").rect["width"] <= 390
        assert element(page, "#close").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_works_in_a_sandbox_that_allows_scripts_alone(browser, folder, flips, tmp_path):
    """MLflow's viewer: a blob in an iframe of its own origin."""
    show_in_sandbox(browser, folder / "report.html", tmp_path / "viewer.html")
    assert f"of {len(flips)} flips" in status(browser)
    element(browser, ".tile").click()
    assert element(browser, "#viewer").get_attribute("open")
    browser.switch_to.default_content()


def test_without_scripts_the_flips_and_the_tables_remain(folder, flips, tmp_path):
    driver = start_browser(tmp_path / "profile", scripts=False)
    try:
        driver.get((folder / "report.html").as_uri() + "#list-0-broken")
        assert not element(driver, "#controls").is_displayed()
        assert len(driver.find_elements(By.CSS_SELECTOR, "figure.static img")) == 36
        assert len(driver.find_elements(By.CSS_SELECTOR, ".banner img")) == 6
        WebDriverWait(driver, 10).until(lambda page: element(page, "#list-0-broken").is_displayed())
        listed = element(driver, "#flip-list").text
        assert all(row_id in listed for row_id in flips["row_id"])
        assert "need scripts" in element(driver, "#gallery").text
    finally:
        driver.quit()


@pytest.mark.slow
@pytest.mark.exhaustive
def test_thousands_of_flips_are_usable(browser, tmp_path):
    runs = write_runs(tmp_path / "runs", num_rows=5000, row_name="{label}/{number:05d}.jpg")
    generator = np.random.default_rng(0)
    photos = [generator.integers(0, 256, (240, 320, 3), dtype=np.uint8) for _ in range(4)]
    contents = write_made_up_comparison(tmp_path / "c", runs)
    noisy = replace(contents, load_photo=lambda row_id: photos[sum(row_id.encode()) % 4])
    path = write_comparison_report(noisy, tmp_path / "c" / "report.html")
    assert path.stat().st_size <= 30_000_000
    browser.get(path.as_uri())
    assert status(browser) == f"{len(contents.flips):,} of {len(contents.flips):,} flips"
    start = time.perf_counter()
    choose(browser, "kind", "broken")
    choose(browser, "sort", "similarity")
    element(browser, "#last").click()
    assert time.perf_counter() - start < 10
    assert shown_rows(browser)
