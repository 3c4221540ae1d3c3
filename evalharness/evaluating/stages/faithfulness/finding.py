"""What is known of how far each map can be believed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from evalharness import report
from evalharness.attention.faithfulness_verdict import RIVALS, MapFaithfulness
from evalharness.console import interval_text, new_table, number_text
from evalharness.evaluating.album import Album
from evalharness.evaluating.stage import Finding
from evalharness.records import Interval

COMPARED_BY = ("faithfulness", "saco", "head_similarity")


@dataclass(frozen=True)
class FaithfulnessFinding(Finding):
    """Every measured map and the verdict on it."""

    maps: tuple[MapFaithfulness, ...]
    """The first measured map of the run first; maps of other targets than the verdict are not measured."""
    max_head_similarity: float

    @property
    def main(self) -> MapFaithfulness:
        """The first map."""
        return self.maps[0]

    @property
    def title(self) -> str:
        """Of the first map."""
        return f"Map {self.main.map_id}"

    @property
    def sentence(self) -> str:
        """The verdict on the first map."""
        return f"{self.main.verdict}."

    @property
    def measures(self) -> dict[str, float]:
        """Of every map."""
        return {
            f"faithfulness/{entry.map_id}/{name}": entry.measures[name].value
            for entry in self.maps
            for name in COMPARED_BY
        }

    @property
    def plain(self) -> list[dict[str, Any]]:
        """An entry a map."""
        return [
            {
                "map_id": entry.map_id,
                "num_images": entry.num_images,
                "num_units": entry.num_units,
                "measures": _plain(entry.measures),
                "leads": _plain(entry.leads),
                "notices_head": entry.notices_head,
                "is_trusted": entry.is_trusted,
                "verdict": entry.verdict,
            }
            for entry in self.maps
        ]

    def draw(self, album: Album) -> None:
        """`trust.png`."""
        album.save("trust", report.draw_faithfulness(self.maps, max_head_similarity=self.max_head_similarity))


def tell_faithfulness(plain: Sequence[Mapping[str, Any]]) -> Iterator[Table | Text]:
    """The table of all maps, then a verdict on each that is no yardstick."""
    table = new_table(f"can the maps be believed? ({plain[0]['num_images']} images)")
    for heading in ("map", "deletion", "insertion", "faithfulness", "SaCo", "other head"):
        table.add_column(heading, justify="left" if heading == "map" else "right", no_wrap=True)
    for entry in plain:
        values = {name: number_text(interval["value"]) for name, interval in entry["measures"].items()}
        faithfulness = interval_text(entry["measures"]["faithfulness"])
        cells = [values["deletion_mean"], values["insertion_mean"], faithfulness]
        table.add_row(entry["map_id"], *cells, values["saco"], values["head_similarity"])
    yield table
    for entry in plain:
        if entry["map_id"] not in RIVALS:
            yield Text(f"{entry['map_id']}: {entry['verdict']}")


def _plain(intervals: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: asdict(interval) for name, interval in intervals.items()}
