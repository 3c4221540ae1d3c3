"""What a map lights up again and again: grouped without annotations, and tested for pull."""

from evalharness.evaluating.stages.concepts.finding import ConceptsFinding
from evalharness.evaluating.stages.concepts.stage import Concepts

__all__ = ["Concepts", "ConceptsFinding"]
