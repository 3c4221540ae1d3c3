"""Pull, which names a shortcut: how far regions of a category draw verdicts to a class that the images are not of."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.audit.intervals import DEFAULT_RESAMPLING, Resampling, mean_interval, resampled_means
from evalharness.records import FloatArray, IntArray, Interval
from evalharness.statistics import holm, percentile_interval, resampling_units, select_groups, sign_flip_p_value

MIN_IMAGES = 10
SIGNIFICANCE_LEVEL = 0.05
MAX_NAMED_CELLS = 3
PERMUTATIONS_PER_CELL = 100
"""Sign patterns that a test tries at least, for each tested cell: the smallest p-value they can give is to stay below
`SIGNIFICANCE_LEVEL` after Holm's correction."""


@dataclass(frozen=True, slots=True)
class PullEvidence:
    """What the images that hold one category say."""

    category: str
    labels: IntArray
    """Class index of each image, (n,)."""
    gains: FloatArray
    """What the region adds to the probability of each class, (n, classes); NaN in images that cannot tell."""
    groups: Sequence[str] | None = None
    """What the bootstrap and the test take as one, per image; without it, every image for itself."""


@dataclass(frozen=True, slots=True)
class PullCell:
    """The pull of one category to one class."""

    category: str
    class_name: str
    num_images: int
    """That hold the category, are not of the class, and can tell."""
    pull: Interval
    """Mean of what the region adds to the probability of the class."""
    p_value: float
    """One-sided, after Holm's correction over the tested cells; NaN if not tested."""
    is_significant: bool | None
    """None: not tested, as in too few images."""
    pull_own: float
    """The same mean over the images that are of the class; NaN without any."""


@dataclass(frozen=True, slots=True)
class PullLead:
    """How far the strongest category is ahead of the next one."""

    first: PullCell
    second: PullCell
    """The largest cell of any other category that was tested."""
    lead: Interval
    """Difference of the two pulls."""


def erasure_gains(erased_probs: FloatArray, control_probs: FloatArray) -> FloatArray:
    """What a region adds to each class, by erasing it: mean over the controls of p(control erased) - p(region erased).

    Args:
        erased_probs: (n, classes); NaN where nothing was erased.
        control_probs: (n, K, classes); NaN where there is no such control.

    Returns:
        (n, classes); NaN in images without a control.
    """
    has_control = ~np.isnan(control_probs).any(axis=2)
    num_controls = has_control.sum(axis=1)
    totals = np.where(has_control[..., None], control_probs, 0).sum(axis=1)
    means = np.where(num_controls[:, None] > 0, totals / np.maximum(num_controls, 1)[:, None], np.nan)
    gains: FloatArray = means - erased_probs
    return gains


def clean_gains(probs: FloatArray, clean_probs: FloatArray) -> FloatArray:
    """What a region adds to each class, where the image without it is at hand: p(image) - p(clean), (n, classes)."""
    gains: FloatArray = np.asarray(probs, np.float64) - clean_probs
    return gains


def pull_matrix(
    evidence: Sequence[PullEvidence],
    class_names: Sequence[str],
    *,
    chosen: Collection[tuple[str, str]] | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
    num_permutations: int = 10_000,
) -> tuple[PullCell, ...]:
    """Measures and tests the pull of every category to every class.

    One-sided sign-flip permutation tests, corrected after Holm over the cells with at least `MIN_IMAGES` images; the
    others are not tested.

    Args:
        evidence: One per category.
        class_names: In the order of the outputs.
        chosen: Pairs of category and class that are tested, chosen without this evidence; None: all.
        resampling: How intervals are drawn; its seed is that of the tests too.
        num_permutations: The most sign patterns a test tries; `PERMUTATIONS_PER_CELL` a cell if that is more.

    Returns:
        By category, then class, in the order given.
    """
    cells: list[PullCell] = []
    raw_p_values: dict[int, float] = {}
    num_patterns = max(num_permutations, PERMUTATIONS_PER_CELL * len(evidence) * len(class_names))
    for found in evidence:
        for index, class_name in enumerate(class_names):
            gains, groups = _others(found, index)
            if len(gains) >= MIN_IMAGES and (chosen is None or (found.category, class_name) in chosen):
                units = resampling_units(groups, len(gains))
                raw_p_values[len(cells)] = sign_flip_p_value(
                    # Images of one group keep one sign.
                    np.bincount(units, weights=gains).astype(np.float64),
                    num_permutations=num_patterns,
                    seed=resampling.seed,
                )
            own = found.gains[found.labels == index, index]
            own = own[~np.isnan(own)]
            cells.append(
                PullCell(
                    category=found.category,
                    class_name=class_name,
                    num_images=len(gains),
                    pull=mean_interval(gains, groups, resampling),
                    p_value=float("nan"),
                    is_significant=None,
                    pull_own=float(own.mean()) if len(own) else float("nan"),
                )
            )
    adjusted = dict(zip(raw_p_values, holm(list(raw_p_values.values())), strict=True))
    return tuple(_with_p_value(cell, adjusted.get(place)) for place, cell in enumerate(cells))


def rank_cells(cells: Sequence[PullCell]) -> tuple[PullCell, ...]:
    """The significant cells, strongest pull first."""
    significant = [cell for cell in cells if cell.is_significant]
    return tuple(sorted(significant, key=lambda cell: -cell.pull.value))


def name_shortcut(cells: Sequence[PullCell], min_pull: float = 0.0) -> PullCell | None:
    """The strongest significant cell whose whole interval lies above the least pull; None if there is none.

    Being significant only says that the pull is not zero: with enough images any trace is. The interval says whether it
    is large.
    """
    return next((cell for cell in rank_cells(cells) if cell.pull.ci_low > min_pull), None)


def measure_lead(
    cells: Sequence[PullCell],
    evidence: Sequence[PullEvidence],
    class_names: Sequence[str],
    *,
    min_pull: float = 0.0,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> PullLead | None:
    """The lead of the shortcut, or else the strongest significant cell, over the strongest cell of any other category.

    The two cells rest on different images, so each is resampled on its own, from seeds that differ; images that hold
    both categories are thereby taken as independent, which makes the interval wider than it need be where both pull
    alike in them.

    Returns:
        None without a significant cell, or without another tested category.
    """
    first = name_shortcut(cells, min_pull) or next(iter(rank_cells(cells)), None)
    if first is None:
        return None
    rivals = [cell for cell in cells if cell.is_significant is not None and cell.category != first.category]
    if not rivals:
        return None
    second = max(rivals, key=lambda cell: cell.pull.value)
    by_category = {found.category: found for found in evidence}
    means = []
    for number, cell in enumerate((first, second)):
        gains, groups = _others(by_category[cell.category], list(class_names).index(cell.class_name))
        drawn = Resampling(resampling.num_resamples, resampling.confidence, resampling.seed + number)
        means.append(resampled_means(gains, groups, drawn))
    lead = percentile_interval(first.pull.value - second.pull.value, means[0] - means[1], resampling.confidence)
    return PullLead(first, second, lead)


def describe_pull(cells: Sequence[PullCell], lead: PullLead | None = None, *, min_pull: float = 0.0) -> str:
    """Names the shortcut in a sentence, of `name_shortcut`; then the other significant cells.

    Args:
        cells: Of `pull_matrix`.
        lead: Of `measure_lead`, to be told too.
        min_pull: What the interval of a pull, in probability, must lie above to be called a shortcut.
    """
    num_tested = sum(cell.is_significant is not None for cell in cells)
    if not num_tested:
        return f"Too few images to test for a shortcut: no category is in {MIN_IMAGES} of other classes that can tell."
    ranked = rank_cells(cells)
    if not ranked:
        return f"No shortcut was found: none of {num_tested} tested pairs of category and class pulls significantly."
    first = name_shortcut(cells, min_pull)
    if first is None:
        return _describe_small(ranked, num_tested, min_pull)
    others = [cell for cell in ranked if cell is not first]
    text = (
        f"The shortcut is {first.category}: it pulls verdicts to {first.class_name}, adding {_numbers(first.pull)} to "
        f"its probability in {first.num_images} images of other classes (p = {first.p_value:.2g}, corrected)."
    )
    if others:
        is_weaker = all(cell.pull.value <= first.pull.value for cell in others)
        text += f" Significant but {'weaker' if is_weaker else 'weaker or less certain'}: {_list_cells(others)}."
    if lead is not None:
        is_clear = lead.lead.ci_low > 0
        text += (
            f" Its lead over {lead.second.category} to {lead.second.class_name} is {_numbers(lead.lead)}"
            f"{'.' if is_clear else ', which does not tell the two apart.'}"
        )
    return text


def pull_columns(cells: Sequence[PullCell]) -> dict[str, list[object]]:
    """The cells as the columns of the stored table; `significant` is None where a cell was not tested."""
    return {
        "category": [cell.category for cell in cells],
        "class": [cell.class_name for cell in cells],
        "n": [cell.num_images for cell in cells],
        "pull": [cell.pull.value for cell in cells],
        "ci_low": [cell.pull.ci_low for cell in cells],
        "ci_high": [cell.pull.ci_high for cell in cells],
        "p_value": [cell.p_value for cell in cells],
        "significant": [cell.is_significant for cell in cells],
        "pull_own": [cell.pull_own for cell in cells],
    }


def _describe_small(ranked: Sequence[PullCell], num_tested: int, min_pull: float) -> str:
    """Numbers where no significant cell is sure to be large."""
    first, *others = ranked
    verb = "pulls" if len(ranked) == 1 else "pull"
    least = f"audit.min_pull ({min_pull:g})"
    text = (
        f"No shortcut was found: {len(ranked)} of {num_tested} tested pairs of category and class {verb} "
        f"significantly, but none is sure to pull by more than {least}. The strongest, {first.category} to "
        f"{first.class_name}, adds {_numbers(first.pull)} to its probability"
    )
    if first.pull.value > min_pull:
        text += ": more images would tell whether it is a shortcut"
    return f"{text}. Others: {_list_cells(others)}." if others else f"{text}."


def _list_cells(cells: Sequence[PullCell]) -> str:
    named = [f"{cell.category} to {cell.class_name} ({cell.pull.value:+.3f})" for cell in cells[:MAX_NAMED_CELLS]]
    more = f" and {len(cells) - MAX_NAMED_CELLS} more" if len(cells) > MAX_NAMED_CELLS else ""
    return f"{', '.join(named)}{more}"


def _others(found: PullEvidence, class_index: int) -> tuple[FloatArray, list[str] | None]:
    """Gains of a class in the images that are not of it and can tell, and their groups."""
    kept = (found.labels != class_index) & ~np.isnan(found.gains[:, class_index])
    return found.gains[kept, class_index], select_groups(found.groups, kept)


def _with_p_value(cell: PullCell, p_value: float | None) -> PullCell:
    if p_value is None:
        return cell
    return PullCell(
        category=cell.category,
        class_name=cell.class_name,
        num_images=cell.num_images,
        pull=cell.pull,
        p_value=float(p_value),
        is_significant=bool(p_value < SIGNIFICANCE_LEVEL),
        pull_own=cell.pull_own,
    )


def _numbers(interval: Interval) -> str:
    return f"{interval.value:.3f} ({interval.ci_low:.3f} to {interval.ci_high:.3f})"
