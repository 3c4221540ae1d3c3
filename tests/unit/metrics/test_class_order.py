"""Outputs that carry the wrong names are noticed; weak models are left alone."""

import re

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from evalharness.metrics import class_order_warning

FLOWERS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")


def order_in(warning):
    """The classes of the override that the warning prints, read by Hydra."""
    override = re.search(r'"(model\.classes=.*)"', warning).group(1)
    (parsed,) = OverridesParser.create().parse_overrides([override])
    assert parsed.key_or_group == "model.classes"
    return [str(name) for name in parsed.value()]


def confusion_of(labels, outputs, num_classes=5):
    confusion = np.zeros((num_classes, num_classes), int)
    np.add.at(confusion, (labels, outputs), 1)
    return confusion


def test_a_model_in_the_right_order_is_left_alone():
    assert class_order_warning(np.diag([10, 10, 10, 10, 10]), FLOWERS) is None
    assert class_order_warning(np.diag([10, 10, 10, 10, 10]) + 3, FLOWERS) is None


def test_the_printed_order_is_the_one_of_the_outputs():
    """Trained as tulips, daisy, dandelion, roses, sunflowers: a daisy raises output 1."""
    trained = ["tulips", "daisy", "dandelion", "roses", "sunflowers"]
    outputs_of = [trained.index(name) for name in FLOWERS]
    confusion = confusion_of(np.repeat(np.arange(5), 20), np.repeat(outputs_of, 20)) + 1
    warning = class_order_warning(confusion, FLOWERS)
    assert order_in(warning) == trained
    assert "accuracy is 4.0%" in warning
    assert "would be 84.0%" in warning


def test_two_swapped_classes_leave_the_others_in_place():
    confusion = np.diag([20, 20, 20, 20, 20])
    confusion[[1, 3]] = confusion[[3, 1]]
    assert order_in(class_order_warning(confusion, FLOWERS)) == ["daisy", "sunflowers", "roses", "dandelion", "tulips"]


def test_it_takes_more_than_twenty_points():
    assert class_order_warning(np.array([[40, 50], [50, 60]]), "ab") is None
    assert class_order_warning(np.array([[40, 60], [60, 40]]), "ab") is None
    assert order_in(class_order_warning(np.array([[39, 61], [60, 40]]), "ab")) == ["b", "a"]


@pytest.mark.parametrize("scale", [1, 10**6])
def test_equally_good_orders_move_nothing(scale):
    """a and b are swapped, c answers as e; d and e have no rows: e takes the output that c leaves, d keeps its own."""
    confusion = scale * confusion_of([0] * 5 + [1] * 5 + [2] * 2, [1] * 5 + [0] * 5 + [4] * 2)
    assert order_in(class_order_warning(confusion, "abcde")) == ["b", "a", "e", "d", "c"]


def test_classes_that_do_not_occur_do_not_draw_others_to_their_outputs():
    """A weak model calls most roses tulips, and the list has no tulips."""
    confusion = np.zeros((5, 5), int)
    confusion[0, 0], confusion[2, 2], confusion[2, 4] = 20, 10, 40
    assert class_order_warning(confusion, FLOWERS) is None


def test_a_model_that_always_answers_with_an_absent_class_is_left_alone():
    labels = np.repeat([0, 1, 2, 3], [50, 20, 20, 10])
    assert class_order_warning(confusion_of(labels, np.full(100, 4)), FLOWERS) is None


def test_one_class_alone_is_no_evidence_of_an_order():
    assert class_order_warning(confusion_of(np.full(30, 2), np.full(30, 4)), FLOWERS) is None


def test_a_shifted_order_is_noticed_on_a_list_that_lacks_classes():
    """Only daisy and roses occur, and both answer with the next output, which no row of the list is named after."""
    labels = np.repeat([0, 2], 25)
    order = order_in(class_order_warning(confusion_of(labels, labels + 1), FLOWERS))
    assert (order[1], order[3]) == ("daisy", "roses")
    assert sorted(order) == sorted(FLOWERS)


def test_classes_that_are_neither_seen_nor_answered_change_nothing():
    swapped = np.array([[0, 30], [30, 0]])
    padded = np.zeros((5, 5), int)
    padded[:2, :2] = swapped
    assert order_in(class_order_warning(swapped, FLOWERS[:2])) == ["dandelion", "daisy"]
    assert order_in(class_order_warning(padded, FLOWERS)) == ["dandelion", "daisy", "roses", "sunflowers", "tulips"]


def test_no_rows():
    assert class_order_warning(np.zeros((3, 3), int), "abc") is None


def test_any_name_passes_through_hydras_grammar():
    names = ("バラ", "a=b", "it's, [really] {so}", "back\\slash", "trailing\\", "1", "true", "two  spaces", "$x, (y)")
    confusion = np.roll(np.diag(np.full(len(names), 5)), 1, axis=1)
    order = order_in(class_order_warning(confusion, names))
    assert order == [names[-1], *names[:-1]]
