"""The audit of annotated regions: looks at, uses, and pull."""

from evalharness.evaluating.stages.audit.finding import AuditFinding
from evalharness.evaluating.stages.audit.stage import Audit

__all__ = ["Audit", "AuditFinding"]
