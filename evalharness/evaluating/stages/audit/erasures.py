"""Erases every annotated region, and the same shape elsewhere, and asks the model again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evalharness.annotations import Annotations
from evalharness.audit import BoolArray, Erasure, ImageRegions, Role, erase, plan_region
from evalharness.config import AuditConfig
from evalharness.console import progress_bar, tell_cost
from evalharness.evaluating.inputs import Inputs
from evalharness.evaluating.session import EvaluatedRows, Session
from evalharness.records import Sample, UInt8Array

VERSION = 3
"""Of the stored logits."""


@dataclass(frozen=True)
class RegionPlan:
    """What is to be erased from one image for one category."""

    sample: Sample
    category: str
    erasure: Erasure
    photo_pixels: BoolArray
    """Of the image; the others are padding."""

    def erase(self, image: UInt8Array, pixels: BoolArray, fill: str) -> UInt8Array:
        """The image without some of its pixels."""
        return erase(image, pixels, fill, photo_pixels=self.photo_pixels)


def erase_regions(rows: EvaluatedRows, annotations: Annotations) -> pd.DataFrame:
    """Logits of every image with one category erased, and with each control erased; stored under a key of its own.

    Returns:
        Columns `row_id, category, status, offsets, erased_logits, control_logits`; NaN where nothing was erased.
    """
    key = erasure_key(rows.session.inputs, annotations)
    return rows.stored_table("erasures", key, lambda: _erase_all(rows, annotations))


def erasure_key(inputs: Inputs, annotations: Annotations) -> dict[str, Any]:
    """What the erased logits depend on."""
    audit = inputs.config.audit
    return {
        "version": VERSION,
        "fingerprint": inputs.fingerprint,
        "annotations": annotations.digest,
        "roles": dict(annotations.roles),
        "fill": audit.fill,
        "num_controls": audit.num_controls,
        "erase_roles": list(audit.erase_roles),
        "controls_avoid": list(audit.controls_avoid),
    }


def plan_regions(
    sample: Sample, regions: ImageRegions, roles: Mapping[str, Role], config: AuditConfig
) -> list[RegionPlan]:
    """One plan per category of the image whose role is to be erased; the same in every run.

    Args:
        sample: The row.
        regions: On its image.
        roles: Of every category.
        config: The `audit` section.
    """
    return [
        RegionPlan(
            sample,
            category,
            plan_region(
                regions, category, roles, row_id=sample.row_id, avoid=config.controls_avoid,
                num_controls=config.num_controls,
            ),
            regions.photo_pixels,
        )
        for category in regions.coverage
        if roles[category] in config.erase_roles
    ]  # fmt: skip


def _erase_all(rows: EvaluatedRows, annotations: Annotations) -> pd.DataFrame:
    session, config = rows.session, rows.session.inputs.config
    erasable = {
        sample.row_id: {
            region.category
            for region in annotations.regions.get(sample.row_id, ())
            if annotations.roles[region.category] in config.audit.erase_roles
        }
        for sample in rows.samples
    }
    annotated = [sample for sample in rows.samples if erasable[sample.row_id]]
    num_passes = sum(map(len, erasable.values())) * (1 + config.audit.num_controls)
    blank: UInt8Array = np.zeros((8, *config.model.image_size, 3), np.uint8)
    tell_cost(
        f"erasing regions of {len(annotated)} images",
        num_passes=num_passes,
        run_once=lambda: session.forward.logits(blank),
        passes_per_run=len(blank),
    )
    erased: list[dict[str, Any]] = []
    with progress_bar("Erasing regions", len(annotated)) as advance:
        for sample in annotated:
            regions = session.regions_on_input(sample.row_id)
            if regions is not None:
                erased += _erase_one(session, plan_regions(sample, regions, annotations.roles, config.audit))
            advance(1)
    columns = ["row_id", "category", "status", "offsets", "erased_logits", "control_logits"]
    return pd.DataFrame(erased, columns=columns)


def _erase_one(session: Session, plans: Sequence[RegionPlan]) -> list[dict[str, Any]]:
    """All categories of one image in one batch."""
    if not plans:
        return []
    inputs, audit = session.inputs, session.inputs.config.audit
    image = session.photos.load_input(plans[0].sample.row_id)
    copies, counts = [], []
    for plan in plans:
        erasable = plan.erasure.status in ("ok", "no_control")
        own = [plan.erase(image, plan.erasure.pixels, audit.fill)] if erasable else []
        own += [
            plan.erase(image, plan.erasure.control(index), audit.fill) for index in range(len(plan.erasure.offsets))
        ]
        copies += own
        counts.append(len(own))
    logits = session.forward.logits(np.stack(copies)) if copies else np.zeros((0, len(inputs.classes)))
    rows, start = [], 0
    for plan, count in zip(plans, counts, strict=True):
        part = logits[start : start + count]
        start += count
        nothing = np.full((1 + audit.num_controls, len(inputs.classes)), np.nan)
        nothing[: len(part)] = part
        rows.append(
            {
                "row_id": plan.sample.row_id,
                "category": plan.category,
                "status": plan.erasure.status,
                "offsets": [int(step) for offset in plan.erasure.offsets for step in offset],
                "erased_logits": nothing[0].tolist(),
                "control_logits": nothing[1:].ravel().tolist(),
            }
        )
    return rows
