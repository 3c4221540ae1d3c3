"""A finished results folder with findings of every stage that the report shows, and photos to go with it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from tracking_results import write_results

from evalharness.attention.faithfulness_verdict import MEASURES, judge_maps
from evalharness.audit import QUADRANTS as AUDIT_QUADRANTS
from evalharness.audit import (
    UNDETERMINED,
    CategoryRegions,
    PullEvidence,
    Resampling,
    audit_category,
    describe_pull,
    measure_effects,
    measure_rate,
    predict_mistakes,
    pull_matrix,
)
from evalharness.evaluating.complete import plain_findings
from evalharness.evaluating.stage import Findings
from evalharness.evaluating.stages.audit import AuditFinding
from evalharness.evaluating.stages.faithfulness import FaithfulnessFinding
from evalharness.evaluating.stages.noise import NoiseFinding
from evalharness.evaluating.stages.noise.stage import score_maps
from evalharness.manifest import write_json

CLASSES = ("daisy", "roses & thorns", "</script><b>tulips")
MAP_IDS = ("grad_attention", "rollout")
GRID = (4, 6)
PHOTO_SIZE = (60, 90)
HOSTILE = '{label}/{number:03d}<img src=x onerror="alert(1)">\'&amp;.jpg'
QUADRANTS = ("relies", "looks only", "clean", UNDETERMINED)
RESAMPLING = Resampling(num_resamples=200)


def write_report_results(folder: Path, *, num_rows=60, classes=CLASSES, row_name=HOSTILE, seed=3) -> dict:
    """Writes the folder and returns its manifest; map 0 of row i is hot in patch i, row 5 has no map."""
    write_results(folder, classes=classes, num_rows=num_rows, map_ids=MAP_IDS, num_overlays=1, seed=seed,
                  row_name=row_name, warnings=["the classes may be in another <order>"])  # fmt: skip
    samples = pd.read_parquet(folder / "samples.parquet").assign(width=PHOTO_SIZE[1], height=PHOTO_SIZE[0])
    samples.to_parquet(folder / "samples.parquet", index=False)
    maps = write_maps(folder, num_rows)
    regions = audit_distractors(samples, maps, seed)
    regions.table.to_parquet(folder / "audit.parquet", index=False)
    write_outlines(folder, regions.table)
    noise = measure(samples, maps)
    noise.table.to_parquet(folder / "noise.parquet", index=False)
    manifest = json.loads((folder / "manifest.json").read_text())
    findings = Findings({"regions": regions, "trust": FaithfulnessFinding(judge(seed), 0.9), "noise": noise})
    manifest["findings"] = plain_findings(findings, ["lift of <dog> is above 2"])
    manifest["sentences"] = [{"title": found.title, "text": found.sentence} for found in findings]
    write_json(folder / "manifest.json", manifest)
    return json.loads((folder / "manifest.json").read_text())


def write_maps(folder, num_rows):
    generator = np.random.default_rng(0)
    hot = np.zeros((num_rows, GRID[0] * GRID[1]), np.float16)
    hot[np.arange(num_rows), np.arange(num_rows) % hot.shape[1]] = hot.shape[1]
    noisy = generator.gamma(1, 1, hot.shape)
    noisy /= noisy.mean(axis=1, keepdims=True)
    hot[5] = np.nan
    maps = {map_id: values.reshape(-1, *GRID).astype(np.float16)
            for map_id, values in zip(MAP_IDS, (hot, noisy), strict=True)}  # fmt: skip
    for map_id, values in maps.items():
        np.save(folder / "maps" / f"{map_id}.npy", values)
    return maps


def audit_distractors(samples, maps, seed):
    """`dog` in every third row, `<cat>` in every fourth."""
    generator = np.random.default_rng(seed)
    summaries, tables, evidence = [], [], []
    for category, every in (("dog", 3), ("<cat>", 4)):
        rows = np.arange(0, len(samples), every)
        coverage = np.zeros((len(rows), *GRID))
        coverage[:, :2, :2] = 1
        control = np.zeros((len(rows), 4, *GRID))
        control[:, :, 2:, 4:] = 1
        regions = CategoryRegions(category, "distractor", coverage, np.zeros_like(coverage), control)
        logits = generator.normal(size=(len(rows), 3))
        controls = logits[:, None] + generator.normal(0, 0.1, (len(rows), 4, 3))
        effects = measure_effects(logits, generator.normal(size=(len(rows), 3)), controls)
        for map_id, values in maps.items():
            summary, scores = audit_category(
                map_id, np.asarray(values[rows], np.float32), regions, effects, resampling=RESAMPLING
            )
            # So that every quadrant is there, and images that could not be judged.
            names = np.array([QUADRANTS[index % len(QUADRANTS)] for index in range(len(rows))])
            flags = {name: np.where(names == UNDETERMINED, np.nan, names == name) for name in AUDIT_QUADRANTS}
            rates = {name: measure_rate(values) for name, values in flags.items()}
            summaries.append(replace(summary, quadrants=rates))
            tables.append(pd.DataFrame({
                "row_id": samples["row_id"].to_numpy()[rows], "map_id": map_id, "category": category,
                "role": "distractor", "share": scores.looks.share, "area": scores.looks.area,
                "lift": scores.looks.lift, "delta_prob": effects.delta_prob, "flip": effects.flips,
                "quadrant": names,
            }))  # fmt: skip
        evidence.append(PullEvidence(category, rows % 3, generator.normal(0.2, 0.1, (len(rows), 3))))
    cells = pull_matrix(evidence, CLASSES, resampling=RESAMPLING)
    table = pd.concat(tables, ignore_index=True)
    return AuditFinding(tuple(summaries), (), cells, None, describe_pull(cells), "thresholds", table)


def write_outlines(folder, table):
    """Every region is the upper left quarter of its photo."""
    held = table.drop_duplicates(["row_id", "category"])[["row_id", "category", "role"]]
    quarter = [[0.0, 0.0, 0.5, 0.0, 0.5, 0.5, 0.0, 0.5]]
    held.assign(outlines=[quarter] * len(held)).to_parquet(folder / "region_outlines.parquet", index=False)


def measure(samples, maps):
    row_ids = list(samples["row_id"])
    nothing = np.zeros((len(samples), *GRID), np.bool_)
    table = pd.concat([score_maps(name, row_ids, np.asarray(values, np.float32), nothing)
                       for name, values in maps.items()])  # fmt: skip
    entropy = table[table["map_id"] == "rollout"]["entropy"].to_numpy(np.float64)
    mistakes = (predict_mistakes("entropy", entropy, ~samples["correct"].to_numpy(), resampling=RESAMPLING),)
    return NoiseFinding((), len(samples), 0, mistakes, {}, {}, table)


def judge(seed):
    generator = np.random.default_rng(seed)
    values = {name: {measure: generator.uniform(0, 1, 16) for measure in MEASURES}
              for name in (*MAP_IDS, "random", "center")}  # fmt: skip
    settings = {"max_head_similarity": 0.9, "num_resamples": 200, "confidence": 0.95, "seed": 1}
    return judge_maps(values, MAP_IDS, groups=[str(number) for number in range(16)], **settings)


def load_photo(row_id: str) -> np.ndarray:
    """A photo of one colour with a white corner."""
    shade = sum(row_id.encode()) % 200
    photo = np.full((*PHOTO_SIZE, 3), (shade, 120, 255 - shade), np.uint8)
    photo[:10, :10] = 255
    return photo
