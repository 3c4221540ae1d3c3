"""From hot regions to concepts that are tested on the half of the photos that they were not made on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import softmax

from evalharness.audit import (
    BoolArray,
    PullCell,
    PullLead,
    describe_pull,
    erasure_gains,
    measure_effects,
    measure_lead,
    pull_columns,
    pull_matrix,
)
from evalharness.audit.hot_regions import HotRegion
from evalharness.audit.intervals import mean_interval, ratio_interval
from evalharness.audit.pull import MIN_IMAGES
from evalharness.concepts import (
    CLAIM,
    FIT,
    Assignment,
    Clusters,
    Concept,
    choose_pairs,
    gather_evidence,
    judge_concepts,
    num_photos_to_test,
    part_of_photo,
)
from evalharness.concepts.clustering import MIN_REGIONS
from evalharness.evaluating.stages.concepts.annotated import lies_on
from evalharness.evaluating.stages.concepts.finding import ConceptsFinding, MeasuredConcept
from evalharness.evaluating.stages.concepts.regions import RegionSource, describe_regions, erase_regions, patches_of
from evalharness.records import FloatArray, IntArray


@dataclass(frozen=True)
class Regions:
    """The regions of some photos with everything that is known of them, in one order."""

    table: pd.DataFrame
    """Of `describe_regions`."""
    photos: IntArray
    """Position of each region's photo in the evaluated rows."""
    is_fit: BoolArray
    """Regions of the half that concepts are made on."""
    num_fit_photos: int
    num_claim_photos: int
    delta_prob: FloatArray
    """What erasing takes from the verdict's probability; NaN where nothing was erased."""
    flips: FloatArray
    """1 where the verdict changes, else 0; NaN likewise."""
    gains: FloatArray
    """What the region adds to each class, (regions, classes); NaN likewise, and without a control."""

    @cached_property
    def features(self) -> FloatArray:
        """Of every region, (regions, D)."""
        return np.stack([np.asarray(values, np.float64) for values in self.table["features"]])


def gather_regions(source: RegionSource, is_fit: BoolArray) -> Regions:
    """Describes and erases the regions of both halves.

    Args:
        source: Of the regions.
        is_fit: Photos of the fitting half, in the order of the source.
    """
    rows, num_controls = source.rows, source.config.num_controls
    table = describe_regions(source)
    halves = dict(zip(source.row_ids, is_fit.tolist(), strict=True))
    region_is_fit = np.array([halves[row_id] for row_id in table["row_id"]], np.bool_)
    erased = erase_regions(source, table)
    joined = table[["row_id", "region"]].merge(erased, on=["row_id", "region"], how="left")
    nothing = [np.nan] * len(rows.session.inputs.classes)
    without = np.array(
        [values if isinstance(values, np.ndarray | list) else nothing for values in joined["erased_logits"]]
    )
    controls = np.array(
        [
            values if isinstance(values, np.ndarray | list) else nothing * num_controls
            for values in joined["control_logits"]
        ]
    )
    photos = np.array([rows.positions[row_id] for row_id in table["row_id"]], np.int64)
    num_classes = len(nothing)
    without, controls = without.reshape(-1, num_classes), controls.reshape(-1, num_controls, num_classes)
    effects = measure_effects(rows.logits[photos], without, controls)
    return Regions(
        table=table,
        photos=photos,
        is_fit=region_is_fit,
        num_fit_photos=int(is_fit.sum()),
        num_claim_photos=int((~is_fit).sum()),
        delta_prob=effects.delta_prob,
        flips=effects.flips,
        gains=erasure_gains(softmax(without, axis=-1), softmax(controls, axis=-1)),
    )


def store(source: RegionSource, clusters: Clusters, assigned: Assignment, regions: Regions) -> pd.DataFrame:
    """Writes `concepts.parquet`, a row a region, and gives it back; and `concepts.npz`, the centroids."""
    rows = source.rows
    properties, photos = rows.session.model_properties, rows.session.photos
    boxes = []
    for row in regions.table.to_dict("records"):
        region = HotRegion(patches_of(row, properties.grid_size), float(row["share"]))
        boxes.append(part_of_photo(region, photos.extent(str(row["row_id"]))))
    top, bottom, left, right = np.array(boxes).T
    table = pd.DataFrame(
        {
            "row_id": regions.table["row_id"],
            "concept": assigned.clusters + 1,
            "split": np.where(regions.is_fit, FIT, CLAIM),
            "top": top,
            "bottom": bottom,
            "left": left,
            "right": right,
            "share": regions.table["share"],
            "mean_density": regions.table["mean_density"],
            "delta_prob": regions.delta_prob,
            "flip": regions.flips,
            "is_assigned": assigned.is_assigned,
            "patches": regions.table["patches"],
        }
    )
    table.to_parquet(rows.writer.folder / "concepts.parquet", index=False)
    np.savez_compressed(
        rows.writer.folder / "concepts.npz",
        **clusters.to_arrays(),
        block=source.block,
        views=np.array(source.config.views),
        map_id=source.map_id,
        threshold=source.config.threshold,
        min_share=source.config.min_share,
        backbone_sha256=properties.backbone_sha256,
    )
    return table


def measure(
    source: RegionSource, assigned: Assignment, regions: Regions, table: pd.DataFrame, names: Sequence[str]
) -> ConceptsFinding:
    """Tests the concepts on the claiming half, with the audit's own functions; writes `concepts_pull.parquet`.

    Args:
        source: Of the regions.
        assigned: The concept of each region.
        regions: Of both halves.
        table: `concepts.parquet`.
        names: Of all concepts.
    """
    rows, inputs = source.rows, source.rows.session.inputs
    config, min_pull = inputs.config.concepts, inputs.config.audit.min_pull
    counts = assigned.is_assigned & ~regions.is_fit
    fitting, evidence = (
        gather_evidence(
            names,
            assigned=assigned,
            left_out=left_out,
            photos=regions.photos,
            gains=regions.gains,
            labels=rows.labels,
            groups=rows.groups,
        )
        for left_out in (~regions.is_fit, regions.is_fit)
    )
    limit = inputs.config.gate.max_concept_pull
    # What a stricter gate forbids is to be tested too.
    least = min_pull if limit is None else min(min_pull, limit)
    chosen = choose_pairs(fitting, inputs.classes, least=least)
    cells = pull_matrix(evidence, inputs.classes, chosen=chosen, resampling=inputs.resampling)
    columns = pull_columns(cells)
    columns["category"] = [str(number + 1) for number in range(len(evidence)) for _ in inputs.classes]
    pd.DataFrame(columns).to_parquet(rows.writer.folder / "concepts_pull.parquet", index=False)
    claiming = np.unique(regions.photos[~regions.is_fit])
    judged = judge_concepts(
        evidence, cells, inputs.classes, labels=rows.labels[claiming], roles=config.roles, min_pull=min_pull
    )
    told = {concept.name for concept in judged if concept.role == "distractor"}
    own_cells = [cell for cell in cells if cell.category in told]
    own_evidence = [found for found in evidence if found.category in told]
    lead = measure_lead(own_cells, own_evidence, inputs.classes, min_pull=min_pull, resampling=inputs.resampling)
    return ConceptsFinding(
        map_id=source.map_id,
        block=source.block,
        num_fit_photos=regions.num_fit_photos,
        num_claim_photos=regions.num_claim_photos,
        num_fit_regions=int(regions.is_fit.sum()),
        num_claim_regions=int((~regions.is_fit).sum()),
        num_without_control=int((np.isnan(regions.gains).any(axis=1) & ~regions.is_fit).sum()),
        concepts=tuple(
            _describe(source, regions, concept, counts & (assigned.clusters == concept.number - 1))
            for concept in judged
        ),
        cells=cells,
        lead=lead,
        pull_sentence=_describe_pulls(own_cells, lead, least=least, min_pull=min_pull),
        num_photos_wanted=num_photos_to_test(evidence, inputs.classes, len(source.row_ids)),
        table=table,
    )


def _describe_pulls(cells: Sequence[PullCell], lead: PullLead | None, *, least: float, min_pull: float) -> str:
    num_told = sum(cell.num_images >= MIN_IMAGES for cell in cells)
    if num_told and all(cell.is_significant is None for cell in cells):
        return (
            f"No shortcut was found: of {num_told} pairs of concept and class, none pulls by more than {least:g} in "
            "the half that concepts were made on, so that none was left to be tested on the other."
        )
    return describe_pull(cells, lead, min_pull=min_pull)


def too_few(source: RegionSource, regions: Regions, num_concepts: int) -> ConceptsFinding:
    """What is found where regions are too few to be grouped; tables of an earlier request are removed."""
    for name in ("concepts.parquet", "concepts_pull.parquet", "concepts.npz"):
        (source.rows.writer.folder / name).unlink(missing_ok=True)
    num_fit = int(regions.is_fit.sum())
    return ConceptsFinding(
        map_id=source.map_id,
        block=source.block,
        num_fit_photos=regions.num_fit_photos,
        num_claim_photos=regions.num_claim_photos,
        num_fit_regions=num_fit,
        num_claim_regions=int((~regions.is_fit).sum()),
        num_without_control=0,
        concepts=(),
        cells=(),
        lead=None,
        pull_sentence="",
        num_photos_wanted=-(-len(source.row_ids) * num_concepts * MIN_REGIONS // num_fit) if num_fit else None,
        table=pd.DataFrame(),
    )


def name_concepts(names: Mapping[int, str], num_concepts: int) -> list[str]:
    """What concepts are called, by number from 1: the user's name, with the number where two share it."""
    repeated = {name for name, count in Counter(names.values()).items() if count > 1}
    return [
        f"concept {number}"
        if number not in names
        else f"{names[number]} ({number})"
        if names[number] in repeated
        else names[number]
        for number in range(1, num_concepts + 1)
    ]


def _describe(source: RegionSource, regions: Regions, concept: Concept, own: BoolArray) -> MeasuredConcept:
    """Adds what is told of a concept beside its pull; `own` are its regions in the claiming half."""
    rows, resampling = source.rows, source.rows.session.inputs.resampling
    groups = [rows.groups[position] for position in regions.photos[own]]
    shares = regions.table["share"].to_numpy(np.float64)[own]
    areas = shares / regions.table["mean_density"].to_numpy(np.float64)[own]
    return MeasuredConcept(
        concept=concept,
        num_regions=int(own.sum()),
        frequency=concept.num_photos / max(1, regions.num_claim_photos),
        lift=ratio_interval(shares, areas, groups, resampling),
        delta_prob=mean_interval(regions.delta_prob[own], groups, resampling),
        flips=mean_interval(regions.flips[own], groups, resampling),
        lies_on=lies_on(rows.session, regions.table[own]),
    )
