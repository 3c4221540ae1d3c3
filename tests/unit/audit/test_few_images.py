"""What is said of a distractor that is in too few images to be tested."""

import numpy as np

from evalharness.audit import SeenCategory

NAN = float("nan")


def seen(is_wrong, looks, flips, num_able=6):
    return SeenCategory("cat", np.array(is_wrong, bool), np.array(looks, float), np.array(flips, float), num_able)


def test_all_mistakes_look_at_it():
    found = seen([1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 0, 0])
    assert found.sentence == (
        "With cat: all 3 mistakes look at it, and 2 of these verdicts change when it is erased; the one right verdict "
        "does not look at it. To test its pull takes 4 more images of other classes with it."
    )


def test_some_mistakes_and_right_verdicts_look_at_it():
    found = seen([1, 1, 0, 0, 0], [1, 0, 1, 1, NAN], [0, 1, 0, 0, 0], num_able=9)
    assert found.sentence == (
        "With cat: 1 of 2 mistakes looks at it; 2 of 3 right verdicts look at it. To test its pull takes 1 more image "
        "of other classes with it."
    )


def test_without_mistakes():
    assert seen([0, 0], [0, 0], [0, 0]).sentence.startswith(
        "With cat: no verdict is wrong; none of 2 right verdicts look at it. "
    )


def test_without_controls_nothing_is_said_of_looks():
    assert seen([1, 0], [NAN, NAN], [1, 0]).sentence.startswith(
        "With cat: 1 of 2 verdicts are wrong; whether maps look at it cannot be told (too few controls). "
    )
