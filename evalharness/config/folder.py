"""Where the presets are."""

from pathlib import Path

from evalharness.errors import ConfigError


def conf_dir() -> Path:
    """The folder of presets: the repository's `conf/`, or the copy packed into the wheel."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return folder
    raise ConfigError("presets not found", expected=f"{package / 'conf'}", fix="Reinstall evalharness")
