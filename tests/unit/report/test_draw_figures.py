import re
from collections import Counter

import numpy as np
import pytest
from made_up_run import GRID, build_run, frame_of
from PIL import Image

from evalharness.config import ReportConfig
from evalharness.report import draw_figures, select_logged
from evalharness.report.figures import OVERLAY_PIXELS
from evalharness.report.overlay import fit, overlay
from evalharness.slugs import slug

CONFIG = ReportConfig(num_pairs=3, num_logged_images=4)
SMALL = ReportConfig(contact_sheet=("random",), num_pairs=2, num_logged_images=4)
NO_SHEETS = ReportConfig(contact_sheet=(), num_logged_images=4)


def draw(run, folder, config=CONFIG, **changes):
    arguments = {"samples": run.samples, "maps": run.maps, "photo": run.photo, "seed": 123, **changes}
    return draw_figures(
        arguments["samples"],
        run.evaluation,
        arguments["maps"],
        arguments["photo"],
        folder,
        config,
        class_names=run.class_names,
        seed=arguments["seed"],
    )


def test_every_figure_is_written(tmp_path):
    run, folder = build_run(), tmp_path / "new" / "figures"
    paths = draw(run, folder)
    names = [path.relative_to(folder).as_posix() for path in paths]
    rules = [rule for rule in CONFIG.contact_sheet if rule != "worst_mistakes"]
    sheets = [f"pairs_{rule}.{map_id}.png" for rule in rules for map_id in run.maps]
    singles = ["worst_mistakes.png", "worst_mistakes.grad_attention.true.png"]
    singles += ["confusion_matrix.png", "reliability.png", "per_class.png", "prediction_grid.png"]
    assert names[: len(singles + sheets)] == singles + sheets
    assert Counter(names) == Counter(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    assert len(names) == len(singles + sheets) + 4 * len(run.maps)
    for path in paths:
        assert np.ptp(np.asarray(Image.open(path))) > 0
        assert re.fullmatch(r"[\w.-]+", path.name)


def test_overlays_are_photo_beside_overlay_under_keys_of_class_row_and_map(tmp_path):
    run = build_run()
    draw(run, tmp_path, NO_SHEETS)
    row_ids = select_logged(run.samples, 4, 123)
    expected = {
        f"{slug(row_id.split('/')[0])}.{slug(row_id)}.{map_id}.png": (row_id, map_id)
        for row_id in row_ids
        for map_id in run.maps
    }
    assert {path.name for path in (tmp_path / "overlays").iterdir()} == set(expected)
    for name, (row_id, map_id) in expected.items():
        position = list(run.samples["row_id"]).index(row_id)
        photo = fit(run.photo(row_id), OVERLAY_PIXELS)
        drawn = overlay(photo, run.maps[map_id][position], density_max=CONFIG.density_max)
        image = np.asarray(Image.open(tmp_path / "overlays" / name))
        np.testing.assert_array_equal(image[:, :OVERLAY_PIXELS], photo)
        np.testing.assert_array_equal(image[:, -OVERLAY_PIXELS:], drawn)


def test_overlays_of_names_that_look_alike_are_files_of_their_own(tmp_path):
    rows = [("c", "a.b"), ("b.c", "a"), ("B.C", "a"), ("d/e", "バラ")]
    samples = frame_of([(row_id, label, label, 0.9) for row_id, label in rows])
    maps = {"rollout": np.ones((4, *GRID), np.float32), "libra.true": np.ones((4, *GRID), np.float32)}
    config = ReportConfig(contact_sheet=(), num_logged_images=4)
    draw(build_run(), tmp_path, config, samples=samples, maps=maps, photo=lambda _: np.zeros((8, 8, 3), np.uint8))
    names = [path.name for path in (tmp_path / "overlays").iterdir()]
    assert len({name.casefold() for name in names}) == 4 * 2
    assert {"a-b.c.rollout.png", "a-b.c.libra.true.png", f"バラ.{slug('d/e')}.rollout.png"} <= set(names)


def test_runs_with_other_results_log_the_same_images(tmp_path):
    run, other = build_run(), build_run()
    other.samples["pred_label"] = "daisy"
    other.samples["confidence"] = 0.5
    draw(run, tmp_path / "one", NO_SHEETS)
    draw(other, tmp_path / "two", NO_SHEETS)
    one, two = ({path.name for path in (tmp_path / name / "overlays").iterdir()} for name in ("one", "two"))
    assert one == two


def test_no_mistakes_no_sheet_of_mistakes(tmp_path):
    run = build_run()
    right = run.samples.assign(pred_label=run.samples["label"], correct=True)
    names = [path.name for path in draw(run, tmp_path, samples=right)]
    assert not [name for name in names if "worst_mistakes" in name]
    assert [name for name in names if "most_confident" in name]


def test_maps_belong_to_rows_not_to_places_in_the_sheet(tmp_path):
    run = build_run()
    reverse = {map_id: densities[::-1] for map_id, densities in run.maps.items()}
    draw(run, tmp_path / "one", SMALL)
    draw(run, tmp_path / "two", SMALL, samples=run.samples.iloc[::-1], maps=reverse)
    sheets = [tmp_path / folder / "pairs_random.rollout.png" for folder in ("one", "two")]
    np.testing.assert_array_equal(*[np.asarray(Image.open(sheet)) for sheet in sheets])


def test_each_photo_of_a_sheet_is_read_once(tmp_path):
    run, asked = build_run(), []

    def photo(row_id):
        asked.append(row_id)
        return run.photo(row_id)

    draw(run, tmp_path, photo=photo)
    num_mistakes = (~run.samples["correct"]).sum()
    assert len(asked) == num_mistakes + 16 + 3 * CONFIG.num_pairs + CONFIG.num_logged_images


def test_evaluation_without_maps(tmp_path):
    names = {path.name for path in draw(build_run(), tmp_path, maps={})}
    singles = {"confusion_matrix.png", "reliability.png", "per_class.png", "prediction_grid.png"}
    assert names == {*singles, "worst_mistakes.png"}


def test_memory_mapped_maps(tmp_path):
    run = build_run()
    np.save(tmp_path / "map.npy", run.maps["rollout"])
    mapped = np.load(tmp_path / "map.npy", mmap_mode="r")
    draw(run, tmp_path / "array", SMALL, maps={"rollout": run.maps["rollout"]})
    draw(run, tmp_path / "mapped", SMALL, maps={"rollout": mapped})
    files = {path.relative_to(tmp_path / "array") for path in (tmp_path / "array").rglob("*.png")}
    assert files == {path.relative_to(tmp_path / "mapped") for path in (tmp_path / "mapped").rglob("*.png")}
    for name in files:
        assert (tmp_path / "array" / name).read_bytes() == (tmp_path / "mapped" / name).read_bytes()


def test_maps_of_another_number_of_rows_are_refused(tmp_path):
    with pytest.raises(ValueError, match="rollout has 5 rows for 24 samples"):
        draw(build_run(), tmp_path, maps={"rollout": np.ones((5, *GRID))})
    assert not list(tmp_path.iterdir())


def test_names_that_no_font_has_are_told_once(tmp_path, capsys):
    run = build_run(class_names=("daisy", "\U0001f339"))
    draw(run, tmp_path, SMALL)
    told = " ".join(capsys.readouterr().err.split())
    assert told.count("no font of this machine") == 1
    assert slug("\U0001f339") in told
