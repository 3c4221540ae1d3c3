"""What may be compared, and what is refused by name."""

import numpy as np
import pytest
from made_up_runs import MAPS, made_up_run

from evalharness.comparison import align_probs, align_runs
from evalharness.errors import ResultsError


def test_equal_runs_align_row_by_row():
    alignment = align_runs([made_up_run(), made_up_run("second")])
    assert alignment.row_ids == ("a", "b", "c", "d")
    assert alignment.num_dropped == 0
    assert alignment.map_ids == ("rollout",)
    assert alignment.differences == ()
    assert alignment.unlike_maps is None


def test_another_order_of_rows_and_of_classes_is_the_same_run():
    first = made_up_run()
    order = [2, 0, 3, 1]
    second = made_up_run(
        "second",
        **{name: tuple(getattr(first, name)[i] for i in order) for name in ("row_ids", "labels", "digests", "groups")},
        classes=("y", "x"),
        probs=first.probs[order][:, ::-1],
    )
    alignment = align_runs([first, second])
    np.testing.assert_array_equal(align_probs(second, alignment.positions[1], first.classes), first.probs)


def test_rows_skipped_in_one_run_are_dropped_from_both_and_counted():
    shorter = made_up_run(
        "second", row_ids=("a", "c", "d"), labels=("x", "y", "y"), digests=("1", "3", "4"), groups=("a", "c", "d"),
        skipped=("b",), probs=np.full((3, 2), 0.5),
    )  # fmt: skip
    for runs in ([made_up_run(), shorter], [shorter, made_up_run()]):
        alignment = align_runs(runs)
        assert alignment.row_ids == ("a", "c", "d")
        assert alignment.num_dropped == 1
    assert align_runs([made_up_run(), shorter]).positions[0].tolist() == [0, 2, 3]


def test_a_row_that_one_run_skipped_need_not_be_in_the_other():
    alignment = align_runs([made_up_run(), made_up_run("second", skipped=("gone",))])
    assert alignment.row_ids == ("a", "b", "c", "d")
    assert alignment.num_dropped == 0


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"row_ids": ("a", "b", "c", "e")}, ["row ids", "(d)", "(e)"]),
        ({"labels": ("x", "y", "y", "y")}, ["labels", "1 rows", "(b)"]),
        ({"digests": ("1", "2", "3", "9")}, ["image digests", "(d)"]),
        ({"classes": ("x", "z")}, ["classes", "z"]),
        ({"maps": {}}, ["map_id", "rollout", "none"]),
        (
            {"maps": {"rollout": {**MAPS["rollout"], "options": {"start_layer": 1}}}},
            ["method options of rollout", "start_layer"],
        ),
        ({"maps": {"rollout": {**MAPS["rollout"], "version": 2}}}, ["method options of rollout", "version"]),
        ({"maps": {"rollout": {**MAPS["rollout"], "target": "true"}}}, ["target is predicted", "true"]),
    ],
)
def test_unlike_runs_are_refused_with_the_field_named(changes, parts):
    with pytest.raises(ResultsError, match="cannot be compared") as refusal:
        align_runs([made_up_run(), made_up_run("second", **changes)])
    for part in parts:
        assert part in str(refusal.value)


def test_every_unlike_field_is_named_at_once():
    other = made_up_run("second", labels=("y", "x", "y", "y"), digests=("9", "2", "3", "4"), maps={})
    with pytest.raises(ResultsError, match=r"(?s)labels.*image digests.*map_id"):
        align_runs([made_up_run(), other])


def test_chosen_maps_are_all_that_must_be_there():
    more = made_up_run("second", maps={**MAPS, "legrad": {**MAPS["rollout"], "method": "legrad"}})
    assert align_runs([made_up_run(), more], ["rollout"]).map_ids == ("rollout",)
    assert align_runs([made_up_run(), more], []).map_ids == ()
    with pytest.raises(ResultsError, match="first has no legrad"):
        align_runs([made_up_run(), more], ["legrad"])


def test_settings_that_may_differ_are_listed():
    settings = {**made_up_run().settings, "model.weights_sha256": "v", "model.head": "linear"}
    (weights, head) = align_runs([made_up_run(), made_up_run("second", settings=settings)]).differences
    assert (weights.field, weights.values) == ("model.weights_sha256", ("w", "v"))
    assert (head.field, head.values) == ("model.head", (None, "linear"))


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {**made_up_run().settings, "input.resize": "pad"}},
        {"settings": {**made_up_run().settings, "input.exif": "apply"}},
    ],
)
def test_maps_of_other_parts_of_the_photo_are_not_laid_over_each_other(changes):
    assert "part of the photo" in align_runs([made_up_run(), made_up_run("second", **changes)]).unlike_maps


def test_cropped_inputs_of_other_proportions_show_other_parts():
    cropped = {**made_up_run().settings, "input.resize": "crop"}
    runs = [made_up_run(settings=cropped), made_up_run("second", settings=cropped, image_size=(32, 64))]
    assert "proportions" in align_runs(runs).unlike_maps
    assert align_runs([made_up_run(), made_up_run("second", image_size=(32, 64))]).unlike_maps is None
