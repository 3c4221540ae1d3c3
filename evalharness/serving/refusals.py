"""What the bench refuses: a status for programs, a code, and a message in the words of the house."""

from collections.abc import Mapping
from typing import Any

from evalharness.errors import EvalHarnessError


class RefusalError(EvalHarnessError):
    """A request that is not carried out; the service goes on.

    Args:
        status: Of HTTP.
        code: Names the kind of refusal, for programs and for translations.
        what: What failed.
        values: What a translation needs.
        told: As for `EvalHarnessError`: `expected`, `got`, `where`, `fix`.
    """

    def __init__(
        self, status: int, code: str, what: str, *, values: Mapping[str, Any] | None = None, **told: Any
    ) -> None:
        super().__init__(what, **told)
        self.status = status
        self.code = code
        self.values = dict(values or {})


def not_a_photo(reason: str) -> RefusalError:
    """A file that cannot be judged."""
    return RefusalError(422, "not_a_photo", f"the photo cannot be read: {reason}", values={"reason": reason})


def too_large(max_bytes: int) -> RefusalError:
    """A file with more bytes than are taken."""
    megabytes = f"{max_bytes / 1e6:g}"
    return RefusalError(
        413, "too_large", "the photo is too large", expected=f"at most {megabytes} MB",
        fix="Send a smaller one, or raise serve.max_bytes", values={"megabytes": megabytes},
    )  # fmt: skip


def queue_full(seconds: int) -> RefusalError:
    """More photos than may wait."""
    return RefusalError(
        503, "queue_full", "too many photos are waiting", fix=f"Send it again in {seconds} s",
        values={"seconds": seconds},
    )  # fmt: skip
