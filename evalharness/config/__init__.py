"""Configuration: composed by Hydra from `conf/`, validated once into frozen models."""

from evalharness.config.attention import AttentionConfig, MapConfig
from evalharness.config.dataset import DatasetConfig
from evalharness.config.model import BACKBONES, CHECKPOINTS, CUSTOM_SIZES, HeadLayer, ModelConfig, Pooling
from evalharness.config.output import BootstrapConfig, CompareConfig, ReportConfig, TrackingConfig
from evalharness.config.preprocessing import PREPROCESSINGS, Normalization, preprocessing_text
from evalharness.config.repair import RepairConfig
from evalharness.config.run import RunConfig
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

__all__ = [
    "BACKBONES",
    "CHECKPOINTS",
    "CUSTOM_SIZES",
    "PREPROCESSINGS",
    "AttentionConfig",
    "AuditConfig",
    "BelieveConfig",
    "BootstrapConfig",
    "CompareConfig",
    "ConceptsConfig",
    "DatasetConfig",
    "FaithfulnessConfig",
    "GateConfig",
    "HeadLayer",
    "MapConfig",
    "ModelConfig",
    "Normalization",
    "Pooling",
    "RepairConfig",
    "ReportConfig",
    "RunConfig",
    "ServeConfig",
    "StressConfig",
    "TrackingConfig",
    "WhatIsItConfig",
    "preprocessing_text",
]
