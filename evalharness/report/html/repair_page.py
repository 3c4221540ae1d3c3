"""The report of a repair: the verdict, before and after, what was done, and the figures."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from evalharness.report.html.embedded_figures import embed_pictures
from evalharness.report.html.rendering import MAX_BYTES, Page, render, write_fitting

TITLES = {
    "pull": "Pull before and after",
    "accuracy": "Accuracy before and after",
    "maps": "Where it looks on photos that were wrong",
}
LOOKS = {"repaired": ("", "✓"), "better, not repaired": ("warn", "≈"), "not better": ("bad", "✗")}
"""Of the sentence, by outcome."""


def write_repair_report(manifest: Mapping[str, Any], figures: Sequence[Path], path: Path) -> Path:
    """Writes the report of one repair: a file that needs nothing else, and no network.

    Args:
        manifest: What the folder's `manifest.json` is going to hold.
        figures: PNG files.
        path: Where to; an older file there stays whole until the new one is.

    Returns:
        `path`.
    """
    look, sign = LOOKS[manifest["outcome"]]

    def render_page(budget: float | None) -> Page:  # noqa: ARG001 - there is no gallery
        return render(
            "repair",
            (),
            manifest=manifest,
            created=datetime.fromisoformat(manifest["created"]),
            confidence=f"{100 * manifest['confidence']:g} %",
            look=look,
            sign=sign,
            pictures=embed_pictures(figures, TITLES),
            data=Markup("{}"),
        )

    return write_fitting(path, render_page, MAX_BYTES)
