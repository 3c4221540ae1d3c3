"""Names for what the noisiest maps light up."""

from evalharness.evaluating.stages.what_is_it.finding import WhatIsItFinding
from evalharness.evaluating.stages.what_is_it.stage import WhatIsIt

__all__ = ["WhatIsIt", "WhatIsItFinding"]
