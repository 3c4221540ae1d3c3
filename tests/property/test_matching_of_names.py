"""What a name means does not depend on which rows are evaluated, and no name ends in a traceback."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from evalharness.annotations.matching import match_images
from evalharness.annotations.parsed import ParsedImage
from evalharness.errors import DatasetError
from evalharness.records import Sample

PARTS = [
    "/", "\\", "./", "../", "a", "B", "1", "é", "e\u0301", "ß", "%", "%20", "%zz", "?d=", "&d=", "+", "#", " ", "\n",
    ".rf.", "_jpg", ".jpg", ".JPG", ".png", "0a1b2c3d-", "0a1b2c__", "_mask", "https://", "file:///", "C:\\", "[", "]",
]  # fmt: skip
NAMES = st.lists(st.sampled_from(PARTS), min_size=1, max_size=7).map("".join)


def match(images, samples, left_out):
    try:
        matches = match_images(images, samples, left_out)
    except DatasetError:
        return None
    return {row: [image.name for image in found] for row, found in matches.by_row.items()}, matches.unmatched


@given(st.lists(NAMES, min_size=1, max_size=6), st.lists(NAMES, min_size=1, max_size=4), st.booleans(), st.data())
def test_rows_that_are_left_out_keep_their_say(paths, names, is_stem, data):
    samples = [Sample(f"r{n}", Path("/photos") / path, path, "roses", n, "g") for n, path in enumerate(paths)]
    images = [ParsedImage(name, "somewhere", (), is_stem=is_stem) for name in names]
    kept = data.draw(st.sets(st.sampled_from(samples)).map(lambda chosen: [s for s in samples if s in chosen]))
    others = [(sample.relative_path, sample.path) for sample in samples if sample not in kept]
    whole, part = match(images, samples, []), match(images, kept, others)
    assert (whole is None) == (part is None)
    if whole is not None:
        kept_ids = {sample.row_id for sample in kept}
        assert part == ({row: found for row, found in whole[0].items() if row in kept_ids}, whole[1])
