"""Discover: distractors that nobody annotated, from what the map lights up again and again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from rich.table import Table
from rich.text import Text

from evalharness.attention import METHODS
from evalharness.concepts import fit_clusters, largest_num_clusters, split_groups
from evalharness.concepts.clustering import CHOICES
from evalharness.config import GateConfig, RunConfig
from evalharness.console import warn
from evalharness.errors import ConfigError
from evalharness.evaluating.session import EvaluatedRows
from evalharness.evaluating.stage import Findings, Stage
from evalharness.evaluating.stages.concepts.finding import ConceptsFinding
from evalharness.evaluating.stages.concepts.gates import GATE, broken_gates
from evalharness.evaluating.stages.concepts.measuring import gather_regions, measure, name_concepts, store, too_few
from evalharness.evaluating.stages.concepts.naming import guess_names
from evalharness.evaluating.stages.concepts.regions import RegionSource
from evalharness.evaluating.stages.concepts.telling import tell_concepts
from evalharness.evaluating.stages.what_is_it.pretrained import Namer, find_namer


@dataclass(frozen=True)
class Concepts(Stage[ConceptsFinding]):
    """Groups hot regions of the first class-specific map on one half of the photos, and tests them on the other."""

    namer: Namer | None
    """Of `what_is_it`; None: concepts are called by their numbers, unless the user names them."""

    name: ClassVar[str] = "concepts"
    section: ClassVar[str | None] = "concepts"

    @classmethod
    def prepare(cls, config: RunConfig) -> Self:
        """Refuses a gate without concepts, and maps that do not know the class."""
        num_images = config.concepts.num_images
        if config.gate.max_concept_pull is not None and not num_images:
            raise ConfigError(
                f"gate.{GATE} reads concepts, and none are looked for",
                expected="a number of photos, or all",
                got=0,
                where="concepts.num_images",
                fix="Set concepts.num_images=all, or leave the gate out",
            )
        # Methods that there are not are refused later, with the list of all.
        known = [METHODS[entry.method] for entry in config.attention.methods if entry.method in METHODS]
        if num_images and not any(method.is_class_specific for method in known):
            names = [name for name, method in METHODS.items() if method.is_class_specific]
            raise ConfigError(
                "concepts are what a map of the verdict's class lights up, and there is no such map",
                expected=f"one of {', '.join(names)}",
                got=", ".join(entry.method for entry in config.attention.methods) or "[]",
                where="attention.methods",
                fix=f"Name one, such as attention.methods=[{names[0]}], or set concepts.num_images=0",
            )
        return cls(find_namer(config) if num_images else None)

    def examine(self, rows: EvaluatedRows, earlier: Findings) -> ConceptsFinding | None:  # noqa: ARG002
        """Finds concepts and tests them; None where that is off.

        Writes `concepts.parquet`, `concepts_pull.parquet` and `concepts.npz`.
        """
        session, inputs = rows.session, rows.session.inputs
        config = inputs.config.concepts
        if not config.num_images:
            return None
        source = choose_source(rows)
        is_fit = split_groups([rows.groups[rows.positions[row_id]] for row_id in source.row_ids], inputs.config.seed)
        regions = gather_regions(source, is_fit)
        wanted = config.num_concepts or CHOICES[0]
        if wanted > largest_num_clusters(int(regions.is_fit.sum())):
            return too_few(source, regions, wanted)
        with session.clock.timed("concepts"):
            clusters = fit_clusters(
                regions.features[regions.is_fit],
                num_clusters=config.num_concepts,
                quantile=config.assign_quantile,
                seed=inputs.config.seed,
            )
            _warn_of_unknown([*config.names, *config.roles], len(clusters.centroids))
            assigned = clusters.assign(regions.features)
            table = store(source, clusters, assigned, regions)
        num_concepts = len(clusters.centroids)
        guessed = {} if self.namer is None else guess_names(source, self.namer, table, num_concepts)
        names = name_concepts({**guessed, **config.names}, num_concepts)
        with session.clock.timed("test_concepts"):
            return measure(source, assigned, regions, table, names)

    def broken_gates(self, config: GateConfig, found: ConceptsFinding | None) -> Sequence[str]:
        """`max_concept_pull`, of any concept but objects."""
        return broken_gates(config, found)

    @staticmethod
    def tell(plain: Any) -> Iterator[Table | Text]:
        """Harmful concepts first, one line each, and a sentence."""
        return tell_concepts(plain)


def choose_source(rows: EvaluatedRows) -> RegionSource:
    """The map whose regions are grouped, and the photos of the config, in the order of the rows."""
    inputs = rows.session.inputs
    map_id = next(spec.map_id for spec in inputs.specs if METHODS[spec.method].is_class_specific)
    wanted = inputs.config.concepts.num_images
    if wanted == "all" or wanted >= len(rows.samples):
        return RegionSource(rows, map_id, rows.row_ids)
    chosen = set(rows.choose(wanted))
    return RegionSource(rows, map_id, [row_id for row_id in rows.row_ids if row_id in chosen])


def _warn_of_unknown(numbers: Sequence[int], num_concepts: int) -> None:
    unknown = sorted({number for number in numbers if not 1 <= number <= num_concepts})
    if unknown:
        warn(
            f"concepts.names or concepts.roles name {', '.join(map(str, unknown))}, and concepts are numbered 1 to "
            f"{num_concepts}"
        )
