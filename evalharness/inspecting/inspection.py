"""What there is to say of single images, for a person and for machines."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from evalharness.believing import Belief
from evalharness.inspecting.evaluated_images import PlaceAmong
from evalharness.inspecting.judgement import NOT_JUDGED, Judgement
from evalharness.records import FloatArray


@dataclass(frozen=True)
class Inspection:
    """What there is to say of one image; None where nothing is known of it."""

    path: Path
    verdict: str
    confidence: float
    top: tuple[tuple[str, float], ...]
    """The most probable classes."""
    map_id: str | None = None
    density: FloatArray | None = None
    """(grid rows, grid columns); NaN where the map is not defined."""
    shares: dict[str, float] = field(default_factory=dict)
    """Part of the attention on the object (`object`), outside it (`outside`), and on each annotated category."""
    place: PlaceAmong | None = None
    """Among the images of a stored evaluation."""
    judgement: Judgement = NOT_JUDGED
    picture: Path | None = None

    @property
    def belief(self) -> Belief:
        """Whether the verdict may be believed."""
        return self.judgement.belief

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in plain words."""
        return self.judgement.reasons

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before believing the verdict or the map."""
        # Of what is unknown the reasons say so, and its map shows nothing.
        found = self.place.warnings if self.place and self.belief != "unknown" else ()
        if self.density is not None and not np.isfinite(self.density).all():
            return (*found, f"the map {self.map_id} is not defined for this image")
        return found

    @property
    def lines(self) -> tuple[str, ...]:
        """May it be believed, the verdict, why, other classes, and where the attention is, as sentences."""
        calibrated = self.place.calibrated_confidence if self.place else None
        scaled = "" if calibrated is None else f", calibrated {calibrated:.2f}"
        verdict = f": {self.verdict}, confidence {self.confidence:.2f}{scaled}" if self.belief != "unknown" else ""
        lines = [f"{self.belief}{verdict}", *self.reasons]
        if self.belief == "unknown":
            return tuple(lines)
        lines.append("most probable: " + ", ".join(f"{name} {prob:.2f}" for name, prob in self.top))
        if self.shares:
            lines.append(
                "attention: " + ", ".join(f"{share:.0%} {_where(name)}" for name, share in self.shares.items())
            )
        return tuple(lines)

    @property
    def plain(self) -> dict[str, Any]:
        """For machines; what is not known is left out."""
        values: dict[str, Any] = {
            "image": str(self.path),
            "belief": self.belief,
            "reasons": list(self.reasons),
            "verdict": None if self.belief == "unknown" else self.verdict,
            "confidence": self.confidence,
            "top": [{"class": name, "probability": prob} for name, prob in self.top],
        }
        if self.density is not None:
            is_defined = bool(np.isfinite(self.density).all())
            values["map"] = {
                "map_id": self.map_id,
                "density": np.round(self.density.astype(float), 4).tolist() if is_defined else None,
            }
        if self.shares:
            values["attention"] = self.shares
        if self.judgement.risk is not None:
            values["risk"] = self.judgement.risk
        if self.place:
            values |= self.place.plain
        values["warnings"] = list(self.warnings)
        if self.picture:
            values["picture"] = str(self.picture)
        return values


@dataclass(frozen=True)
class Unreadable:
    """An image that could not be inspected, and why."""

    path: Path
    reason: str

    @property
    def plain(self) -> dict[str, Any]:
        """For machines."""
        return {"image": str(self.path), "error": self.reason}


def _where(name: str) -> str:
    return {"object": "on the object", "outside": "outside it"}.get(name, f"on {name}")
