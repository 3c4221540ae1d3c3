"""Whether a new photo holds what the evaluation found harmful: its hot regions are described, assigned and erased."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import softmax

from evalharness.audit import erase, find_photo, pixels_to_erase
from evalharness.audit.hot_regions import HotRegion, find_regions, spread_patches
from evalharness.concepts import NO_HARM, Clusters, VerdictHarm, measure_verdict_harm
from evalharness.inference import BlockTokens, ForwardPass, view_regions
from evalharness.inspecting.images import LoadedImage
from evalharness.manifest import found_concepts
from evalharness.records import FloatArray
from evalharness.results import StoredResult


@dataclass(frozen=True)
class HarmfulConcepts:
    """What the stage of concepts stored of those that pull."""

    clusters: Clusters
    block: int
    views: tuple[str, ...]
    map_id: str
    threshold: float
    min_share: float
    names: Mapping[int, str]
    """By number."""
    pulls: Mapping[int, int]
    """Class index that each pulls to."""
    fill: Any
    """Of an erased region."""

    @classmethod
    def of(cls, stored: StoredResult) -> "HarmfulConcepts | None":
        """None where no concept of the evaluation is harmful."""
        harmful = [concept for concept in found_concepts(stored.manifest) if concept["is_harmful"]]
        path = stored.folder / "concepts.npz"
        if not harmful or not path.is_file():
            return None
        with np.load(path) as arrays:
            return cls(
                clusters=Clusters.of(arrays),
                block=int(arrays["block"]),
                views=tuple(map(str, arrays["views"])),
                map_id=str(arrays["map_id"]),
                threshold=float(arrays["threshold"]),
                min_share=float(arrays["min_share"]),
                names={concept["number"]: concept["name"] for concept in harmful},
                pulls={
                    concept["number"]: stored.classes.index(concept["shortcut"]["class_name"]) for concept in harmful
                },
                fill=stored.manifest["config"]["audit"]["fill"],
            )

    def look(
        self, forward: ForwardPass, tokens_of: BlockTokens, image: LoadedImage, logits: FloatArray, density: FloatArray
    ) -> tuple[VerdictHarm, str | None]:
        """What the verdict owes to them, and that in words; the model is asked only where a concept pulls to it.

        Args:
            forward: The model.
            tokens_of: Of the block that describes regions.
            image: The photo.
            logits: Of it, (C,).
            density: Its map, (grid rows, grid columns).
        """
        nothing = NO_HARM, None
        if int(logits.argmax()) not in self.pulls.values():
            return nothing
        regions = find_regions(density, threshold=self.threshold, min_share=self.min_share)
        if not regions:
            return nothing
        features = view_regions(tokens_of, image.pixels[None], [regions], self.views)
        assigned = self.clusters.assign(features)
        numbers = [
            int(cluster) + 1 if own else None
            for cluster, own in zip(assigned.clusters, assigned.is_assigned, strict=True)
        ]
        if not any(number in self.pulls for number in numbers):
            return nothing
        erased = self._erase(forward, image, regions)
        harm = measure_verdict_harm(logits, [region.share for region in regions], numbers, erased, self.pulls)
        if harm.strongest is None:
            return nothing
        return harm, self._describe(forward.model.classes, harm, numbers[harm.strongest] or 0, erased[harm.strongest])

    def _erase(self, forward: ForwardPass, image: LoadedImage, regions: tuple[HotRegion, ...]) -> FloatArray:
        photo = find_photo(image.placement)
        copies = []
        for region in regions:
            pixels = pixels_to_erase(spread_patches(region.patches, image.pixels) * photo) & photo
            copies.append(erase(image.pixels, pixels, self.fill, photo_pixels=photo))
        return forward.logits(np.stack(copies))

    def _describe(self, classes: tuple[str, ...], harm: VerdictHarm, number: int, without: FloatArray) -> str:
        probs = softmax(np.asarray(without, np.float64))
        best = int(probs.argmax())
        return (
            f"{harm.share:.0%} of the attention on something like {self.names[number]}, which pulls to "
            f"{classes[self.pulls[number]]}; without it: {classes[best]} {probs[best]:.2f}"
        )
