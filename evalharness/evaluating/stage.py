"""What a stage is to an evaluation, and what it found: one shape for all, so that whoever uses them only loops."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self, TypeVar

import pandas as pd
from rich.table import Table
from rich.text import Text

from evalharness.config import GateConfig, RunConfig
from evalharness.evaluating.album import Album
from evalharness.evaluating.session import EvaluatedRows

MAX_NAMED_ROWS = 5


class Finding(Protocol):
    """What a stage found."""

    @property
    def title(self) -> str:
        """A few words that stand before the sentence."""

    @property
    def sentence(self) -> str:
        """What was found, in plain words; empty where there is nothing to say."""

    @property
    def plain(self) -> Any:
        """As the manifest keeps it: nested plain values, which the report and the terminal read."""

    @property
    def measures(self) -> Mapping[str, float]:
        """Numbers that runs are compared by, by MLflow name."""
        return {}

    @property
    def row_columns(self) -> Mapping[str, pd.Series]:
        """What figures choose images by, or say of them, by row id and column name."""
        return {}

    def draw(self, album: Album) -> None:
        """Writes its figures; none by default."""
        del album


def name_rows(rows: pd.DataFrame) -> str:
    """The first row ids of a table, for a sentence."""
    return ", ".join(str(row_id) for row_id in rows["row_id"].head(MAX_NAMED_ROWS))


F = TypeVar("F", bound=Finding)


@dataclass(frozen=True)
class Findings:
    """What the stages found so far, by stage; None where a stage is off or had nothing to look at."""

    by_stage: Mapping[str, Finding | None]

    def of(self, kind: type[F]) -> F | None:
        """The finding of this kind, if there is one."""
        return next((found for found in self if isinstance(found, kind)), None)

    @property
    def row_columns(self) -> dict[str, pd.Series]:
        """Of all; where several have a column of one name, a row keeps what the first says of it."""
        columns: dict[str, pd.Series] = {}
        for name, values in (column for found in self for column in found.row_columns.items()):
            columns[name] = columns[name].combine_first(values) if name in columns else values
        return columns

    def __iter__(self) -> Iterator[Finding]:
        """Those that there are, in the order of the stages."""
        return (found for found in self.by_stage.values() if found is not None)


class Stage(Protocol[F]):
    """One thing to examine once the rows are predicted. Adding one: `docs/architecture.md`."""

    name: ClassVar[str]
    """Of its finding in the manifest and of its section in the report."""
    section: ClassVar[str | None] = None
    """Of the config, where it has one of its own."""
    version: ClassVar[int] = 1
    """Of its method: complete results of another are examined anew."""
    nothing: ClassVar[Any] = None
    """What the manifest keeps where there is no finding."""

    @classmethod
    def prepare(cls, config: RunConfig) -> Self:
        """Refuses settings that do not fit, and reads what the stage needs besides the inputs; no model is built.

        Raises:
            EvalHarnessError: A setting or a file that cannot be used.
        """

    @property
    def digests(self) -> Mapping[str, str | None]:
        """Of the files that `prepare` reads, by what they are; None for one that was not wanted."""
        return {}

    @property
    def long_checks(self) -> Sequence[Callable[[], object]]:
        """What `prepare` leaves for later because it takes long, for `evalharness check`: each raises what is wrong."""
        return ()

    def examine(self, rows: EvaluatedRows, earlier: Findings) -> F | None:
        """Examines the rows; None where the stage is off or has nothing to look at."""

    def broken_gates(self, config: GateConfig, found: F | None) -> Sequence[str]:  # noqa: ARG002
        """A sentence for each of the stage's gates that does not hold; what is not known does not hold."""
        return ()

    @staticmethod
    def tell(plain: Any) -> Iterator[Table | Text]:
        """The finding on a terminal, from what the manifest keeps of it."""
