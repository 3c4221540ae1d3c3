"""A smaller dataset with the same mixture of classes."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

from evalharness.records import Sample


def select_stratified(samples: Sequence[Sample], limit: int, seed: int) -> tuple[Sample, ...]:
    """Selects samples so that each class keeps its share, and returns them in their own order.

    Within a class the samples with the smallest hash of seed and row id are taken: the choice depends neither on the
    order of the CSV nor on the version of a random generator.

    Args:
        samples: The samples to select from.
        limit: How many to keep; with as many samples or fewer, all of them are kept.
        seed: Another seed selects other samples.
    """
    by_label: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_label[sample.label].append(sample)
    sizes = allocate({label: len(members) for label, members in by_label.items()}, limit)
    chosen = {
        sample.row_id
        for label, members in by_label.items()
        for sample in sorted(members, key=lambda sample: _draw(seed, sample.row_id))[: sizes[label]]
    }
    return tuple(sample for sample in samples if sample.row_id in chosen)


def allocate(counts: Mapping[str, int], limit: int) -> dict[str, int]:
    """Splits `limit` over the classes in proportion to their counts, by the largest remainder.

    Args:
        counts: Samples of each class; ties between equal remainders go to the larger class, then by name.
        limit: The sum of the result, unless there are fewer samples.
    """
    total = sum(counts.values())
    if limit >= total:
        return dict(counts)
    sizes = {label: limit * count // total for label, count in counts.items()}
    by_remainder = sorted(counts, key=lambda label: (-(limit * counts[label] % total), -counts[label], label))
    for label in by_remainder[: limit - sum(sizes.values())]:
        sizes[label] += 1
    return sizes


def _draw(seed: int, row_id: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{row_id}".encode()).digest()
