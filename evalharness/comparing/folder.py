"""What a comparison leaves behind: a folder of tables and pictures that can be read without the runs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from evalharness import __version__
from evalharness.comparing.findings import ComparisonFindings
from evalharness.comparing.pictures import draw_figures, draw_flips
from evalharness.comparing.report_contents import report_contents
from evalharness.comparing.tables import build_tables
from evalharness.manifest import MANIFEST, replacing, write_json
from evalharness.report.html import write_comparison_report
from evalharness.results import fingerprint
from evalharness.slugs import slug

SCHEMA_VERSION = 1
REPORT = "report.html"
MAX_NAME = 30


def default_folder(runs_dir: Path, findings: ComparisonFindings) -> Path:
    """`runs_dir`/comparisons/<runs>-<digest>: one folder for the same runs under the same settings."""
    digest = fingerprint(
        {
            "runs": [str(run.result.manifest["fingerprint"]) for run in findings.runs],
            "compare": findings.config.model_dump(mode="json", exclude={"reference"}),
        }
    )
    names = [slug(run.name.split(" ")[0].removesuffix(".h5"))[:MAX_NAME] for run in findings.runs[:3]]
    return runs_dir / "comparisons" / f"{'-vs-'.join(names)}-{digest[:10]}"


def write_comparison(folder: Path, findings: ComparisonFindings) -> None:
    """Writes tables, figures, pictures of the flips, the report and the manifest, all of it or nothing.

    Args:
        folder: A comparison that is there already is replaced.
        findings: Of the comparison.

    Raises:
        ResultsError: The folder holds something else.
    """
    with replacing(folder, "comparison", "figures", "flips") as partial:
        _write_files(partial, findings)


def _write_files(folder: Path, findings: ComparisonFindings) -> None:
    tables = build_tables(findings)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    draw_figures(folder, findings)
    drawn = draw_flips(folder, findings, tables["flips"])
    manifest = _manifest(findings, tables, drawn)
    write_comparison_report(report_contents(folder, findings, tables, manifest), folder / REPORT)
    write_json(folder / MANIFEST, manifest)


def _manifest(
    findings: ComparisonFindings, tables: Mapping[str, pd.DataFrame], drawn: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    alignment = findings.alignment
    return {
        "schema_version": SCHEMA_VERSION,
        "task": "comparison",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "package_version": __version__,
        "sentence": " ".join(findings.verdicts),
        "verdicts": list(findings.verdicts),
        "remarks": list(findings.remarks),
        "reference": findings.reference.name,
        "runs": [
            {
                "name": run.name,
                "folder": str(run.result.folder.absolute()),
                "run_id": run.run_id,
                "fingerprint": run.result.manifest["fingerprint"],
                "weights": run.result.manifest["provenance"]["weights"]["uri"],
                "num_evaluated": run.result.manifest["num_evaluated"],
                "num_skipped": run.result.manifest["num_skipped"],
            }
            for run in findings.runs
        ],
        "num_compared": len(alignment.row_ids),
        "num_dropped": alignment.num_dropped,
        "classes": list(findings.reference.compared.classes),
        "map_ids": list(alignment.map_ids),
        "density_max": findings.reference.config.report.density_max,
        "unlike_maps": alignment.unlike_maps,
        "settings": [asdict(entry) for entry in alignment.differences],
        "resampling": asdict(findings.resampling),
        "compare": findings.config.model_dump(mode="json"),
        "pairs": [asdict(pair) for pair in findings.pairs],
        "maps": [
            {key: value for key, value in asdict(entry).items() if key != "similarity"}
            for entry in findings.similarities
        ],
        "regions": [asdict(entry) for entry in findings.audits],
        "flips": list(drawn),
        "tables": sorted(f"{name}.csv" for name in tables),
    }
