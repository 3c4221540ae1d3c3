"""Draws everything of one evaluation that is an image file."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from evalharness.config import ReportConfig
from evalharness.console import note
from evalharness.records import WHOLE, Evaluation, Extent, FloatArray, UInt8Array
from evalharness.report.confusion import draw_confusion_matrix
from evalharness.report.overlay import STYLES, fit, side_by_side
from evalharness.report.per_class import draw_per_class
from evalharness.report.photo_sheets import AttentionPair, draw_contact_sheet, draw_prediction_grid
from evalharness.report.reliability import draw_reliability
from evalharness.report.selection import Rule, select_logged, select_rows
from evalharness.report.style import SaveFigure, is_drawable, save_figure
from evalharness.report.worst_mistakes import draw_worst_mistakes
from evalharness.slugs import ascii_slug, file_slugs, slug

OVERLAY_PIXELS = 256
WORST: Rule = "worst_mistakes"
LOOKS_AT = "looks_at."
"""Before a map's id: the column with the region that the map of each row lies on."""
SHEET_TITLES: Mapping[Rule, str] = {
    "noisiest": "{shown} of {images} images, the noisiest maps first",
    "most_confident": "{shown} of {right} right verdicts of {images} images, the surest first, classes taking turns",
    "random": "{shown} of {images} images, chosen at random",
}


def draw_figures(  # noqa: PLR0917
    samples: pd.DataFrame,
    evaluation: Evaluation,
    maps: Mapping[str, FloatArray],
    photo: Callable[[str], UInt8Array],
    folder: Path,
    config: ReportConfig,
    *,
    class_names: Sequence[str],
    seed: int,
    extent: Callable[[str], Extent] = lambda _: WHOLE,
    save: SaveFigure = save_figure,
) -> list[Path]:
    """Writes the figures of the verdicts, the contact sheets and the overlays of one evaluation as PNG.

    Args:
        samples: A row per image: `row_id, label, pred_label, correct, confidence`; where known `noise_rank`, and
            `looks_at.<map_id>`: the region that the map lies on, in words.
        evaluation: The metrics of the same rows.
        maps: By map id, densities (n, rows, columns) in the order of the samples; may be memory-mapped.
        photo: Gives the RGB image (height, width, 3) of a row id.
        folder: Where to; created if missing.
        config: What to draw.
        class_names: In the order of the confusion matrix.
        seed: Of the random choices.
        extent: Gives the part of the model's input that a row's photo spans.
        save: Writes a figure to a path.

    Returns:
        The files written, mistakes first: `worst_mistakes.png` of the first map and `worst_mistakes.<map_id>.png` of
        any other if a verdict is wrong, `confusion_matrix.png`, `reliability.png`, `per_class.png`,
        `prediction_grid.png`, `pairs_<rule>.<map_id>.png` for each other rule that fits any row, and
        `overlays/<class>.<row>.<map_id>.png`.

    Raises:
        ValueError: If a map does not have a row per sample.
    """
    for map_id, densities in maps.items():
        if len(densities) != len(samples):
            raise ValueError(f"map {map_id} has {len(densities)} rows for {len(samples)} samples")
    folder.mkdir(parents=True, exist_ok=True)
    _tell_of_missing_glyphs(class_names)
    paths: list[Path] = []
    if WORST in config.contact_sheet:
        paths += _draw_mistakes(samples, maps, photo, folder, config, extent=extent, save=save)
    paths += [
        save(draw_confusion_matrix(evaluation.confusion, class_names), folder / "confusion_matrix.png"),
        save(draw_reliability(evaluation.calibration_bins, evaluation.headline["ece"]), folder / "reliability.png"),
        save(draw_per_class(evaluation.per_class), folder / "per_class.png"),
        save(draw_prediction_grid(samples, photo), folder / "prediction_grid.png"),
    ]
    for rule in (rule for rule in config.contact_sheet if rule != WORST):
        row_ids = select_rows(samples, rule, config.num_pairs, seed)
        right = f"{int(samples['correct'].sum()):,}"
        title = SHEET_TITLES[rule].format(shown=len(row_ids), right=right, images=f"{len(samples):,}")
        pairs = _pairs(samples, maps, photo, row_ids, extent=extent)
        paths += _draw_sheets(pairs, title, folder / f"pairs_{rule}", config, save)
    logged = select_logged(samples, config.num_logged_images, seed)
    return paths + _draw_overlays(_pairs(samples, maps, photo, logged, extent=extent), folder / "overlays", config)


def _tell_of_missing_glyphs(class_names: Sequence[str]) -> None:
    missing = [name for name in class_names if not is_drawable(name)]
    if missing:
        shown = ", ".join(map(ascii_slug, missing))
        note(
            f"no font of this machine can draw {', '.join(missing)}: figures show {shown}; for the names themselves "
            "install a font such as Noto Sans CJK and delete matplotlib's font cache"
        )


def _draw_mistakes(
    samples: pd.DataFrame,
    maps: Mapping[str, FloatArray],
    photo: Callable[[str], UInt8Array],
    folder: Path,
    config: ReportConfig,
    *,
    extent: Callable[[str], Extent],
    save: SaveFigure,
) -> list[Path]:
    """A sheet of wrong verdicts under each map; of the photos alone where there are no maps."""
    chosen = select_rows(samples, WORST, 2 * config.num_pairs, seed=0)
    drawn = maps or {"": np.full((len(samples), 1, 1), np.nan, np.float32)}
    wrong = samples.set_index("row_id").loc[chosen]
    paths: list[Path] = []
    for map_id, pairs in _pairs(samples, drawn, photo, chosen, extent=extent).items():
        if not pairs:
            continue
        told = wrong.get(f"{LOOKS_AT}{map_id}", pd.Series("", index=wrong.index)).fillna("")
        sheet = draw_worst_mistakes(
            pairs,
            list(told),
            num_wrong=int((~samples["correct"].astype(bool)).sum()),
            num_images=len(samples),
            density_max=config.density_max,
            style=config.style,
            has_maps=bool(maps),
        )
        paths.append(save(sheet, folder / (f"{WORST}.{map_id}.png" if paths else f"{WORST}.png")))
    return paths


def _pairs(
    samples: pd.DataFrame,
    maps: Mapping[str, FloatArray],
    photo: Callable[[str], UInt8Array],
    row_ids: Sequence[str],
    *,
    extent: Callable[[str], Extent],
) -> dict[str, list[AttentionPair]]:
    """By map id; each photo is read once."""
    positions = {str(row_id): position for position, row_id in enumerate(samples["row_id"])}
    pairs: dict[str, list[AttentionPair]] = {map_id: [] for map_id in maps}
    for row_id in row_ids if maps else ():
        sample = samples.iloc[positions[row_id]]
        image = photo(row_id)
        for map_id, densities in maps.items():
            pairs[map_id].append(
                AttentionPair(
                    row_id=row_id,
                    photo=image,
                    density=np.asarray(densities[positions[row_id]], dtype=np.float32),
                    label=sample["label"],
                    pred_label=sample["pred_label"],
                    confidence=float(sample["confidence"]),
                    map_id=map_id,
                    extent=extent(row_id),
                )
            )
    return pairs


def _draw_sheets(
    pairs: Mapping[str, Sequence[AttentionPair]], title: str, path: Path, config: ReportConfig, save: SaveFigure
) -> list[Path]:
    """A sheet for each map; the path without the map's id and the ending."""
    paths = []
    for map_id, chosen in pairs.items():
        if chosen:
            sheet = draw_contact_sheet(
                chosen, title=f"{title} — {map_id}", density_max=config.density_max, style=config.style
            )
            paths.append(save(sheet, path.with_name(f"{path.name}.{map_id}.png")))
    return paths


def _draw_overlays(pairs: Mapping[str, Sequence[AttentionPair]], folder: Path, config: ReportConfig) -> list[Path]:
    folder.mkdir(exist_ok=True)
    draw = STYLES[config.style]
    paths = []
    drawn = [pair for chosen in pairs.values() for pair in chosen]
    rows = file_slugs(pair.row_id for pair in drawn)
    for pair in drawn:
        photo = fit(pair.photo, OVERLAY_PIXELS)
        image = side_by_side(photo, draw(photo, pair.density, density_max=config.density_max, extent=pair.extent))
        # Up to the first dot it is the class.
        path = folder / f"{slug(pair.label).replace('.', '-')}.{rows[pair.row_id]}.{pair.map_id}.png"
        # The lightest compression: half the time of the default for a tenth more bytes.
        Image.fromarray(image).save(path, compress_level=1)
        paths.append(path)
    return paths
