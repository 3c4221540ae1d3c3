"""The figures of a run inside its report, the small ones as they are and the larger ones as JPEG."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from PIL import Image

from evalharness.report.html.thumbnails import to_jpeg

TITLES = {
    "reliability": "Confidence against accuracy",
    "risk_coverage": "How many verdicts can be believed at which error",
    "per_class": "Precision, recall and F1 of each class",
    "trust": "Which maps can be believed",
    "audit_quadrants": "Looks at it, uses it, both or neither",
    "audit_pull": "What a region adds to the probability of a class",
    "stress_pull": "What a pasted cut-out adds to the probability of a class",
    "stress_flips": "Verdicts that a pasted cut-out changed",
    "artifacts": "Maps with and without outlier tokens",
    "before_after": "Where attention moved most since before fine-tuning",
    "what_is_it": "What the hottest regions look like",
}
"""By the name of the file, in the order of the page."""
IN_GALLERY = ("confusion_matrix*", "prediction_grid*", "worst_mistakes*", "pairs_*", "flips.*", "concepts")
"""What the page shows in a form of its own."""
MAX_PNG, MAX_TOTAL, MAX_SIDE, JPEG_QUALITY = 160_000, 3_000_000, 1400, 78


@dataclass(frozen=True, slots=True)
class Picture:
    """One figure."""

    name: str
    title: str
    uri: str
    width: int
    height: int


def embed_pictures(paths: Sequence[Path], titles: Mapping[str, str] = TITLES) -> list[Picture]:
    """The figures that the page does not show otherwise, as long as they fit into `MAX_TOTAL` characters.

    Args:
        paths: Of the figures.
        titles: By name of the file without its ending, in the order of the page; others follow under their own names.
    """
    wanted = [path for path in paths if not any(fnmatchcase(path.stem, pattern) for pattern in IN_GALLERY)]
    order = list(titles)
    wanted.sort(key=lambda path: (order.index(path.stem) if path.stem in titles else len(order), path.stem))
    pictures: list[Picture] = []
    total = 0
    for path in wanted:
        title = titles.get(path.stem, path.stem.replace("_", " ").replace(".", ", "))
        picture = _embed(path, title)
        if total + len(picture.uri) <= MAX_TOTAL:
            total += len(picture.uri)
            pictures.append(picture)
    return pictures


def jpeg_uri(content: bytes) -> str:
    """A JPEG as the address of an image."""
    return f"data:image/jpeg;base64,{b64encode(content).decode('ascii')}"


def _embed(path: Path, title: str) -> Picture:
    with Image.open(path) as image:
        width, height = image.size
        if path.stat().st_size <= MAX_PNG:
            uri = f"data:image/png;base64,{b64encode(path.read_bytes()).decode('ascii')}"
        else:
            shrunk = image.convert("RGB")
            shrunk.thumbnail((MAX_SIDE, 4 * MAX_SIDE), Image.Resampling.LANCZOS)
            uri = jpeg_uri(to_jpeg(shrunk, JPEG_QUALITY))
    return Picture(path.stem, title, uri, width, height)
