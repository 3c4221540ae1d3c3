"""Everything that a repair did, from what harmed to what was found after."""

from dataclasses import dataclass

from evalharness.config import HeadLayer, ModelConfig
from evalharness.records import FloatArray
from evalharness.repairing.cutouts import SplitCutouts
from evalharness.repairing.evaluation import Evaluation
from evalharness.repairing.findings import RepairFindings
from evalharness.repairing.harm import Harm
from evalharness.repairing.proof import Proof
from evalharness.repairing.refit import FittedLayer
from evalharness.repairing.training_photos import TrainingPhotos

LINEAR_HEAD = (HeadLayer(layer="dense", units="classes", activation="softmax"),)


@dataclass(frozen=True)
class Mended:
    """Everything that a repair did."""

    evaluation: Evaluation
    harm: Harm
    cutouts: SplitCutouts
    training: TrainingPhotos
    proof: Proof
    fitted: tuple[FittedLayer, ...]
    """The one that was taken first."""
    findings: RepairFindings
    before: FloatArray
    """Logits of every shot of the proof, (shots, C)."""
    after: FloatArray

    @property
    def layer(self) -> FittedLayer:
        """The one that was taken."""
        return self.fitted[0]

    @property
    def model_config(self) -> ModelConfig:
        """The `model` section that loads the repaired weights."""
        own = self.evaluation.config.model
        if self.layer.name == "last":
            return own
        return own.model_copy(update={"head": LINEAR_HEAD, "output": "auto"})

    @property
    def overrides(self) -> list[str]:
        """What to put behind the run's own arguments so that they evaluate the repaired weights."""
        if self.layer.name == "last":
            return []
        return ["model/head=linear", *(["model.output=auto"] if self.evaluation.config.model.output != "auto" else [])]
