"""Templates, style, script and data in one file that loads nothing, as large as it may be and no larger."""

import json
import math
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from evalharness.report.html import run_tables, wording
from evalharness.report.html.thumbnails import Thumbnail

TEMPLATES = Path(__file__).parent / "templates"
MAX_BYTES = 30_000_000
RESERVE = 500_000
SCRIPTS = {"run": ("gallery.js", "run.js"), "comparison": ("gallery.js", "comparison.js"), "repair": ()}
"""Parts of a page's script, by the name of its template."""


PHOTOS = "\0photos"
"""Stands in a page's text where its photos go: no name holds such a character."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page before it is written. Photos are most of it, and are put in one by one: memory stays flat."""

    text: str
    """With `PHOTOS` in it once."""
    photos: Sequence[Thumbnail | None]

    @property
    def num_bytes(self) -> int:
        """Of the file."""
        sizes = (len("null") if photo is None else 4 * math.ceil(len(photo.jpeg) / 3) + 2 for photo in self.photos)
        return len(self.text.encode()) - len(PHOTOS) + sum(sizes) + max(0, len(self.photos) - 1) + 2

    def write(self, path: Path) -> None:
        """Writes the file: the photos are a JSON list of base64, null where there is none."""
        before, after = self.text.split(PHOTOS)
        with path.open("wb") as file:
            file.write(before.encode())
            file.write(b"[")
            for number, photo in enumerate(self.photos):
                file.write(b"," if number else b"")
                file.write(b"null" if photo is None else b'"%s"' % photo.base64.encode())
            file.write(b"]")
            file.write(after.encode())


def render(template: str, photos: Sequence[Thumbnail | None], **values: Any) -> Page:
    """A page with its style and its script, which alone may run.

    Args:
        template: A key of `SCRIPTS`.
        photos: Of the gallery.
        values: What the template shows.
    """
    script = _script(template)
    text = (
        _environment()
        .get_template(f"{template}.html.jinja")
        .render(
            style=Markup(_read("page.css")),  # noqa: S704 - our own file
            script=script,
            script_hash=b64encode(sha256(script.encode()).digest()).decode("ascii"),
            photos=PHOTOS,
            **values,
        )
    )
    return Page(text, photos)


@dataclass(frozen=True, slots=True)
class StageSection:
    """What a page shows of one stage."""

    name: str
    """Of the stage, and of its place in the page."""
    link: str
    """In the list of sections."""
    heading: str
    body: Markup


def stage_sections(findings: Mapping[str, Any]) -> list[StageSection]:
    """A section for each stage that found something and has a template in `stages/`, in the order of the findings.

    A template sets `link` and `heading`, and has a macro `body(found)`, found being what the manifest keeps.
    """
    sections = []
    for name, found in findings.items():
        if found and (TEMPLATES / "stages" / f"{name}.html.jinja").is_file():
            template: Any = _environment().get_template(f"stages/{name}.html.jinja").module
            sections.append(StageSection(name, template.link, template.heading, template.body(found)))
    return sections


def as_json(value: Any) -> Markup:
    """JSON inside a script element: no `<` may end it, no `&` be taken for an entity."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704 - escaped


def rounded(values: Any, digits: int) -> list[float | None]:
    """Plain numbers for JSON; None where one is not finite."""
    numbers = pd.to_numeric(pd.Series(list(values)), errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return [round(number, digits) if math.isfinite(number) else None for number in numbers.tolist()]


def write_fitting(path: Path, render_page: Callable[[float | None], Page], max_bytes: int) -> Path:
    """Writes a page whose gallery gets the room that everything else leaves; an older file stays whole until then.

    Args:
        path: Where to.
        render_page: Takes the bytes that the gallery may have; None: the page without a gallery.
        max_bytes: The file's largest size.

    Returns:
        `path`.
    """
    page = render_page(None)
    budget = float(max_bytes - RESERVE - page.num_bytes)
    for _ in range(4):
        page = render_page(budget)
        excess = page.num_bytes - max_bytes
        if excess <= 0:
            break
        budget -= 1.1 * excess
    partial = path.with_name(f"{path.name}.partial")
    page.write(partial)
    partial.replace(path)
    return path


@cache
def _script(template: str) -> Markup:
    parts = "\n".join(_read(name) for name in SCRIPTS[template])
    return Markup(f'"use strict";\n(() => {{\n{parts}}})();\n')  # noqa: S704 - our own files


@cache
def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": wording.number,
        "signed": wording.signed,
        "percent": wording.percent,
        "between": wording.between,
        "change": wording.change,
        "pull_table": run_tables.pull_table,
        "audit_tables": run_tables.audit_tables,
    }
    environment.globals["trust_measures"] = run_tables.TRUST_MEASURES
    environment.tests["a_number"] = wording.is_number
    return environment
