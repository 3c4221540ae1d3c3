"""The report in a real browser: filter, sort, page, open, look."""

import json
import time

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
    shown_ids,
    start_browser,
    status,
)
from report_results import CLASSES, MAP_IDS, load_photo, write_report_results

from evalharness.report.html import write_report
from evalharness.report.overlay import upsample

pytest.importorskip("selenium")
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "run"
    write_report(folder, write_report_results(folder), load_photo, folder / "report.html")
    return folder


@pytest.fixture
def page(browser, report_folder):
    """The report, freshly opened."""
    browser.get((report_folder / "report.html").as_uri())
    return browser


@pytest.fixture(scope="module")
def samples(report_folder):
    return pd.read_parquet(report_folder / "samples.parquet")


@pytest.fixture(scope="module")
def audit(report_folder):
    return pd.read_parquet(report_folder / "audit.parquet")


def all_ids(page):
    choose(page, "size", "96")
    return shown_ids(page)


def test_opens_without_errors_or_requests(page, report_folder):
    assert complaints(page) == []
    urls = requested_urls(page)
    assert {url.split(":")[0] for url in urls} <= {"file", "data"}
    assert {url for url in urls if url.startswith("file")} <= {(report_folder / "report.html").as_uri()}
    assert page.execute_script("return document.compatMode") == "CSS1Compat"
    assert len(shown_ids(page)) == 24


def test_worst_mistakes_come_first(page, samples):
    wrong = samples[~samples["correct"]].sort_values("confidence", ascending=False)
    right = samples[samples["correct"]].sort_values("confidence")
    assert all_ids(page) == [*wrong["row_id"], *right["row_id"]]


def test_filters_wrong_answers(page, samples):
    choose(page, "verdict", "wrong")
    wrong = samples[~samples["correct"]]
    assert status(page) == f"{len(wrong)} of 60 images"
    assert set(all_ids(page)) == set(wrong["row_id"])
    assert all("✗" in tile.text for tile in page.find_elements(By.CSS_SELECTOR, ".tile"))
    element(page, "#clear").send_keys(Keys.ENTER)
    assert status(page) == "60 of 60 images"


def test_filters_by_class_and_name(page, samples):
    choose(page, "label", "2")
    assert set(all_ids(page)) == set(samples[samples.label == CLASSES[2]]["row_id"])
    element(page, "#text").send_keys("/017")
    assert shown_ids(page) == [samples["row_id"].iloc[17]]
    choose(page, "label", "0")
    assert shown_ids(page) == []
    assert "No image fits" in element(page, "#grid").text


@pytest.mark.parametrize("cell", [(0, 1), (2, 2)])
def test_a_cell_of_the_confusion_matrix_opens_its_images(page, samples, cell):
    true, pred = cell
    wanted = samples[(samples.label == CLASSES[true]) & (samples.pred_label == CLASSES[pred])]
    element(page, f"a[data-true='{true}'][data-pred='{pred}']").click()
    assert len(wanted) > 0
    assert shown_ids(page) == list(wanted.sort_values("confidence", ascending=False)["row_id"])
    assert page.execute_script("return document.activeElement.id") == "gallery-title"


def test_sorts_by_share_on_a_distractor_of_the_chosen_map(page, samples, audit):
    choose(page, "map", "1")
    choose(page, "region", "distractor:dog")
    choose(page, "sort", "share:distractor:dog")
    own = audit[(audit["category"] == "dog") & (audit["map_id"] == MAP_IDS[1])].dropna(subset=["share"])
    ordered = list(own.sort_values("share", ascending=False, kind="stable")["row_id"])
    lost = [samples["row_id"].iloc[row] for row in range(0, 60, 3) if samples["row_id"].iloc[row] not in set(ordered)]
    assert all_ids(page) == [*ordered, *lost]
    element(page, "#direction").click()
    assert shown_ids(page) == [*ordered[::-1], *lost]


def test_filters_by_noise(page, report_folder):
    choose(page, "map", "1")
    choose(page, "score", "noise:entropy")
    noise = pd.read_parquet(report_folder / "noise.parquet")
    own = noise[noise["map_id"] == MAP_IDS[1]].assign(entropy=lambda table: table["entropy"].round(3))
    limit = float(own["entropy"].median())
    element(page, "#min").send_keys(str(limit))
    wanted = set(own[own["entropy"] >= limit]["row_id"])
    assert set(all_ids(page)) == wanted
    assert 0 < len(wanted) < 60


def test_noisiest_first_by_shortcut(page, report_folder):
    page.find_element(By.XPATH, "//button[text()='Noisiest maps']").click()
    noise = pd.read_parquet(report_folder / "noise.parquet")
    ranks = noise[noise["map_id"] == MAP_IDS[0]].set_index("row_id")["noise_rank"]
    found = [ranks[row_id] for row_id in all_ids(page)]
    assert [rank for rank in found if not pd.isna(rank)] == sorted(ranks.dropna())
    assert pd.isna(found[-1])


def test_filters_by_quadrant(page, audit):
    choose(page, "region", "distractor:<cat>")
    choose(page, "quadrant", "looks only")
    own = audit[(audit["category"] == "<cat>") & (audit["map_id"] == MAP_IDS[0]) & (audit["quadrant"] == "looks only")]
    assert set(all_ids(page)) == set(own["row_id"])


@pytest.mark.parametrize("quadrant", ["", "judged", "relies", "looks only"])
def test_a_number_of_the_audit_opens_as_many_images(page, audit, quadrant):
    wanted = f"[data-quadrant='{quadrant}']" if quadrant else ":not([data-quadrant])"
    selector = f"a[data-region='distractor:dog'][data-map='{MAP_IDS[1]}']{wanted}"
    page.execute_script("for (const node of document.querySelectorAll('#regions details')) node.open = true")
    link = element(page, selector)
    count = int(link.text)
    link.click()
    assert status(page) == f"{count} of 60 images"
    own = audit[(audit["category"] == "dog") & (audit["map_id"] == MAP_IDS[1])]
    names = {"": set(own["quadrant"]), "judged": set(own["quadrant"]) - {"undetermined"}}.get(quadrant, {quadrant})
    assert set(all_ids(page)) == set(own[own["quadrant"].isin(names)]["row_id"])
    num_judged = int((own["quadrant"] != "undetermined").sum())
    assert f"holds dog ({len(own)} annotated, {num_judged} judged)" in element(page, "#chips").text


def test_active_filters_are_chips_that_take_their_filter_away(page, samples):
    choose(page, "verdict", "wrong")
    choose(page, "label", "1")
    chips = page.find_elements(By.CSS_SELECTOR, "#chips button")
    assert [chip.text for chip in chips] == ["✗ wrong ✕", f"true class {CLASSES[1]} ✕"]
    chips[0].send_keys(Keys.ENTER)
    assert status(page) == f"{int((samples.label == CLASSES[1]).sum())} of 60 images"
    assert page.switch_to.active_element == element(page, "#chips button")
    page.switch_to.active_element.send_keys(Keys.ENTER)
    assert status(page) == "60 of 60 images"
    assert not page.find_elements(By.CSS_SELECTOR, "#chips button")


def test_shortcuts_show_which_is_active(page):
    def pressed():
        shown = page.find_elements(By.CSS_SELECTOR, "#shortcuts button[aria-pressed='true']")
        return [button.text for button in shown]

    assert pressed() == ["All"]
    page.find_element(By.XPATH, "//button[text()='✗ Wrong']").click()
    assert pressed() == ["✗ Wrong"]
    choose(page, "label", "0")
    assert pressed() == []


def test_a_map_is_chosen_with_its_verdict_beside_its_name(page, report_folder):
    trust = {
        found["map_id"]: found
        for found in json.loads((report_folder / "manifest.json").read_text())["findings"]["trust"]
    }
    for option, map_id in zip(page.find_elements(By.CSS_SELECTOR, "#map option"), MAP_IDS, strict=True):
        sign = "✓" if trust[map_id]["is_trusted"] else "✗"
        assert option.text == f"{map_id} {sign} {trust[map_id]['verdict'].split(':')[0]}"
        assert f"Map {map_id} {sign} {trust[map_id]['verdict']}" in element(page, "#regions").text
    element(page, ".tile").click()
    assert all(trust[map_id]["verdict"] in element(page, "#viewer .panels").text for map_id in MAP_IDS)


def test_pages(page):
    seen = shown_ids(page)
    assert element(page, "#page").text == "Page 1 of 3"
    assert not element(page, "#previous").is_enabled()
    element(page, "#next").click()
    seen += shown_ids(page)
    element(page, "#last").click()
    seen += shown_ids(page)
    assert element(page, "#page").text == "Page 3 of 3"
    assert not element(page, "#next").is_enabled()
    assert len(seen) == len(set(seen)) == 60
    element(page, "#first").click()
    choose(page, "size", "12")
    assert element(page, "#page").text == "Page 1 of 5"
    assert len(shown_ids(page)) == 12


def test_works_by_keyboard_alone(page):
    ids = shown_ids(page)
    page.execute_script("document.querySelector('.tile').focus()")
    press(page, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ENTER)
    viewer = element(page, "#viewer")
    assert viewer.get_attribute("open")
    assert element(page, "#viewer-title").text == ids[2]
    press(page, Keys.ARROW_RIGHT)
    assert element(page, "#viewer-title").text == ids[3]
    press(page, Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ESCAPE)
    assert not viewer.get_attribute("open")
    # The dialog tells of its end a moment later.
    WebDriverWait(page, 10).until(lambda driver: driver.switch_to.active_element == element(page, ".tile:nth-child(2)"))
    press(page, Keys.END)
    assert page.switch_to.active_element == element(page, ".tile:last-child")
    press(page, Keys.ARROW_RIGHT)
    assert element(page, "#page").text == "Page 2 of 3"
    assert page.switch_to.active_element == element(page, ".tile:first-child")
    press(page, Keys.PAGE_UP)
    assert shown_ids(page) == ids
    outline = page.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_one_tab_stop_for_the_whole_grid(page):
    stops = page.execute_script("return document.querySelectorAll('.tile[tabindex=\"0\"]').length")
    assert stops == 1


def test_viewer_shows_every_map_and_the_numbers(page, samples, audit):
    choose(page, "sort", "order")
    row = 12
    element(page, f".tile[data-row='{row}']").click()
    body = element(page, "#viewer")
    canvases = [canvas.get_attribute("data-map") for canvas in body.find_elements(By.TAG_NAME, "canvas")]
    assert canvases == list(MAP_IDS)
    assert len(body.find_elements(By.TAG_NAME, "img")) == 3
    sample = samples.iloc[row]
    assert f"confidence {sample['confidence']:.2f}" in body.text
    own = audit[(audit["row_id"] == sample["row_id"]) & (audit["map_id"] == MAP_IDS[1])]
    assert len(own) == 2
    for entry in own.itertuples():
        assert f"{entry.category} (distractor) rollout {100 * entry.share:.0f} %" in body.text
    element(page, "#close").click()
    assert not body.get_attribute("open")


def test_outlines_of_regions_lie_on_photo_and_maps_until_they_are_switched_off(page, audit, samples):
    choose(page, "sort", "order")
    element(page, ".tile[data-row='12']").click()
    held = set(audit[audit["row_id"] == samples["row_id"].iloc[12]]["category"])
    assert held == {"dog", "<cat>"}
    shown = page.find_elements(By.CSS_SELECTOR, "#viewer .outlines")
    assert len(shown) == 1 + len(MAP_IDS)
    for outlines in shown:
        names = {label.text for label in outlines.find_elements(By.CSS_SELECTOR, ".outline-name")}
        assert names == held
    script = (
        "const box = (node) => { const { x, y, width, height } = node.getBoundingClientRect();"
        "return [x, y, width, height] };"
        "const frame = document.querySelector('#viewer .photo');"
        "return [box(frame), box(frame.querySelector('path.distractor'))]"
    )
    frame, outline = page.execute_script(script)
    np.testing.assert_allclose(outline, [frame[0], frame[1], frame[2] / 2, frame[3] / 2], atol=3)
    element(page, "#outlines").send_keys(Keys.SPACE)
    assert not any(outlines.is_displayed() for outlines in shown)
    press(page, Keys.ESCAPE)
    element(page, ".tile[data-row='0']").click()
    assert not element(page, "#viewer .outlines").is_displayed(), "the next image keeps it so"
    element(page, "#outlines").click()
    assert element(page, "#viewer .outlines").is_displayed()
    element(page, "#close").click()
    element(page, ".tile[data-row='13']").click()
    assert not page.find_elements(By.CSS_SELECTOR, "#outlines"), "nothing is annotated on it"


@pytest.mark.parametrize("map_id", MAP_IDS)
def test_maps_are_drawn_as_in_the_figures(page, report_folder, map_id):
    from matplotlib import colormaps

    density_max = json.loads((report_folder / "manifest.json").read_text())["config"]["report"]["density_max"]
    choose(page, "sort", "order")
    element(page, ".tile[data-row='7']").click()
    pixels = drawn(page, f"#viewer canvas[data-map='{map_id}']")
    density = np.load(report_folder / "maps" / f"{map_id}.npy")[7].astype(np.float32)
    # A step of the page's bytes is up to four of the 256 colours, near the top of the scale.
    expected = 255 * np.sqrt(np.clip(upsample(density, pixels.shape[:2]) / density_max, 0, 1))
    colours = (colormaps["inferno"](np.arange(256))[:, :3] * 255).round().astype(int)
    near = np.clip(np.rint(expected).astype(int)[..., None] + np.arange(-3, 4), 0, 255)
    distance = np.abs(colours[near] - pixels[..., None, :3]).max(axis=-1).min(axis=-1)
    assert distance.max() <= 2
    assert (pixels[..., 3] == 255).all()


def test_a_map_that_is_not_defined_says_so(page):
    choose(page, "sort", "order")
    tile = element(page, ".tile[data-row='5']")
    assert "no map" in tile.text
    assert not tile.find_elements(By.TAG_NAME, "canvas")


def test_reader_sets_the_opacity(page):
    def look():
        return page.execute_script(
            "const tile = document.querySelector('.tile');"
            "return [getComputedStyle(tile.querySelector('canvas')).opacity,"
            "getComputedStyle(tile.querySelector('img')).filter]"
        )

    assert look() == ["0.8", "grayscale(1) contrast(0.5714) brightness(1.4)"]
    slider = element(page, "#opacity")
    slider.send_keys(Keys.HOME)
    assert look() == ["0", "none"]
    assert element(page, "#opacity-value").text == "0 %"
    slider.send_keys(Keys.END)
    assert look()[0] == "1"


def test_photo_and_map_lie_on_each_other(page):
    script = (
        "const tile = document.querySelector('.tile'); return ['img', 'canvas'].map((name) => {"
        "const box = tile.querySelector(name).getBoundingClientRect(); return [box.x, box.y, box.width, box.height] })"
    )
    photo, canvas = page.execute_script(script)
    assert photo == canvas
    assert photo[2] / photo[3] == pytest.approx(1.5, abs=0.02)


def test_photos_arrive(page, samples):
    wait = (
        "return [...document.querySelectorAll('.tile img')].every((image) => image.complete && image.naturalWidth > 0)"
    )
    WebDriverWait(page, 10).until(lambda driver: driver.execute_script(wait))
    pixel = page.execute_script(
        "const image = document.querySelector('.tile img'); const canvas = document.createElement('canvas');"
        "canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;"
        "const context = canvas.getContext('2d'); context.drawImage(image, 0, 0);"
        "return [...context.getImageData(canvas.width - 5, canvas.height - 5, 1, 1).data]"
    )
    np.testing.assert_allclose(pixel[:3], load_photo(shown_ids(page)[0])[-1, -1], atol=6)


def test_hostile_names_do_nothing(page, samples):
    element(page, ".tile").click()
    assert page.execute_script("return document.querySelectorAll('b, [onerror]').length") == 0
    assert page.execute_script("return [...document.images].every((image) => image.src.startsWith('data:'))")
    assert element(page, "#viewer-title").text == shown_ids(page)[0]
    assert '<img src=x onerror="alert(1)">' in element(page, "#viewer-title").text


def test_fits_a_phone(browser, page):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        page.refresh()
        assert page.execute_script("return document.documentElement.scrollWidth") <= 390
        box = "document.querySelector('#regions .stacks').parentNode"
        assert page.execute_script(f"return {box}.scrollWidth <= {box}.clientWidth"), "no scrolling sideways"
        cells = page.execute_script(
            "return [...document.querySelectorAll('#regions .stacks tr')].map((row) => [...row.querySelectorAll('td')]"
            ".map((cell) => [cell.getBoundingClientRect().y, cell.textContent.includes('★')]))"
        )
        for row in cells:
            starred = [is_starred for _, is_starred in sorted(row)]
            assert starred == sorted(starred, reverse=True), "significant cells come first"
        tiles = page.find_elements(By.CSS_SELECTOR, ".tile")
        assert tiles[0].rect["y"] == tiles[1].rect["y"] != tiles[2].rect["y"]
        page.execute_script("document.querySelector('.tile').click()")
        assert element(page, "#viewer").rect["width"] <= 390
        assert element(page, "#close").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_works_in_a_sandbox_that_allows_scripts_alone(browser, report_folder, tmp_path):
    """MLflow's viewer: a blob in an iframe of its own origin."""
    show_in_sandbox(browser, report_folder / "report.html", tmp_path / "viewer.html")
    element(browser, "a[data-true='0'][data-pred='1']").click()
    assert " of 60 images" in status(browser)
    element(browser, ".tile").click()
    assert element(browser, "#viewer").get_attribute("open")
    browser.switch_to.default_content()


def test_without_scripts_the_first_page_and_the_tables_remain(report_folder, samples, tmp_path):
    driver = start_browser(tmp_path / "profile", scripts=False)
    try:
        driver.get((report_folder / "report.html").as_uri())
        assert len(driver.find_elements(By.CSS_SELECTOR, "figure.static img")) == 24
        shown = driver.find_elements(By.CSS_SELECTOR, ".banner img")
        assert len(shown) == 4
        assert all(int(image.get_attribute("naturalWidth")) > 0 for image in shown)
        assert element(driver, ".finding").text.startswith("Relies on ")
        assert not element(driver, "#controls").is_displayed()
        assert "need scripts" in element(driver, "#gallery").text
        assert element(driver, ".confusion").is_displayed()
        driver.get((report_folder / "report.html").as_uri() + "#cell-0-1")
        group = samples[(samples.label == CLASSES[0]) & (samples.pred_label == CLASSES[1])]
        WebDriverWait(driver, 10).until(lambda page: element(page, "#cell-0-1").is_displayed())
        assert group["row_id"].iloc[0] in element(driver, "#mistakes").text
    finally:
        driver.quit()


@pytest.mark.slow
@pytest.mark.exhaustive
def test_five_thousand_images_are_usable(browser, tmp_path):
    folder = tmp_path / "run"
    manifest = write_report_results(folder, num_rows=5000, row_name="{label}/{number:05d}.jpg")
    generator = np.random.default_rng(0)
    photos = [generator.integers(0, 256, (240, 320, 3), dtype=np.uint8) for _ in range(4)]
    path = write_report(folder, manifest, lambda row_id: photos[len(row_id) % 4], tmp_path / "r.html")
    assert path.stat().st_size <= 30_000_000
    browser.get(path.as_uri())
    assert status(browser) == "5,000 of 5,000 images"
    start = time.perf_counter()
    choose(browser, "verdict", "wrong")
    choose(browser, "sort", "noise:entropy")
    element(browser, "#last").click()
    assert time.perf_counter() - start < 10
    assert shown_ids(browser)
