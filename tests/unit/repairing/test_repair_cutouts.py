"""What is cut out, and that training and proof share nothing of it."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from evalharness.config import DatasetConfig, RepairConfig
from evalharness.errors import ConfigError, ResultsError
from evalharness.records import Sample
from evalharness.repairing import cutouts
from evalharness.repairing.cutouts import cut_out, gather_cutouts, in_random_order, split_in_half
from evalharness.repairing.harm import Harm
from evalharness.repairing.regions import Regions, box_mask

HARM = Harm("regions", (SimpleNamespace(category="cat"),))


def photo_with(tmp_path, number, group):
    path = tmp_path / f"{number}.png"
    Image.fromarray(np.full((40, 60, 3), number, np.uint8)).save(path)
    return Sample(path.name, path, path.name, "roses", number + 2, group)


def evaluation_of(tmp_path, num_photos, *, per_group=1):
    samples = tuple(photo_with(tmp_path, number, str(number // per_group)) for number in range(num_photos))
    return SimpleNamespace(
        samples=samples,
        positions={sample.row_id: place for place, sample in enumerate(samples)},
        config=SimpleNamespace(seed=123, dataset=DatasetConfig(csv="unused.csv")),
        run=SimpleNamespace(result=SimpleNamespace(folder=tmp_path)),
    )


def regions_of(evaluation, mask, categories=("cat",)):
    by_row = {sample.row_id: frozenset(categories) for sample in evaluation.samples}
    return Regions(dict.fromkeys(categories, "distractor"), by_row, lambda _: dict.fromkeys(categories, mask))


def test_a_cut_out_is_the_region_with_nothing_around_it():
    photo = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    mask = np.zeros((6, 8), np.bool_)
    mask[1:3, 2:6] = True
    mask[1, 2] = False
    found = cut_out(photo, mask)
    assert found.shape == (2, 4, 4)
    np.testing.assert_array_equal(found[..., 3] > 0, mask[1:3, 2:6])
    np.testing.assert_array_equal(found[1, :, :3], photo[2, 2:6])


def test_a_large_cut_out_is_made_smaller_in_proportion():
    found = cut_out(np.full((600, 1200, 3), 200, np.uint8), np.ones((600, 1200), np.bool_))
    assert found.shape == (128, 256, 4)
    assert (found[..., :3] == 200).all()


@pytest.mark.parametrize(("num", "sizes"), [(1, (1, 1)), (2, (1, 1)), (5, (3, 2))])
def test_halves(num, sizes):
    names = [str(number) for number in range(num)]
    first, second = split_in_half(names)
    assert (len(first), len(second)) == sizes
    assert bool(set(first) & set(second)) == (num == 1)


def test_order_belongs_to_the_names_alone():
    names = [str(number) for number in range(20)]
    assert in_random_order(names, 1) == in_random_order(names[::-1], 1) != in_random_order(names, 2)
    assert in_random_order(names, 1) != names


def test_regions_are_split_by_group(tmp_path):
    evaluation = evaluation_of(tmp_path, 12, per_group=3)
    mask = box_mask(0.25, 0.75, 0.25, 0.75, (40, 60))
    found = gather_cutouts(RepairConfig(), evaluation, HARM, regions_of(evaluation, mask))
    groups = {sample.row_id: sample.group for sample in evaluation.samples}
    sides = [{groups[row_id] for row_id in half.by_category["cat"]} for half in (found.training, found.proof)]
    assert not sides[0] & sides[1]
    assert sides[0] == found.used_groups
    assert len(found.training.by_category["cat"]) == len(found.proof.by_category["cat"]) == 6
    assert not found.shared


def test_only_groups_that_were_cut_from_are_lost_to_the_proof(tmp_path, monkeypatch):
    monkeypatch.setattr(cutouts, "MAX_CUTOUTS", 2)
    evaluation = evaluation_of(tmp_path, 12)
    mask = box_mask(0, 1, 0, 0.5, (40, 60))
    found = gather_cutouts(RepairConfig(), evaluation, HARM, regions_of(evaluation, mask))
    assert len(found.training.by_category["cat"]) == len(found.used_groups) == 2


def test_regions_that_show_nothing(tmp_path):
    evaluation = evaluation_of(tmp_path, 6)
    mask = box_mask(0, 0.05, 0, 1, (40, 60))
    with pytest.raises(ResultsError, match=r"nothing can be cut out of the photos with cat.*6 photos with cat"):
        gather_cutouts(RepairConfig(), evaluation, HARM, regions_of(evaluation, mask))


def write_folder(folder, **counts):
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(np.full((9, 9, 4), 255 - number, np.uint8), "RGBA").save(folder / name / f"{number}.png")
    return RepairConfig(cutouts=folder)


def test_a_folder_is_split_too(tmp_path):
    config = write_folder(tmp_path / "animals", cat=5, dog=1)
    found = gather_cutouts(config, evaluation_of(tmp_path, 1), HARM, None)
    assert found.categories == ("cat", "dog")
    assert not set(found.training.by_category["cat"]) & set(found.proof.by_category["cat"])
    assert found.shared == ("dog",)
    assert found.used_groups == frozenset()


def test_a_folder_without_what_harms(tmp_path):
    config = write_folder(tmp_path / "animals", dog=2)
    with pytest.raises(ConfigError, match=r"no cut-outs of cat, .* got dog"):
        gather_cutouts(config, evaluation_of(tmp_path, 1), HARM, None)


def test_nothing_known_and_no_folder(tmp_path):
    with pytest.raises(ConfigError, match=r"Set repair\.cutouts=DIR"):
        gather_cutouts(RepairConfig(), evaluation_of(tmp_path, 1), None, None)


def test_a_box_is_in_parts_of_the_photo_and_never_empty():
    mask = box_mask(0.25, 0.5, 0.1, 0.2, (40, 60))
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 19, 6, 11)
    assert box_mask(1.0, 1.0, 1.0, 1.0, (40, 60)).sum() == 1
