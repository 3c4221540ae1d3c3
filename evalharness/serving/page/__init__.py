"""The page: its template, style and script, which load nothing from elsewhere."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parent
FILES = {"bench.css": "text/css", "bench.js": "text/javascript", "icon.svg": "image/svg+xml"}
"""That the page asks for, with their types."""


def render_bench(**values: Any) -> str:
    """The page of the bench."""
    return _environment().get_template("bench.html.jinja").render(**values)


def render_entrance(nonce: str) -> str:
    """The page that asks for the token, and tells nothing else.

    Args:
        nonce: Of its style and script.
    """
    return _environment().get_template("entrance.html.jinja").render(nonce=nonce)


@cache
def read_file(name: str) -> str:
    """A file of the page: one of `FILES`, or the texts of a language."""
    return (FOLDER / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
