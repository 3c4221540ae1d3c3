import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from report_results import load_photo, write_report_results
from test_report_page import Page

from evalharness.report.html import write_report
from evalharness.report.html.gallery import choose_rows
from evalharness.report.html.packed_maps import TOP, UNDEFINED, choose_maps, map_chars, quantise
from evalharness.report.html.thumbnails import STEPS, PhotoPlan, make_thumbnails, shrink

GENERATOR = np.random.default_rng(0)
NOISE = [GENERATOR.integers(0, 256, (240, 320, 3), dtype=np.uint8) for _ in range(4)]


def noisy_photo(row_id):
    """Hardly compressible."""
    return NOISE[sum(row_id.encode()) % len(NOISE)]


def test_photos_shrink_until_the_page_fits(tmp_path):
    folder = tmp_path / "run"
    manifest = write_report_results(folder)
    pages = {}
    for max_bytes in (5_000_000, 2_000_000):
        path = write_report(folder, manifest, noisy_photo, tmp_path / "r.html", max_bytes=max_bytes)
        assert path.stat().st_size <= max_bytes
        photos = json.loads(Page(path.read_text(encoding="utf-8")).scripts["photos"])
        assert None not in photos
        pages[max_bytes] = sum(map(len, photos))
    assert pages[2_000_000] < pages[5_000_000]


def test_what_does_not_fit_is_left_out_and_said(tmp_path):
    folder = tmp_path / "run"
    manifest = write_report_results(folder, num_rows=120)
    path = write_report(folder, manifest, noisy_photo, tmp_path / "r.html", max_bytes=800_000)
    page = Page(path.read_text(encoding="utf-8"))
    ids = json.loads(page.scripts["data"])["ids"]
    assert path.stat().st_size <= 800_000
    assert 0 < len(ids) < 120
    assert f"shows {len(ids)} of 120 images" in page.text
    samples = pd.read_parquet(folder / "samples.parquet")
    worst = samples[~samples["correct"]].sort_values("confidence", ascending=False)["row_id"].iloc[0]
    assert worst in ids


@pytest.mark.slow
@pytest.mark.exhaustive
def test_five_thousand_images_fit(tmp_path):
    folder = tmp_path / "run"
    manifest = write_report_results(folder, num_rows=5000, row_name="{label}/{number:05d}.jpg")
    path = write_report(folder, manifest, noisy_photo, tmp_path / "r.html")
    assert path.stat().st_size <= 30_000_000
    data = json.loads(Page(path.read_text(encoding="utf-8")).scripts["data"])
    assert len(data["ids"]) == 5000


def test_rows_are_wrong_ones_first_then_classes_in_turn():
    samples = pd.DataFrame(
        {
            "row_id": [f"r{index:02d}" for index in range(40)],
            "label": ["a", "b"] * 20,
            "correct": [index >= 10 for index in range(40)],
            "confidence": np.linspace(0.3, 0.9, 40),
        }
    )
    chosen = choose_rows(samples, 12, seed=1)
    assert list(chosen["position"]) == sorted(chosen["position"])
    assert set(chosen[~chosen["correct"]]["row_id"]) >= {"r09", "r08", "r07", "r06", "r05", "r04"}
    assert len(chosen) == 12
    assert len(choose_rows(samples, 40, seed=1)) == 40


def test_levels_rise_with_the_root_of_the_density_to_four_times_the_top_of_the_scale():
    densities = np.array([[[0.0, 6.0], [24.0, 60.0]], [[np.nan, 1.0], [1.0, 1.0]]], np.float16)
    levels = quantise(densities, 6.0)
    assert levels[0].tolist() == [[0, TOP // 2], [TOP, TOP]]
    assert (levels[1] == UNDEFINED).all()


def test_yardsticks_are_the_first_maps_to_go():
    chars = dict.fromkeys(("random", "grad_attention", "rollout"), map_chars(np.zeros((1, 10, 12))))
    each = 10 * 12 * 4 / 3 * 100
    assert choose_maps(chars, 100, budget=3.1 * each / 0.35) == ["random", "grad_attention", "rollout"]
    assert choose_maps(chars, 100, budget=2.1 * each / 0.35) == ["grad_attention", "rollout"]
    assert choose_maps(chars, 100, budget=1) == ["grad_attention"]


def test_the_largest_step_that_fits_is_taken():
    plan = PhotoPlan(tuple(float(100 - index) for index in range(len(STEPS))))
    assert plan.step(10, 1000) == 0
    assert plan.step(10, 985) == 2
    assert plan.step(10, 1) == len(STEPS) - 1


def test_photos_that_turn_out_larger_than_planned_still_fit():
    row_ids = [str(index) for index in range(20)]
    found = make_thumbnails(row_ids, noisy_photo, 0, budget=60_000)
    assert sum(len(thumbnail.base64) for thumbnail in found if thumbnail) <= 60_000
    assert any(found)


def test_small_photos_are_not_enlarged_and_keep_their_proportions():
    small = shrink(load_photo("x"), 0)
    assert small.aspect == 1.5
    large = shrink(np.zeros((500, 1000, 3), np.uint8), 0)
    assert large.aspect == 2
    for thumbnail, size in ((small, (90, 60)), (large, (STEPS[0][0], STEPS[0][0] // 2))):
        with Image.open(io.BytesIO(thumbnail.jpeg)) as image:
            assert image.size == size
