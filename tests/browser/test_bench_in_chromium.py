"""The bench in a real browser: drop, choose, camera, folder, correction, keyboard, two languages, narrow and wide."""

import base64
import json

import pytest
from chromium import complaints, element, press, requested_urls, start_browser
from stub_bench import photo, running_bench

pytest.importorskip("selenium")
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = pytest.mark.browser
RED, BLUE, MIXED, GREY = (200, 30, 30), (20, 20, 200), (120, 100, 20), (90, 90, 90)
TOKEN = "a-token-of-the-tests-0123456789"
ARE_DRAWN = "return ['#photo', '#map'].every((name) => document.querySelector(name).naturalWidth > 0)"
DROP = """
const bytes = Uint8Array.from(atob(arguments[1]), (letter) => letter.charCodeAt(0));
const dataTransfer = new DataTransfer();
dataTransfer.items.add(new File([bytes], arguments[0]));
document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--lang=en")
    driver = start_browser(tmp_path_factory.mktemp("profile"), *flags)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("incoming")
    with running_bench(tmp_path_factory.mktemp("log"), watch=folder) as running:
        running.folder = folder
        yield running


@pytest.fixture
def page(browser, bench):
    browser.get(f"http://127.0.0.1:{bench.port}/?language=en")
    # What was judged before is shown first; it is not to be taken for what the test sends.
    last = bench.log.next_id - 1
    wait(browser, lambda: not last or shown(browser).startswith(f"{last}:"))
    browser.get_log("browser")
    return browser


def wait(page, is_so):
    WebDriverWait(page, 20, poll_frequency=0.05).until(lambda _: is_so())


def shown(page):
    return element(page, "#photo-name").get_attribute("textContent")


def belief(page):
    return element(page, "#verdict").get_attribute("data-belief")


def drop(page, name, colour):
    page.execute_script(DROP, name, base64.b64encode(photo(colour)).decode())
    wait(page, lambda: name in shown(page) and belief(page) in ("believe", "check", "unknown"))


def resize(page, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def colour_of(page):
    return page.execute_script("return getComputedStyle(document.querySelector('#verdict')).backgroundColor")


def test_nothing_is_asked_for_from_elsewhere(page, bench):
    assert complaints(page) == []
    assert {url.split("/")[2] for url in requested_urls(page)} == {f"127.0.0.1:{bench.port}"}


def test_dropped_photos_and_green_only_for_what_may_be_believed(page):
    colours = {}
    for name, colour, told in (("r.png", RED, "believe"), ("m.png", MIXED, "check"), ("g.png", GREY, "unknown")):
        drop(page, name, colour)
        assert belief(page) == told
        colours[told] = [int(part) for part in colour_of(page).removeprefix("rgb(").rstrip(")").split(",")]
        assert element(page, "#reasons li").text
        wait(page, lambda: page.execute_script(ARE_DRAWN))
    assert element(page, "#class").text == ""
    is_green = {told: green > max(red, blue) + 30 for told, (red, green, blue) in colours.items()}
    assert is_green == {"believe": True, "check": False, "unknown": False}
    assert complaints(page) == []


def test_chosen_files_are_judged_in_their_order_and_a_bad_one_is_told(page, bench, tmp_path):
    first = bench.log.next_id
    paths = [tmp_path / name for name in ("1.png", "2.txt", "3.png")]
    for path, content in zip(paths, (photo(RED), b"text", photo(BLUE)), strict=True):
        path.write_bytes(content)
    element(page, "#file").send_keys("\n".join(map(str, paths)))
    wait(page, lambda: "3.png" in shown(page))
    assert [verdict["image"] for verdict in bench.log.verdicts_after(first - 1)] == ["1.png", "3.png"]
    element(page, "#file").send_keys(str(paths[1]))
    wait(page, lambda: belief(page) == "refused")
    assert "2.txt: the photo cannot be read: it is not an image" in element(page, "#detail").text


def test_a_photo_of_the_camera_is_taken_by_the_space_bar(page):
    assert not element(page, "#take").is_enabled()
    element(page, "#camera-button").click()
    wait(page, lambda: page.execute_script("return document.querySelector('#video').videoWidth > 0"))
    press(page, " ")
    wait(page, lambda: "camera-" in shown(page))
    press(page, "c")
    wait(page, lambda: not element(page, "#camera").is_displayed())


def test_a_photo_in_the_watched_folder_appears(page, bench):
    (bench.folder / "from the folder.png").write_bytes(photo(BLUE))
    wait(page, lambda: "from the folder.png" in shown(page))
    assert element(page, "#class").text == "blue"


def test_corrections_by_keyboard_and_by_hand(page, bench):
    drop(page, "one.png", RED)
    drop(page, "two.png", BLUE)
    press(page, "r")
    wait(page, lambda: element(page, "#said").text == "You said: right")
    press(page, Keys.ARROW_LEFT)
    wait(page, lambda: "one.png" in shown(page))
    press(page, "2")
    wait(page, lambda: element(page, "#said").text == "You said: green")
    element(page, "#wrong").click()
    wait(page, lambda: element(page, "#said").text == "You said: wrong")
    wait(page, lambda: "1 of" in element(page, "#checked").text)
    two, one = bench.log.next_id - 1, bench.log.next_id - 2
    said = [json.loads(line) for line in bench.log.path.read_text().splitlines()[-3:]]
    assert [(line["verdict"], line["is_right"], line["class"]) for line in said] == [
        (two, True, None), (one, None, "green"), (one, False, None),
    ]  # fmt: skip


def test_help_opens_and_closes_and_keys_rest_meanwhile(page, bench):
    drop(page, "help.png", RED)
    num_lines = len(bench.log.path.read_text().splitlines())
    press(page, "?")
    assert element(page, "#help").is_displayed()
    press(page, "r")
    press(page, Keys.ESCAPE)
    assert not element(page, "#help").is_displayed()
    assert len(bench.log.path.read_text().splitlines()) == num_lines


def test_japanese_by_the_switch_and_it_stays(page, bench):
    drop(page, "ja.png", RED)
    press(page, "l")
    wait(page, lambda: element(page, "html").get_attribute("lang") == "ja")
    wait(page, lambda: element(page, "#belief").text == "✓ 信頼できる")
    assert "誤りは 2 % 以下" in element(page, "#reasons").text
    page.get(f"http://127.0.0.1:{bench.port}/")
    assert element(page, "html").get_attribute("lang") == "ja"


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_verdict_is_large_and_nothing_is_cut_off(page, bench, width, language):
    resize(page, width)
    page.get(f"http://127.0.0.1:{bench.port}/?language={language}")
    drop(page, "a-name-without-any-place-to-break-that-is-very-long-indeed-0123456789.png", RED)
    size_of = "parseFloat(getComputedStyle(document.querySelector(name)).fontSize)"
    sizes = page.execute_script(f"return ['#belief', '#class'].map((name) => {size_of})")
    assert min(sizes) >= 0.06 * width
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_token_in_the_address_opens_the_page_once(browser, tmp_path):
    with running_bench(tmp_path, token=TOKEN) as running:
        address = f"http://127.0.0.1:{running.port}/"
        browser.get(address)
        assert "colours" not in browser.page_source
        press(browser, "wrong", Keys.ENTER)
        wait(browser, lambda: "Not the token" in element(browser, "[role=alert]").text)
        browser.get("about:blank")
        browser.get(f"{address}#{TOKEN}")
        wait(browser, lambda: browser.find_elements("css selector", "#verdict"))
        assert TOKEN not in browser.current_url
        browser.get(address)
        assert browser.find_elements("css selector", "#verdict")
        assert browser.execute_script("return document.cookie") == ""
