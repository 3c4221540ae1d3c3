from dataclasses import asdict

import pandas as pd
import pytest

from evalharness.audit import PullCell
from evalharness.records import Interval
from evalharness.report.html.map_verdicts import long_verdicts, short_verdicts
from evalharness.report.html.reliance import find_reliance


def cell(category, class_name, value, low, *, significant=True):
    return PullCell(category, class_name, 40, Interval(value, low, 2 * value - low), 0.001, significant, 0.0)


def manifest_of(*, regions=(), concepts=None, stress=(), min_pull=0.1):
    def found(cells):
        return {"sentence": "What the stage says.", "pull": [asdict(entry) for entry in cells]} if cells else None

    return {
        "config": {"audit": {"min_pull": min_pull}},
        "findings": {"regions": found(regions), "stress": found(stress), "concepts": concepts},
    }


def concepts_of(*concepts):
    return {"sentence": "Of concepts.", "num_fit_photos": 50, "num_claim_photos": 50, "concepts": list(concepts)}


def concept(number, shortcut=None, strongest=None, role="distractor"):
    cells = {
        name: asdict(found) if found else None for name, found in (("shortcut", shortcut), ("strongest", strongest))
    }
    return {"number": number, "name": f"concept {number}", "role": role, "is_harmful": shortcut is not None, **cells}


AUDIT = pd.DataFrame({"row_id": ["a", "b", "b", "c"], "category": ["cat", "cat", "dog", "bird"]})


def test_the_audit_of_annotations_comes_before_discovery():
    harmful = concept(3, cell("3", "tulips", 0.6, 0.5), cell("3", "tulips", 0.6, 0.5))
    found = find_reliance(
        manifest_of(regions=[cell("cat", "roses", 0.3, 0.2), cell("dog", "roses", 0.2, 0.15)],
                    concepts=concepts_of(harmful)), AUDIT,
    )  # fmt: skip
    assert (found.outcome, found.source, found.headline) == (
        "shortcut", "regions", "Relies on cat: pulls verdicts to roses",
    )  # fmt: skip
    assert "In 40 photos of other classes cat adds 0.300 (0.200 to 0.400)" in found.sentence


def test_a_significant_pull_below_the_least_is_no_shortcut_here_either():
    found = find_reliance(manifest_of(regions=[cell("cat", "roses", 0.3, 0.09)]), AUDIT)
    assert found.outcome == "none found"
    assert found.headline == "No shortcut found among cat in 2 photos"
    assert found.sentence == "What the stage says."


def test_a_harmful_concept_is_told_where_annotations_show_nothing():
    harmful = concept(3, cell("3", "tulips", 0.6, 0.5), cell("3", "tulips", 0.6, 0.5))
    found = find_reliance(
        manifest_of(regions=[cell("cat", "roses", 0.0, -0.1, significant=False)], concepts=concepts_of(harmful)), AUDIT
    )
    assert (found.source, found.concept, found.category, found.class_name) == ("concepts", 3, "concept 3", "tulips")


def test_what_was_looked_for_is_named_and_counted():
    tested = cell("4", "tulips", 0.01, -0.1, significant=False)
    concepts = concepts_of(concept(4, strongest=tested), concept(5), concept(6, strongest=tested, role="object"))
    regions = [cell("cat", "roses", 0, -0.1, significant=False), cell("dog", "roses", 0, -0.1, significant=False),
               cell("bird", "roses", 0, -0.1, significant=None)]  # fmt: skip
    found = find_reliance(manifest_of(regions=regions, concepts=concepts), AUDIT)
    assert found.headline == "No shortcut found among cat, dog in 2 photos"
    assert found.sentence == "What the stage says. Nor was one found among 1 discovered concept in 100 photos."


def test_too_few_photos_are_not_told_as_none_found():
    untested = cell("cat", "roses", 0.4, 0.3, significant=None)
    assert find_reliance(manifest_of(regions=[untested]), AUDIT).outcome == "cannot tell"


def test_pasted_cutouts_count_as_looking():
    found = find_reliance(manifest_of(stress=[cell("cat", "roses", 0.3, 0.2)]), None)
    assert (found.source, found.headline) == ("stress", "Relies on cat: pulls verdicts to roses")
    assert find_reliance(manifest_of(), None).outcome == "nobody looked"


@pytest.mark.parametrize(
    ("map_id", "verdict", "is_trusted", "short", "long"),
    [
        ("libra", "believe it: beats random", True, "✓ believe it", "✓ believe it: beats random"),
        ("rollout", "do not rely on it: blind: x", False, "✗ do not rely on it", "✗ do not rely on it: blind: x"),
        ("lrp", "cannot tell: 3 images", False, "cannot tell", "cannot tell: 3 images"),
        ("random", "a yardstick, blind to the model", False, "a yardstick", "a yardstick, blind to the model"),
    ],
)  # fmt: skip
def test_a_map_is_told_with_its_verdict(map_id, verdict, is_trusted, short, long):
    trust = [{"map_id": map_id, "verdict": verdict, "is_trusted": is_trusted}]
    assert short_verdicts(trust, [map_id, "other"]) == {map_id: short, "other": "not tested"}
    assert long_verdicts(trust, [map_id, "other"]) == {map_id: long, "other": "not tested"}
