"""Which training photos are refused, and what is pasted into each."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from evalharness.config import DatasetConfig, RepairConfig
from evalharness.errors import ConfigError, DatasetError
from evalharness.records import Sample
from evalharness.repairing.training_photos import refuse_evaluated, refuse_too_few, take_turns, training_section

CLASSES = ("daisy", "roses")
CONFIG = RepairConfig(csv=Path("training.csv"))


def samples(group=None, **counts):
    rows = [(label, number) for label, count in counts.items() for number in range(count)]
    return tuple(
        Sample(f"{label}/{number}", Path("x"), f"{label}/{number}", label, 2, group or f"{label}/{number}")
        for label, number in rows
    )


def test_enough_photos_are_not_refused():
    refuse_too_few(samples(daisy=20, roses=25), CLASSES, CONFIG)


def test_a_class_without_photos_is_refused():
    with pytest.raises(DatasetError, match=r"classes are missing .* got none of roses \(training.csv\)"):
        refuse_too_few(samples(daisy=40), CLASSES, CONFIG)


def test_few_photos_of_a_class_are_refused():
    with pytest.raises(DatasetError, match="at least 20 of each class, got 19 of roses"):
        refuse_too_few(samples(daisy=40, roses=19), CLASSES, CONFIG)


def test_few_groups_are_refused():
    with pytest.raises(DatasetError, match=r"too few groups of training photos.* got 1 of daisy, 1 of roses"):
        refuse_too_few(samples("one", daisy=40, roses=40), CLASSES, CONFIG)


def dataset(**digests):
    images = {name: SimpleNamespace(sha256=digest) for name, digest in digests.items()}
    return SimpleNamespace(images=images, samples=tuple(digests), csv=Path("training.csv"))


def test_evaluated_photos_are_refused_by_their_content():
    evaluation = SimpleNamespace(dataset=dataset(a="1", b="2"))
    refuse_evaluated(dataset(a="3", c="4"), evaluation)
    with pytest.raises(DatasetError, match=r"among the evaluated ones.*got 1 of 2 with the SHA-256 of one \(copy\)"):
        refuse_evaluated(dataset(other="3", copy="2"), evaluation)


def test_categories_take_turns_within_each_class():
    rows = samples(daisy=31, roses=30)
    chosen = take_turns(rows, ("bird", "cat", "dog"), seed=1)
    counts = Counter((row.label, category) for row, category in zip(rows, chosen, strict=True))
    assert sorted(counts.values()) == [10, 10, 10, 10, 10, 11]
    assert (
        chosen == take_turns(rows, ("bird", "cat", "dog"), seed=1) != take_turns(rows, ("bird", "cat", "dog"), seed=2)
    )


def section(tmp_path, header, **given):
    csv = tmp_path / "training.csv"
    csv.write_text(f"{header}\n", encoding="utf-8")
    own = DatasetConfig(csv="test.csv", **given)
    evaluation = SimpleNamespace(run=SimpleNamespace(config=SimpleNamespace(dataset=own)), classes=CLASSES)
    return training_section(RepairConfig(csv=csv), evaluation)


def test_the_csv_is_read_in_the_columns_of_the_run_as_far_as_it_has_them(tmp_path):
    given = {
        "path_columns": ("file",), "label_column": "kind", "label_match": "substring", "id_column": "id",
        "group": "scene", "clean_column": "clean", "annotations": "regions.json", "resize": "pad", "root": "photos",
    }  # fmt: skip
    found = section(tmp_path, "file,kind,scene", **given)
    assert (found.path_columns, found.label_column, found.label_match) == (("file",), "kind", "substring")
    assert (found.group, found.id_column, found.clean_column, found.annotations) == ("scene", None, None, None)
    assert (found.resize, found.root, found.classes) == ("pad", Path("photos"), CLASSES)
    other = section(tmp_path, "path,label", **given)
    assert (other.path_columns, other.label_column, other.label_match, other.group) == (None, None, None, None)


def test_no_csv():
    with pytest.raises(ConfigError, match=r"Set repair\.csv=PATH"):
        training_section(RepairConfig(), None)
