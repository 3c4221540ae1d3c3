"""What the noisiest maps light up, by name."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.text import Text

from evalharness.evaluating.album import Album
from evalharness.evaluating.stage import Finding
from evalharness.evaluating.stages.what_is_it.crops import crop_of
from evalharness.report.named_crops import NamedCrop, draw_named_crops, mark_box
from evalharness.report.overlay import overlay


@dataclass(frozen=True)
class WhatIsItFinding(Finding):
    """What the noisiest maps light up."""

    map_id: str
    off_object: bool
    """The object is annotated and was left out; else the hottest region may be the object itself."""
    table: pd.DataFrame
    """A row per image that has a hot region: `what_is_it.parquet`; boxes as parts of the photo."""

    @property
    def title(self) -> str:
        """Of the stage."""
        return "What is it?"

    @property
    def counts(self) -> Mapping[str, int]:
        """Images by name, the most frequent first."""
        return dict(Counter(self.table["name"]).most_common())

    @property
    def sentence(self) -> str:
        """What was found, in plain words."""
        where = "off the object " if self.off_object else ""
        if self.table.empty:
            return f"No map of {self.map_id} has a hot region {where}to be named."
        listed = ", ".join(f"{name} ({count})" for name, count in list(self.counts.items())[:5])
        return (
            f"The hottest regions {where}in the {len(self.table)} noisiest maps of {self.map_id} look to the "
            f"pre-trained model like: {listed}; mean confidence {self.table['confidence'].mean():.2f}."
        )

    @property
    def plain(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        return {
            "map_id": self.map_id,
            "off_object": self.off_object,
            "sentence": self.sentence,
            "counts": dict(self.counts),
            "regions": self.table.to_dict("records"),
        }

    def draw(self, album: Album) -> None:
        """`what_is_it.png`: photos under their map beside the crop of the hottest region and its name."""
        photos = album.session.photos
        crops = []
        for row in self.table.head(2 * album.config.num_pairs).to_dict("records"):
            row_id = str(row["row_id"])
            box = [float(row[edge]) for edge in ("top", "bottom", "left", "right")]
            photo = photos.load_photo(row_id)
            crop = crop_of(photo, box)
            covered = overlay(
                photo,
                album.density(row_id, self.map_id),
                density_max=album.config.density_max,
                extent=photos.extent(row_id),
            )
            remark = f"{row['share']:.0%} of the map"
            name, confidence = str(row["name"]), float(row["confidence"])
            crops.append(NamedCrop(row_id, mark_box(covered, box), crop, name, confidence, remark))
        if crops:
            where = " off the object" if self.off_object else ""
            title = (
                f"What is it? The hottest region{where} of {len(crops)} of {len(self.table):,} maps named by crop, "
                f"the noisiest first — {self.map_id}"
            )
            album.save("what_is_it", draw_named_crops(crops, title=title))


def tell_what_is_it(plain: Mapping[str, Any]) -> Iterator[Text]:
    """The sentence."""
    yield Text(plain["sentence"])
