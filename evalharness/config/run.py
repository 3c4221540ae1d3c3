"""The whole configuration of one evaluation."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from evalharness.config.attention import AttentionConfig
from evalharness.config.base import FilePath, Frozen
from evalharness.config.dataset import DatasetConfig
from evalharness.config.model import ModelConfig
from evalharness.config.output import BootstrapConfig, CompareConfig, ReportConfig, TrackingConfig
from evalharness.config.repair import RepairConfig
from evalharness.config.serve import ServeConfig
from evalharness.config.stages import (
    AuditConfig,
    BelieveConfig,
    ConceptsConfig,
    FaithfulnessConfig,
    GateConfig,
    StressConfig,
    WhatIsItConfig,
)


class RunConfig(Frozen):
    """One evaluation."""

    model: ModelConfig
    dataset: DatasetConfig
    attention: AttentionConfig
    faithfulness: FaithfulnessConfig = FaithfulnessConfig()
    audit: AuditConfig = AuditConfig()
    stress: StressConfig = StressConfig()
    what_is_it: WhatIsItConfig = WhatIsItConfig()
    concepts: ConceptsConfig = ConceptsConfig()
    believe: BelieveConfig = BelieveConfig()
    gate: GateConfig = GateConfig()
    report: ReportConfig = ReportConfig()
    compare: CompareConfig = CompareConfig()
    repair: RepairConfig = RepairConfig()
    serve: ServeConfig = Field(ServeConfig(), exclude=True)
    """Not of an evaluation, and never stored with one: it may hold a token."""
    bootstrap: BootstrapConfig = BootstrapConfig()
    tracking: TrackingConfig = TrackingConfig()
    runs_dir: FilePath = Path("runs")
    output_dir: FilePath | None = Field(None, description="Default: a folder under `runs_dir`/results named by recipe.")
    batch_size: int = Field(32, ge=1)
    num_workers: int = Field(2, ge=1, description="Threads that decode images ahead of the model.")
    limit: int | None = Field(None, ge=1, description="Evaluate this many rows: seeded, stratified by class.")
    seed: int = Field(123, ge=0, lt=2**32)
    resume: bool = Field(
        default=True, description="Reuse complete results of the same recipe, continue incomplete ones."
    )

    @model_validator(mode="after")
    def _centre_lies_within(self) -> Self:
        scaled, cut = self.dataset.resize_size, self.model.image_size
        if scaled is not None and any(a < b for a, b in zip(scaled, cut, strict=True)):
            raise ValueError(f"dataset.resize_size {scaled} must be at least model.image_size {cut}")
        return self
