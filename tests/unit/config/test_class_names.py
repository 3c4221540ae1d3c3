"""Class names in a file of presets, where YAML has read them before anything else."""

import pytest
import yaml

from evalharness.config.compose import compose_config, parse_config
from evalharness.errors import ConfigError

COMPOSED = compose_config(["model=notebook", "model.weights=w.h5", "dataset.csv=d.csv"]).model_dump(mode="json")


def with_classes(section, text):
    return {**COMPOSED, section: {**COMPOSED[section], "classes": yaml.safe_load(text)}}


@pytest.mark.parametrize("section", ["model", "dataset"])
@pytest.mark.parametrize("text", ["[yes, no]", "[on, off]", "[True, False]", "[1.0, 2.0]", "[cat, no]", "[.nan, b]"])
def test_names_that_yaml_reads_as_something_else_are_refused(section, text):
    with pytest.raises(ConfigError, match=rf"{section}\.classes\.\d: YAML reads .*: quote the class names"):
        parse_config(with_classes(section, text))


def test_quoted_names_and_whole_numbers_are_names():
    assert parse_config(with_classes("model", "['yes', \"no\", 3]")).model.classes == ("yes", "no", "3")
