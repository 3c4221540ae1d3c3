"""Finished runs on the same photos, with names that would be markup, and their comparison."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from report_results import HOSTILE, load_photo, write_report_results

from evalharness.comparing.compared_runs import RunToCompare
from evalharness.comparing.findings import examine
from evalharness.comparing.folder import write_comparison
from evalharness.comparing.report_contents import report_contents
from evalharness.comparing.tables import build_tables
from evalharness.config import CompareConfig
from evalharness.manifest import MANIFEST, write_json
from evalharness.results import StoredResult

RUN_NAMES = ("reference", '<i>second</i> "run"', "third")


def write_runs(folder: Path, *, num_runs=3, num_rows=60, row_name=HOSTILE) -> tuple[RunToCompare, ...]:
    """Runs with verdicts and maps of their own, an audit with its pull, and photos on disk."""
    runs = []
    for number in range(num_runs):
        own = folder / f"run{number}"
        write_report_results(own, num_rows=num_rows, row_name=row_name, seed=number)
        for path in (own / "maps").glob("*.npy"):
            np.save(path, np.roll(np.load(path), number, axis=2))
        audit = pd.read_parquet(own / "audit.parquet")
        audit.assign(uses=audit["flip"].astype(float), flip=audit["flip"].astype(float)).to_parquet(
            own / "audit.parquet", index=False
        )
        write_pull(own, number)
        give_photos(own, folder / "photos")
        change_config(own, number)
        runs.append(RunToCompare(RUN_NAMES[number], StoredResult(own)))
    return tuple(runs)


def write_pull(folder, number):
    pd.DataFrame({
        "category": ["dog", "<cat>"], "class": ["daisy", "roses & thorns"], "n": [30, 3], "pull": [0.1 * number, 0.2],
        "ci_low": [0.01, np.nan], "ci_high": [0.3, np.nan], "p_value": [0.01, np.nan],
        "significant": pd.array([True, None], dtype=object), "pull_own": [0.0, 0.0],
    }).to_parquet(folder / "audit_pull.parquet", index=False)  # fmt: skip


def give_photos(folder, root):
    """Puts the photos where the run looks for them."""
    samples = pd.read_parquet(folder / "samples.parquet")
    digests = []
    for row_id in samples["row_id"]:
        path = root / row_id
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file():
            Image.fromarray(load_photo(row_id)).save(path, "PNG")
        digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
    samples.assign(path=samples["row_id"], sha256=digests).to_parquet(folder / "samples.parquet", index=False)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["provenance"]["dataset"]["root"] = str(root)
    write_json(folder / MANIFEST, manifest)


def change_config(folder, number):
    """A setting that differs, and few resamples."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["recipe"]["model"]["note"] = f"<u>note {number}</u>"
    manifest["config"]["bootstrap"]["num_resamples"] = 200
    manifest["config"]["report"]["density_max"] = 6.0 + number
    write_json(folder / MANIFEST, manifest)


def write_made_up_comparison(folder: Path, runs):
    """The comparison's folder; returns what its report read."""
    findings = examine(runs, CompareConfig(num_flips=1))
    folder.mkdir(parents=True, exist_ok=True)
    write_comparison(folder, findings)
    manifest = json.loads((folder / MANIFEST).read_text())
    return report_contents(folder, findings, build_tables(findings), manifest)
