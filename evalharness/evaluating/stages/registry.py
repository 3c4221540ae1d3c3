"""The table of stages, in the order in which they run and are told. A new one is a folder and a line here."""

from typing import Any

from evalharness.evaluating.stage import Stage
from evalharness.evaluating.stages.audit import Audit
from evalharness.evaluating.stages.before_after import BeforeAfter
from evalharness.evaluating.stages.believe import Believe
from evalharness.evaluating.stages.concepts import Concepts
from evalharness.evaluating.stages.faithfulness import Faithfulness
from evalharness.evaluating.stages.noise import Noise
from evalharness.evaluating.stages.stress import Stress
from evalharness.evaluating.stages.what_is_it import WhatIsIt

STAGES: tuple[type[Stage[Any]], ...] = (Audit, Faithfulness, Noise, Stress, BeforeAfter, WhatIsIt, Concepts, Believe)
"""A stage may read what those before it found."""
