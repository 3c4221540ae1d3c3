"""Which rows are shown: by rules that two people, or two runs, apply with the same result."""

import hashlib
from collections.abc import Sequence
from typing import Literal

import pandas as pd

from evalharness.records import Sample

Rule = Literal["noisiest", "worst_mistakes", "most_confident", "random"]


def select_rows(samples: pd.DataFrame, rule: Rule, num: int, seed: int) -> list[str]:
    """The rows of one contact sheet, the most telling first; equal ones in the order of their ids.

    Args:
        samples: With the columns `row_id, label, correct, confidence`, and `noise_rank` if maps were ranked; their
            order has no influence.
        rule: `noisiest`: lowest `noise_rank` first, none where maps were not ranked. `worst_mistakes`: wrong, highest
            confidence in the wrong class first; `most_confident`: right, highest confidence first; of both, the true
            classes take turns. `random`: by a hash of seed and row id.
        num: Most rows wanted.
        seed: Of `random`.

    Returns:
        Row ids: fewer than `num` where there are fewer, none where no row fits the rule.
    """
    if rule == "noisiest":
        ranked = samples.assign(noise_rank=samples.get("noise_rank")).dropna(subset=["noise_rank"])
        chosen = ranked.sort_values(["noise_rank", "row_id"])
    elif rule == "random":
        chosen = samples.assign(order=_hashes(samples, seed)).sort_values(["order", "row_id"])
    else:
        wanted = samples[samples["correct"].astype(bool) == (rule == "most_confident")]
        ordered = wanted.sort_values(["confidence", "row_id"], ascending=[False, True])
        turns = ordered.assign(turn=ordered.groupby("label").cumcount())
        chosen = turns.sort_values(["turn", "confidence", "row_id"], ascending=[True, False, True])
    return [str(row_id) for row_id in chosen["row_id"].head(num)]


def select_logged(samples: pd.DataFrame, num: int, seed: int) -> list[str]:
    """The rows whose overlays every run logs: by a hash of seed and row id, the true classes taking turns.

    Predictions have no influence, so that runs on the same rows show the same images.

    Args:
        samples: With the columns `row_id, label`; their order has no influence.
        num: Most rows wanted.
        seed: Of the hash.
    """
    ordered = samples.assign(order=_hashes(samples, seed)).sort_values(["order", "row_id"])
    turns = ordered.assign(turn=ordered.groupby("label").cumcount())
    return [str(row_id) for row_id in turns.sort_values(["turn", "order", "row_id"])["row_id"].head(num)]


def select_samples(samples: Sequence[Sample], num: int, seed: int) -> list[str]:
    """As `select_logged`, of the rows of a dataset."""
    table = {"row_id": [sample.row_id for sample in samples], "label": [sample.label for sample in samples]}
    return select_logged(pd.DataFrame(table), num, seed)


def _hashes(samples: pd.DataFrame, seed: int) -> list[str]:
    return [hashlib.sha256(f"{seed}:{row_id}".encode()).hexdigest() for row_id in samples["row_id"]]
