import base64
import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from comparison_results import RUN_NAMES, write_made_up_comparison, write_runs
from report_results import CLASSES, GRID, MAP_IDS
from test_report_page import Page, assert_self_contained
from test_report_size import noisy_photo

from evalharness.comparing.concepts import COLUMNS
from evalharness.comparison import RULE
from evalharness.report.html import write_comparison_report
from evalharness.report.html.comparison_tables import listed_flips, metric_tables
from evalharness.report.html.flips import choose_flips
from evalharness.report.html.reliance import find_reliance


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return write_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def comparison(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    return folder, write_made_up_comparison(folder, runs)


@pytest.fixture(scope="module")
def page(comparison):
    return read_page(comparison[0] / "report.html")


def read_page(path):
    return Page(path.read_text(encoding="utf-8"))


def data_of(page):
    return json.loads(page.scripts["data"])


def test_names_are_text_and_never_markup(page):
    assert len(page.named("script")) == 3
    assert not [found for _, found in page.tags if any(name.startswith("on") for name in found)]
    assert not [name for name, _ in page.tags if name in {"b", "i", "u"}]
    assert not page.named("img", src="x")
    assert page.text.count(RUN_NAMES[1]) > 3
    assert CLASSES[2] in page.text
    assert "<u>note 1</u>" in page.text
    assert data_of(page)["runs"] == list(RUN_NAMES)


def test_nothing_is_loaded_from_elsewhere_and_only_our_script_may_run(page):
    assert_self_contained(page)


def test_verdicts_notes_and_every_part_are_there(page, comparison):
    folder, contents = comparison
    manifest = json.loads((folder / "manifest.json").read_text())
    assert len(page.named("p", **{"class": "finding warn"})) == 2
    assert page.text.index("Cannot tell third from reference") < page.text.index("Verdict")
    for sentence in manifest["verdicts"]:
        assert sentence.split(": accuracy ")[1] in page.text
    assert " ".join(RULE.split()) in page.text
    assert manifest["remarks"]
    assert all(" ".join(sentence.split()) in page.text for sentence in manifest["remarks"])
    sections = {found.get("id") for found in page.named("section")}
    assert sections >= {
        "summary",
        "settings",
        "classes",
        "gallery",
        "calibration",
        "maps",
        "regions",
        "figures",
        "runs",
    }
    assert "recipe.model.note" in page.text or "model.note" in page.text
    assert {found["alt"] for found in page.named("img", **{"class": "figure"})} >= {
        "Difference of every number", "Confidence against accuracy", f"{RUN_NAMES[1]}: every class",
    }  # fmt: skip
    assert "★ +0.200" in page.text
    assert "n = 3" in page.text
    accuracy = contents.pairs[0]["metrics"]["accuracy"]
    assert f"{accuracy['difference']['value']:+.3f}" in page.text


def test_every_number_is_told_as_the_comparison_judged_it(page, comparison):
    _, contents = comparison
    for pair, table in zip(contents.pairs, metric_tables(contents), strict=True):
        assert [row["outcome"] for row in table["rows"]] == [entry["outcome"] for entry in pair["metrics"].values()]
        assert table["rows"][0]["outcome"] == pair["outcome"], "accuracy is what the verdict is of"
    shown = page.named("span", **{"class": "outcome muted"})
    assert len(shown) >= sum(
        entry["outcome"] not in ("better", "worse") for pair in contents.pairs for entry in pair["metrics"].values()
    )


def test_the_first_screen_says_what_each_run_relies_on_and_shows_flips_under_both_maps(page, comparison):
    _, contents = comparison
    first = page.text[: page.text.index("Settings that differ")]
    for run in contents.runs:
        assert find_reliance(run.manifest, run.audit).headline in first
    figures = page.named("figure", **{"class": "evidence"})
    assert len(figures) == 2
    shown = [found["alt"] for found in page.named("img")[:6]]
    assert shown[0] != shown[3]
    assert {alt.split(" ")[0] for alt in shown} == {"Photo", "Map"}


def test_data_are_the_flips_and_both_maps_of_each(page, comparison, runs):
    folder, _ = comparison
    data = data_of(page)
    flips = pd.read_csv(folder / "flips.csv")
    assert len(flips) > 24
    assert data["ids"] == list(flips["row_id"])
    assert [data["runs"][1 + pair] for pair in data["pairs"]] == list(flips["run"])
    assert data["broken"] == [int(kind == "broken") for kind in flips["kind"]]
    for mine, theirs in (("before", "reference_"), ("now", "")):
        assert [CLASSES[index] for index in data[f"{mine}_preds"]] == list(flips[f"{theirs}pred_label"])
        np.testing.assert_allclose(data[f"{mine}_confidence"], flips[f"{theirs}confidence"], atol=5e-5)
        np.testing.assert_allclose(data[f"{mine}_true"], flips[f"{theirs}true_prob"], atol=5e-5)
    assert [found["id"] for found in data["maps"]] == list(MAP_IDS)
    density_max = data["density_max"]
    assert density_max == 6.0
    for number, run in enumerate(runs):
        wanted = flips["row_id"] if number == 0 else flips["row_id"][flips["run"] == run.name]
        stored = np.stack([run.result.map(row_id, "rollout") for row_id in wanted])
        layer = data["maps"][1]["layers"][number]
        levels = np.frombuffer(base64.b64decode(layer["bytes"]), np.uint8).reshape(-1, *GRID)
        np.testing.assert_allclose(levels / 254, np.sqrt(np.minimum(stored / (4 * density_max), 1)), atol=0.51 / 254)
    places = pd.Series(data["places"]).groupby(data["pairs"]).apply(list)
    assert all(own == list(range(len(own))) for own in places)


def test_true_probabilities_are_those_of_the_runs(comparison, runs):
    flips = pd.read_csv(comparison[0] / "flips.csv")
    for row in flips.to_dict("records"):
        for run, name in ((runs[0], "reference_true_prob"), (runs[RUN_NAMES.index(row["run"])], "true_prob")):
            sample = run.result.samples.iloc[run.result.position(row["row_id"])]
            assert row[name] == pytest.approx(sample[f"prob_{row['label']}"], abs=1e-6)


def test_flips_stand_without_the_script(page, comparison):
    flips = pd.read_csv(comparison[0] / "flips.csv")
    links = [found["href"].removeprefix("#") for found in page.named("a") if "data-kind" in found]
    headings = {found["id"] for found in page.named("h3") if "id" in found}
    assert set(links) == headings == {f"list-{pair}-{kind}" for pair in (0, 1) for kind in ("broken", "fixed")}
    assert len(page.named("th", scope="row", **{"class": "name"})) == len(flips)
    # Twelve figures, each with the photo and both maps, behind the two of the banner.
    assert len(page.named("figure", **{"class": "static"})) == 12
    pictures = [found for found in page.named("img") if found.get("class") != "figure"][6:]
    assert len(pictures) == 36
    first = flips.loc[(flips["true_prob"] - flips["reference_true_prob"]).abs().idxmax()]
    assert pictures[0]["alt"] == f"Photo {first['row_id']}"
    assert pictures[1]["alt"] == f"Map of {RUN_NAMES[0]}"
    assert pictures[2]["alt"] == f"Map of {first['run']}"
    assert len({found["src"] for found in pictures[:3]}) == 3


def test_very_many_flips_are_counted_in_the_list(comparison):
    groups = listed_flips(comparison[1], most=8)
    assert [len(group["rows"]) for group in groups] == [2, 2, 2, 2]
    assert sum(group["num"] for group in groups) == len(comparison[1].flips)


def test_concepts_stand_beside_those_most_like_them(comparison, tmp_path):
    _, contents = comparison
    rows = [
        (RUN_NAMES[1], "concept 3", "<cat>", "centroids", 0.64, "roses", 0.41, 0.02, 0.001, True, False),
        (RUN_NAMES[1], "concept 4", None, "centroids", 0.0, "daisy", 0.05, np.nan, np.nan, False, False),
        (RUN_NAMES[1], "concept 5", "concept 1", "centroids", 0.5, None, np.nan, np.nan, np.nan, False, False),
    ]
    found = replace(contents, tables={**contents.tables, "concepts": pd.DataFrame(rows, columns=COLUMNS)})
    page = read_page(write_comparison_report(found, tmp_path / "r.html"))
    assert "⚠ concept 3" in page.text
    assert "<cat>" in page.text
    assert "64 % of centroids roses +0.410 → +0.020" in page.text
    assert "concept 4" in page.text
    assert "concept 5" not in page.text, "nothing of it was tested"
    assert_self_contained(page)


def test_what_does_not_fit_is_left_out_and_counted(comparison, tmp_path):
    _, contents = comparison
    noisy = replace(contents, load_photo=noisy_photo, figures=())
    path = write_comparison_report(noisy, tmp_path / "r.html", max_bytes=640_000)
    page = read_page(path)
    num, num_all = len(data_of(page)["ids"]), len(contents.flips)
    assert path.stat().st_size <= 640_000
    assert 0 < num < num_all
    assert f"shows {num} of {num_all} flips" in page.text
    assert f"{num_all - num} are left out" in page.text
    change = (contents.flips["true_prob"] - contents.flips["reference_true_prob"]).abs()
    assert sorted(data_of(page)["ids"]) == sorted(contents.flips.loc[change.nlargest(num).index, "row_id"])


def test_photos_shrink_before_flips_are_left_out(comparison, tmp_path):
    contents = replace(comparison[1], load_photo=noisy_photo, figures=())
    path = write_comparison_report(contents, tmp_path / "r.html", max_bytes=2_000_000)
    assert path.stat().st_size <= 2_000_000
    page = read_page(path)
    assert len(data_of(page)["ids"]) == len(contents.flips)
    assert None not in json.loads(page.scripts["photos"])


def test_flips_with_the_largest_change_are_kept_in_their_order():
    flips = pd.DataFrame({"true_prob": [0.1, 0.9, 0.5, 0.2], "reference_true_prob": [0.2, 0.1, 0.6, 0.9]})
    assert list(choose_flips(flips, 2)["true_prob"]) == [0.9, 0.2]
    assert list(choose_flips(flips, 4)["true_prob"]) == [0.1, 0.9, 0.5, 0.2]


def test_photos_that_are_gone_leave_their_maps(tmp_path):
    runs = write_runs(tmp_path / "runs", num_runs=2, num_rows=24)
    shutil.rmtree(tmp_path / "runs" / "photos")
    contents = write_made_up_comparison(tmp_path / "c", runs)
    page = read_page(tmp_path / "c" / "report.html")
    photos = json.loads(page.scripts["photos"])
    assert photos == [None] * contents.flips["row_id"].nunique()
    assert f"{len(photos)} of {len(photos)} photos could not be read" in page.text
    assert set(data_of(page)["aspects"]) == {1.5}
    assert not [found for found in page.named("img") if found["alt"].startswith("Photo ")]
    assert [found for found in page.named("img") if found["alt"].startswith("Map of ")]


def test_a_changed_photo_is_not_shown(tmp_path):
    runs = write_runs(tmp_path / "runs", num_runs=2, num_rows=24)
    flipped = write_made_up_comparison(tmp_path / "c", runs).flips["row_id"].iloc[0]
    (tmp_path / "runs" / "photos" / flipped).write_bytes(b"another")
    write_made_up_comparison(tmp_path / "c", runs)
    page = read_page(tmp_path / "c" / "report.html")
    data = data_of(page)
    photos = json.loads(page.scripts["photos"])
    gone = {data["ids"][row] for row, place in enumerate(data["photos"]) if photos[place] is None}
    assert gone == {flipped}
    assert "1 of " in page.text


def test_a_run_beside_itself_has_a_page_without_flips(runs, tmp_path):
    twice = (runs[0], replace(runs[0], name="again"))
    write_made_up_comparison(tmp_path / "c", twice)
    page = read_page(tmp_path / "c" / "report.html")
    assert "No image is right in one run alone" in page.text
    assert "No difference between again and reference" in page.text
    assert data_of(page)["ids"] == []
    assert "The settings of all runs are the same." in page.text
