import pytest

from evalharness.errors import EvalHarnessError


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"what": "it failed"}, "it failed."),
        ({"what": "it failed", "got": 3, "where": "line 2", "fix": "Mend it"}, "it failed: got 3 (line 2). Mend it."),
        ({"what": "it failed", "got": "an error\n", "fix": "Why?"}, "it failed: got an error. Why?"),
        ({"what": "wrong:\n  a\n  b\n", "fix": "Mend both"}, "wrong:\n  a\n  b\nMend both."),
        ({"what": "wrong:\n  a\n  b", "fix": "\nMend both."}, "wrong:\n  a\n  b\nMend both."),
        ({"what": "wrong:\n  a"}, "wrong:\n  a"),
        ({"what": "wrong:\n  a\nMend it"}, "wrong:\n  a\nMend it."),
    ],
)
def test_a_fix_follows_the_sentence_or_stands_below_the_list(arguments, text):
    what = arguments.pop("what")
    assert str(EvalHarnessError(what, **arguments)) == text
