"""What the ids of a COCO file name: a number and the same number as text are one id, where that is clear."""

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Generic, TypeVar

from evalharness.annotations.parsed import show

Id = int | float | str
Entry = TypeVar("Entry")
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.0*)?")


def read_id(value: object) -> Id | None:
    """The value if it can be an id, a number or text, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    return None if isinstance(value, float) and not math.isfinite(value) else value


class IdTable(Generic[Entry]):
    """Entries by id."""

    def __init__(self) -> None:
        self._entries: dict[Id, Entry] = {}
        self._by_meaning: dict[Id, list[Id]] = defaultdict(list)

    def __getitem__(self, found: Id) -> Entry:
        return self._entries[found]

    def __setitem__(self, found: Id, entry: Entry) -> None:
        if found not in self._entries:
            self._by_meaning[_meaning(found)].append(found)
        self._entries[found] = entry

    def __contains__(self, found: Id) -> bool:
        return found in self._entries

    def get(self, found: Id, default: Entry) -> Entry:
        """The entry of an id as it is written, or the default."""
        return self._entries.get(found, default)

    def items(self) -> Iterator[tuple[Id, Entry]]:
        """Ids and entries, in the order in which they came."""
        yield from self._entries.items()

    def find(self, wanted: Id) -> Id | None:
        """The id that is written like this, or else the only one that means the same; None if there is none.

        Raises:
            ValueError: Several mean the same, and none is written like this.
        """
        if wanted in self._entries:
            return wanted
        several = self._by_meaning.get(_meaning(wanted), [])
        if len(several) > 1:
            raise ValueError(f"{show(wanted)} may be {' or '.join(show(one) for one in several)}")
        return several[0] if several else None

    def differ_in_type_only(self) -> Iterator[tuple[Id, Id]]:
        """Pairs of a number and a text that mean the same."""
        for several in self._by_meaning.values():
            numbers = [one for one in several if not isinstance(one, str)]
            texts = [one for one in several if isinstance(one, str)]
            yield from ((number, text) for number in numbers for text in texts)


def _meaning(value: Id) -> Id:
    """The number that a text writes; any other id is what it is."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    return int(text.partition(".")[0]) if _NUMBER.fullmatch(text) else text
