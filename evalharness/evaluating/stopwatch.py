"""How long each part of an evaluation took."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter


@dataclass(frozen=True)
class Stopwatch:
    """Seconds by part, the latest where a part ran more than once."""

    durations_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Notes the seconds spent inside as the part's."""
        start = perf_counter()
        yield
        self.durations_s[part] = perf_counter() - start
