"""Photos beside maps, for the figures that a stage draws of what it found."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from evalharness import report
from evalharness.config import ReportConfig
from evalharness.evaluating.session import EvaluatedRows, Session
from evalharness.records import FloatArray
from evalharness.report import AttentionPair
from evalharness.report.lineup import LineupCell, LineupRow, draw_lineup
from evalharness.report.style import SaveFigure


@dataclass(frozen=True)
class Album:
    """Everything that a figure takes its photos and maps from."""

    rows: EvaluatedRows
    samples: pd.DataFrame
    """Of the results: `row_id, label, pred_label, confidence`, a row per evaluated row."""
    folder: Path
    """Where figures go."""
    save_figure: SaveFigure

    @property
    def session(self) -> Session:
        """The evaluation."""
        return self.rows.session

    @property
    def config(self) -> ReportConfig:
        """How to draw."""
        return self.session.inputs.config.report

    def density(self, row_id: str, map_id: str) -> FloatArray:
        """One stored map."""
        return self.rows.density(row_id, map_id)

    def pair(self, row_id: str, density: FloatArray, remark: str) -> AttentionPair:
        """The photo beside a map."""
        sample: dict[Any, Any] = self.samples.iloc[self.rows.positions[row_id]].to_dict()
        photos = self.session.photos
        return AttentionPair(
            row_id=row_id,
            photo=photos.load_photo(row_id),
            density=density,
            label=str(sample["label"]),
            pred_label=str(sample["pred_label"]),
            confidence=float(sample["confidence"]),
            map_id=remark,
            extent=photos.extent(row_id),
        )

    def row(self, row_id: str, cells: Sequence[tuple[FloatArray, str]], *, has_verdict: Sequence[bool]) -> LineupRow:
        """A photo and a map with its remark in each column, with the run's verdict where the map belongs to it."""
        pairs = [self.pair(row_id, density, "") for density, _ in cells]
        remarks = [remark for _, remark in cells]
        columns = zip(pairs, remarks, has_verdict, strict=True)
        return LineupRow(row_id, pairs[0].photo, tuple(LineupCell(*column) for column in columns))

    def save(self, name: str, figure: Figure) -> None:
        """Writes a figure as `<name>.png`."""
        self.save_figure(figure, self.folder / f"{name}.png")

    def save_pairs(self, name: str, title: str, pairs: Sequence[AttentionPair]) -> None:
        """Writes a contact sheet, if there is anything on it."""
        if pairs:
            config = self.config
            self.save(
                name,
                report.draw_contact_sheet(pairs, title=title, density_max=config.density_max, style=config.style),
            )

    def save_columns(self, name: str, title: str, headings: Sequence[str], rows: Sequence[LineupRow]) -> None:
        """Writes a line-up of maps of the same photos, if there is anything on it."""
        if rows:
            self.save(name, draw_lineup(rows, headings, title=title, density_max=self.config.density_max))
