"""Starts a real Chromium, and works a page in it."""

import base64
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--force-color-profile=srgb",
    "--window-size=1280,1000",
)


def start_browser(profile, *flags, scripts=True):
    """Chromium with a profile of its own; skips the test where something is missing."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("chromium and chromedriver are not both installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, *flags, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    if not scripts:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))


def complaints(page):
    """What the page made the browser warn of."""
    return [entry for entry in page.get_log("browser") if entry["level"] in {"SEVERE", "WARNING"}]


def requested_urls(page):
    """Every address that loading the page anew asks for."""
    page.get_log("performance")
    page.refresh()
    sent = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    return {found["params"]["request"]["url"] for found in sent if found["method"] == "Network.requestWillBeSent"}


def element(page, selector):
    return page.find_element("css selector", selector)


def choose(page, name, value):
    """Chooses an option of a select by its value."""
    from selenium.webdriver.support.ui import Select

    Select(element(page, f"#{name}")).select_by_value(value)


def status(page):
    return element(page, "#status").text


def press(page, *keys):
    for key in keys:
        page.switch_to.active_element.send_keys(key)


def shown_ids(page):
    """Row ids of the tiles, in order."""
    ids = json.loads(element(page, "#data").get_attribute("textContent"))["ids"]
    return [ids[row] for row in shown_rows(page)]


def shown_rows(page):
    """Entries of the tiles, in order."""
    rows = page.execute_script("return [...document.querySelectorAll('.tile')].map((tile) => tile.dataset.row)")
    return [int(row) for row in rows]


def drawn(page, selector):
    """The pixels of a canvas, (height, width, 4)."""
    script = "return document.querySelector(arguments[0]).toDataURL('image/png').split(',')[1]"
    with Image.open(io.BytesIO(base64.b64decode(page.execute_script(script, selector)))) as image:
        return np.asarray(image.convert("RGBA")).astype(int)


def show_in_sandbox(page, path, viewer):
    """Opens a report as MLflow's viewer does, a blob in an iframe of its own origin, and switches to it."""
    from selenium.webdriver.support.ui import WebDriverWait

    text = json.dumps(path.read_text(encoding="utf-8")).replace("<", "\\u003c")
    viewer.write_text(
        f"<iframe sandbox='allow-scripts' width=1200 height=900></iframe><script>const text = {text};"
        "document.querySelector('iframe').src = URL.createObjectURL(new Blob([text], {type: 'text/html'}))</script>",
        encoding="utf-8",
    )
    page.get(viewer.as_uri())
    page.switch_to.frame(0)
    WebDriverWait(page, 20).until(lambda driver: driver.find_elements("css selector", ".tile"))
