"""`concepts`: how many photos, and names by number."""

import pytest

from evalharness.config.compose import compose_config
from evalharness.errors import ConfigError


def composed(*overrides):
    return compose_config(["model.weights=a.h5", "dataset.csv=b.csv", *overrides]).concepts


def test_photos_are_a_number_or_all():
    assert composed().num_images == 0
    assert composed("concepts.num_images=all").num_images == "all"
    assert composed("concepts.num_images=200").num_images == 200


@pytest.mark.parametrize("value", ["alle", "true", "-1", "1.5", "null"])
def test_other_numbers_of_photos_are_refused(value):
    with pytest.raises(ConfigError, match=r"concepts\.num_images: expected a number"):
        composed(f"concepts.num_images={value}")


def test_names_and_roles_are_by_number():
    found = composed("concepts.names={3: dog, 5: a cat}", "concepts.roles={7: object}")
    assert found.names == {3: "dog", 5: "a cat"}
    assert found.roles == {7: "object"}
