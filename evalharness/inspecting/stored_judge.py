"""The judge of a stored evaluation, and what it says of new photos."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import softmax

from evalharness.believing import JUDGE_VERSION, Evidence, FittedJudge, measure_texture
from evalharness.concepts import NO_HARM, VerdictHarm
from evalharness.inference import BlockTokens, ForwardPass
from evalharness.inspecting.harmful_concepts import HarmfulConcepts
from evalharness.inspecting.images import LoadedImage
from evalharness.inspecting.judgement import Judgement, explain
from evalharness.manifest import JUDGE
from evalharness.metrics.temperature import Temperature
from evalharness.records import BatchOutput, FloatArray
from evalharness.results import StoredResult
from evalharness.statistics import resampling_units


@dataclass(frozen=True)
class StoredJudge:
    """Judges photos by an evaluation of the same model."""

    fitted: FittedJudge
    map_id: str
    """Whose noise it reads; empty without a map."""
    concepts: HarmfulConcepts | None
    temperature: Temperature | None = None
    """Of the evaluation's confidences; None where an earlier version did not keep it."""

    @classmethod
    def of(cls, stored: StoredResult) -> "StoredJudge | None":
        """None where an earlier version made the evaluation, or its judge."""
        path = stored.folder / JUDGE
        if not path.is_file():
            return None
        labels = np.array([stored.classes.index(label) for label in stored.samples["label"]])
        units = resampling_units(list(stored.samples["group"]), len(labels))
        with np.load(path) as arrays:
            if int(arrays["version"]) != JUDGE_VERSION:
                return None
            fitted = FittedJudge.from_arrays(
                arrays, features=np.asarray(stored.features, np.float32), labels=labels, units=units
            )
            return cls(fitted, str(arrays["map_id"]), HarmfulConcepts.of(stored), _temperature(arrays))

    def judge(
        self, images: Sequence[LoadedImage], output: BatchOutput, forward: ForwardPass, tokens_of: BlockTokens | None
    ) -> list[Judgement]:
        """Judges photos.

        Args:
            images: The photos.
            output: Of the model, on them.
            forward: The model.
            tokens_of: Of the block that describes regions; None where no concept is harmful.
        """
        harms = [self._look(images[index], output, index, forward, tokens_of) for index in range(len(images))]
        maps = output.densities.get(self.map_id)
        evidence = Evidence(
            logits=np.asarray(output.logits, np.float64),
            # As the stored features are rounded.
            features=output.features.astype(np.float16).astype(np.float32),
            texture=measure_texture(
                np.stack([image.pixels for image in images]),
                [(image.info.height, image.info.width) for image in images],
            ),
            maps=None if maps is None else maps.astype(np.float16).astype(np.float32),
            harmful_share=_column([harm.share for harm, _ in harms], self.concepts),
            harmful_gain=_column([harm.gain for harm, _ in harms], self.concepts),
        )
        judged, probs = self.fitted.judge(evidence), softmax(evidence.logits, axis=1)
        return [
            explain(self.fitted, judged, index, probs=probs[index], classes=forward.model.classes, concept=sentence)
            for index, (_, sentence) in enumerate(harms)
        ]

    def _look(
        self, image: LoadedImage, output: BatchOutput, index: int, forward: ForwardPass, tokens_of: BlockTokens | None
    ) -> tuple[VerdictHarm, str | None]:
        if self.concepts is None or tokens_of is None or self.concepts.map_id not in output.densities:
            return NO_HARM, None
        density = output.densities[self.concepts.map_id][index]
        return self.concepts.look(forward, tokens_of, image, output.logits[index], density)


def _temperature(arrays: Mapping[str, Any]) -> Temperature | None:
    if "temperature" not in arrays:
        return None
    values = json.loads(str(arrays["temperature"]))
    return Temperature(**{**values, "folds": tuple(values["folds"])})


def _column(values: Sequence[float], concepts: HarmfulConcepts | None) -> FloatArray | None:
    return None if concepts is None else np.array(values)
