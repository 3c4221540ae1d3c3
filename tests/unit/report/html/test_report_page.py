import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from report_results import CLASSES, GRID, MAP_IDS, load_photo, write_report_results

from evalharness.errors import DatasetError
from evalharness.records import Extent
from evalharness.report.html import write_report


class Page(HTMLParser):
    """Tags with attributes, the text between them, and the content of scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.scripts = [("", {})], [], {}
        self.is_script = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.is_script = tag == "script"

    def handle_endtag(self, tag):
        self.is_script = False

    def handle_data(self, data):
        if self.is_script:
            _, attributes = self.tags[-1]
            name = attributes.get("id", "program")
            self.scripts[name] = self.scripts.get(name, "") + data
        else:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def named(self, tag, **wanted):
        return [found for name, found in self.tags if name == tag and wanted.items() <= found.items()]


def assert_self_contained(page):
    """Nothing is loaded from elsewhere, and only the page's own script may run."""
    for _, found in page.tags:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            assert found.get(name, "#").startswith(("#", "data:image/"))
    policy = page.named("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    digest = base64.b64encode(hashlib.sha256(page.scripts["program"].encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}';" in policy
    assert not re.search(r"https?://", page.scripts["program"])


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "run"
    return folder, write_report_results(folder)


@pytest.fixture(scope="module")
def page(results, tmp_path_factory):
    folder, manifest = results
    path = write_report(folder, manifest, load_photo, tmp_path_factory.mktemp("page") / "report.html")
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def samples(results):
    return pd.read_parquet(results[0] / "samples.parquet")


def test_names_are_text_and_never_markup(page, samples):
    assert len(page.named("script")) == 3
    assert not [found for _, found in page.tags if any(name.startswith("on") for name in found)]
    assert not page.named("b")
    assert not page.named("img", src="x")
    assert CLASSES[2] in page.text
    assert json.loads(page.scripts["data"])["ids"] == list(samples["row_id"])
    assert "the classes may be in another <order>" in page.text
    assert "lift of <dog> is above 2" in page.text


def test_page_is_in_standards_mode(results, tmp_path):
    assert write_report(*results, load_photo, tmp_path / "r.html").read_text().startswith("<!doctype html>")


def test_nothing_is_loaded_from_elsewhere_and_only_our_script_may_run(page):
    assert_self_contained(page)


def test_data_are_the_rows_of_the_folder(page, results, samples):
    data = json.loads(page.scripts["data"])
    assert [CLASSES[index] for index in data["labels"]] == list(samples["label"])
    assert [CLASSES[index] for index in data["preds"]] == list(samples["pred_label"])
    np.testing.assert_allclose(data["confidence"], samples["confidence"], atol=5e-5)
    assert [found["id"] for found in data["maps"]] == list(MAP_IDS)
    levels = np.frombuffer(base64.b64decode(data["maps"][1]["bytes"]), np.uint8).reshape(-1, *GRID)
    stored = np.load(results[0] / "maps" / "rollout.npy").astype(float)
    density_max = results[1]["config"]["report"]["density_max"]
    np.testing.assert_allclose(levels / 254, np.sqrt(np.minimum(stored / (4 * density_max), 1)), atol=0.51 / 254)
    audit = pd.read_parquet(results[0] / "audit.parquet")
    dog = next(found for found in data["regions"] if found["category"] == "dog")
    wanted = audit[(audit["category"] == "dog") & (audit["map_id"] == "rollout")].set_index("row_id")["share"]
    found = dict(zip([data["ids"][row] for row in dog["rows"]], dog["maps"]["rollout"]["share"], strict=True))
    np.testing.assert_allclose([found[row_id] for row_id in wanted.index], wanted, atol=5e-5)


def test_a_cell_of_the_confusion_matrix_has_its_count_and_leads_to_its_images(page, samples):
    for true, label in enumerate(CLASSES):
        for pred, pred_label in enumerate(CLASSES):
            num = int(((samples.label == label) & (samples.pred_label == pred_label)).sum())
            links = page.named("a", **{"data-true": str(true), "data-pred": str(pred)})
            assert [f": {num} images, " in link["aria-label"] for link in links] == ([True] if num else [])
            if num and true != pred:
                assert links[0]["href"] == f"#cell-{true}-{pred}"
                assert page.named("h3", id=f"cell-{true}-{pred}")


def test_sentences_say_what_the_numbers_mean(page, samples):
    num_right = int(samples["correct"].sum())
    assert f"Of 60 images the model names {num_right} right ({100 * num_right / 60:.1f} %)." in page.text
    recall = samples.groupby("label")["correct"].mean()
    assert f"The class found least often is {recall.idxmin()}: {100 * recall.min():.0f} % of its images." in page.text
    assert "too sure of itself" in page.text


def test_first_page_stands_without_the_script(page, samples):
    wrong = samples[~samples["correct"]].sort_values("confidence", ascending=False)
    assert len(page.named("figure", **{"class": "static"})) == 12
    # Behind those of the banner.
    pictures = page.named("img")[4:6]
    assert pictures[0]["alt"] == f"Photo {wrong['row_id'].iloc[0]}"
    assert all(picture["src"].startswith("data:image/jpeg;base64,") for picture in pictures)


def test_the_banner_names_the_shortcut_above_everything_else_and_shows_it(page, results, samples):
    cells = [cell for cell in results[1]["findings"]["regions"]["pull"] if cell["is_significant"]]
    strongest = max(cells, key=lambda cell: cell["pull"]["value"])
    named = f"Relies on {strongest['category']}: pulls verdicts to {strongest['class_name']}"
    assert page.text.index(named) < page.text.index("Summary")
    assert f"In {strongest['num_images']} photos of other classes" in page.text
    assert f"by the map {MAP_IDS[0]} (" in page.text
    right = int(samples["correct"].sum())
    assert f"{100 * right / 60:.1f} % right" in page.text
    figures = page.named("figure", **{"class": "evidence"})
    assert len(figures) == 2
    shown = [found["alt"].removeprefix("Photo ") for found in page.named("img")[:4:2]]
    rows = samples.set_index("row_id").loc[shown]
    assert (rows["label"] != strongest["class_name"]).all()
    assert (rows["pred_label"] == strongest["class_name"]).all()
    assert all(found["src"].startswith("data:image/jpeg;base64,") for found in page.named("img")[:4])


def test_a_run_in_which_nobody_looked_for_shortcuts_says_so_and_shows_the_worst_mistakes(results, samples, tmp_path):
    folder, manifest = results
    without = {**manifest, "findings": {"trust": [], "regions": None, "broken_gates": []}}
    found = Page(write_report(folder, without, load_photo, tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "Nobody looked for shortcuts" in found.text
    assert "concepts.num_images=all" in found.text
    worst = samples[~samples["correct"]].sort_values("confidence", ascending=False)["row_id"]
    assert [picture["alt"] for picture in found.named("img")[:4:2]] == [f"Photo {row_id}" for row_id in worst[:2]]


def test_findings_have_their_sections(page):
    sections = {found.get("id") for found in page.named("section")}
    assert {"summary", "classes", "gallery", "trust", "regions", "noise", "figures", "recipe"} <= sections
    assert "stress" not in sections
    assert "blind to the head" in page.text or "notices the head" in page.text
    assert "recipe.model.weights_sha256" in page.text


def test_outlines_are_kept_with_the_images_that_hold_the_region(page, results):
    data = json.loads(page.scripts["data"])
    audit = pd.read_parquet(results[0] / "audit.parquet")
    assert {found["name"] for found in data["outlines"]} == {"dog", "<cat>"}
    for found in data["outlines"]:
        holders = set(audit[audit["category"] == found["name"]]["row_id"])
        assert {data["ids"][row] for row in found["rows"]} == holders
        assert found["shapes"] == [[[0.0, 0.0, 0.5, 0.0, 0.5, 0.5, 0.0, 0.5]]] * len(holders)


def test_folders_of_earlier_versions_have_no_outlines(tmp_path):
    manifest = write_report_results(tmp_path)
    (tmp_path / "region_outlines.parquet").unlink()
    written = write_report(tmp_path, manifest, load_photo, tmp_path / "r.html")
    assert json.loads(Page(written.read_text(encoding="utf-8")).scripts["data"])["outlines"] == []


def test_tables_of_an_earlier_request_are_not_shown(results, tmp_path):
    folder, manifest = results
    without = {**manifest, "findings": {"trust": [], "regions": None, "broken_gates": []}}
    found = Page(write_report(folder, without, load_photo, tmp_path / "r.html").read_text(encoding="utf-8"))
    data = json.loads(found.scripts["data"])
    assert data["regions"] == []
    assert data["maps"][0]["scores"] == []
    assert "regions" not in {section.get("id") for section in found.named("section")}


def test_a_photo_that_cannot_be_read_leaves_a_placeholder(results, tmp_path, samples):
    lost = set(samples["row_id"].iloc[::2])

    def load(row_id):
        if row_id in lost:
            raise DatasetError("gone")
        return load_photo(row_id)

    found = Page(write_report(*results, load, tmp_path / "r.html").read_text(encoding="utf-8"))
    photos = json.loads(found.scripts["photos"])
    assert [photo is None for photo in photos] == [row_id in lost for row_id in samples["row_id"]]
    assert "30 photos could not be read" in found.text
    assert "no photo" in found.text


def test_all_photos_may_be_gone(results, tmp_path):
    def load(row_id):
        raise OSError("disk gone")

    found = Page(write_report(*results, load, tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "60 photos could not be read" in found.text
    assert not found.named("figure", **{"class": "evidence"})


def test_a_failing_report_leaves_the_old_one(results, tmp_path):
    path = tmp_path / "r.html"
    path.write_text("old")

    def load(row_id):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_report(*results, load, path)
    assert path.read_text() == "old"


def test_extents_are_kept_where_photos_are_cropped_or_padded(results, tmp_path, page):
    assert json.loads(page.scripts["data"])["extents"] is None
    extent = Extent(-0.25, 1.25, 0, 1)
    written = write_report(*results, load_photo, tmp_path / "r.html", extent=lambda _: extent)
    data = json.loads(Page(written.read_text(encoding="utf-8")).scripts["data"])
    assert data["extents"] == [list(extent)] * 60


def test_classes_that_do_not_occur_are_told_in_the_summary(tmp_path):
    manifest = write_report_results(tmp_path)
    first, *others = manifest["classes"]
    assert (
        "Averages over" not in Page(write_report(tmp_path, manifest, load_photo, tmp_path / "r.html").read_text()).text
    )
    told = {**manifest, "averaged_classes": [first], "classes_with_rows": [first]}
    page = Page(write_report(tmp_path, told, load_photo, tmp_path / "r.html").read_text())
    assert f"Averages over 1 of {len(others) + 1} classes: {others[0]}" in page.text
