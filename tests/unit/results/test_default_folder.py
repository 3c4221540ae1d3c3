"""Where results go: the run's name as it is written, and where an earlier version put them if they are there."""

from evalharness.results.manifest_content import default_folder
from evalharness.slugs import ascii_slug

DIGEST = "0123456789abcdef"


def test_the_name_can_be_read(tmp_path):
    for name, written in (("run.01-0.50", "run.01-0.50"), ("花 1", "花-1"), ("final", "final")):
        assert default_folder(tmp_path, name, DIGEST) == tmp_path / "results" / f"{written}-0123456789"


def test_results_of_an_earlier_version_are_found(tmp_path):
    earlier = tmp_path / "results" / f"{ascii_slug('run.1')}-0123456789"
    earlier.mkdir(parents=True)
    assert default_folder(tmp_path, "run.1", DIGEST) == earlier
    (tmp_path / "results" / "run.1-0123456789").mkdir()
    assert default_folder(tmp_path, "run.1", DIGEST) == tmp_path / "results" / "run.1-0123456789"
