import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name, _validate_tag_name

from evalharness.slugs import ascii_form, ascii_slug, file_slugs, slug

NEAR_NAMES = st.text(st.sampled_from("abAB-_ .éバば薔0f(/\u3099"), max_size=14)
NAMES = st.text(max_size=80) | NEAR_NAMES | NEAR_NAMES.map(slug) | NEAR_NAMES.map(ascii_slug)
SETS = st.lists(NAMES, min_size=2, max_size=30, unique=True)
NEAR_SETS = (
    ["a b", "a-b", ascii_slug("a b"), slug(ascii_slug("a b"))],
    ["a(b", slug("a(b"), slug(slug("a(b"))],
    ["", "x", slug("")],
    ["ば", "は\u3099", "バ"],
    ["é", "e\u0301"],
    ["a" * 64, "a" * 65, "a" * 66],
    ["薔" * 21, "薔" * 22],
    ["a\n", "a"],
    ["Rose", "rose", "ROSE", slug("(rose"), "Rose-" + slug("(rose")[-10:]],
)


def examples(test):
    for names in NEAR_SETS:
        test = example(names)(test)
    return test


@examples
@given(SETS)
def test_different_names_have_different_slugs(names):
    assert len({slug(name) for name in names}) == len(names)
    assert len({ascii_slug(name) for name in names}) == len(names)


@examples
@given(SETS)
def test_file_names_differ_where_capitals_and_accents_are_no_difference(names):
    slugs = file_slugs(names)
    assert list(slugs) == names
    assert len({unicodedata.normalize("NFD", written).casefold() for written in slugs.values()}) == len(names)
    for name, written in slugs.items():
        assert written == slug(name) or re.fullmatch(r".*-[0-9a-f]{10}", written)


@given(NAMES)
def test_slugs_are_short_and_good_for_mlflow_and_file_systems(name):
    for written in (slug(name), *file_slugs([name, name.swapcase()]).values()):
        _validate_metric_name(f"audit/{written}/share")
        _validate_tag_name(written)
        assert 1 <= len(written.encode()) <= 64
        assert re.fullmatch(r"[\w. -]+", written)
        assert written[0] not in ". "
        assert written[-1] not in ". "


@examples
@given(SETS)
def test_slugs_have_an_ascii_form_of_their_own(names):
    written = {slug(name) for name in names}
    forms = {ascii_form(name) for name in written}
    assert len(forms) == len(written)
    assert all(re.fullmatch(r"[A-Za-z0-9_. -]{1,75}", form) for form in forms)


@given(NAMES)
def test_ascii_slugs_are_short_and_good_for_image_keys(name):
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", ascii_slug(name))


@pytest.mark.parametrize(
    "name",
    ["daisy", "part_01", "A-b", "0123456789", "a" * 64, "-", "oxeye daisy", "a.b", "run.01-0.50", "0001.jpg", "バラ",
     "薔薇", "チューリップ", "café au lait", "장미"],
)  # fmt: skip
def test_safe_names_stay(name):
    assert slug(name) == name
    assert file_slugs([name, "another"])[name] == name


@pytest.mark.parametrize(
    ("name", "readable"),
    [
        ("rose (red)", "rose-red"),
        ("flowers/daisy/1.jpg", "flowers-daisy-1-jpg"),
        ("写真/薔薇 1.jpg", "写真-薔薇-1-jpg"),
        ("cafe\u0301", "café"),
        ("../../etc", "etc"),
        (".hidden", "hidden"),
        ("a.", "a"),
        (" a", "a"),
        ("\U0001f339", "x"),
        ("", "x"),
        ("n" * 100, "n" * 40),
        ("薔" * 30, "薔" * 13),
    ],
)
def test_other_names_keep_what_can_be_read(name, readable):
    assert re.fullmatch(re.escape(readable) + "-[0-9a-f]{10}", slug(name))


@pytest.mark.parametrize(
    ("name", "readable"),
    [
        ("バラ", "bara"),
        ("ヒマワリ", "himawari"),
        ("ひなぎく", "hinagiku"),
        ("ローズ", "rozu"),
        ("café au lait", "cafe-au-lait"),
        ("a.b", "a-b"),
        ("薔薇", "x"),
    ],
)
def test_ascii_slugs_keep_what_can_be_read(name, readable):
    assert re.fullmatch(re.escape(readable) + "-[0-9a-f]{10}", ascii_slug(name))


def test_names_that_differ_by_case_alone_are_told_apart_by_their_digits():
    slugs = file_slugs(["Rose", "rose", "tulip"])
    assert re.fullmatch(r"Rose-[0-9a-f]{10}", slugs["Rose"])
    assert re.fullmatch(r"rose-[0-9a-f]{10}", slugs["rose"])
    assert slugs["Rose"][-10:] != slugs["rose"][-10:]
    assert slugs["tulip"] == "tulip"


def test_slugs_do_not_change_between_versions():
    # Keys of logged metrics and images, and ids of maps: a change would part old runs from new ones.
    assert ascii_slug("バラ") == "bara-7b8a57af35"
    assert slug("photos/daisy/0002-bird.jpg") == "photos-daisy-0002-bird-jpg-7cdc01acc9"
