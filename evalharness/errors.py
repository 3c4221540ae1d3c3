"""The one family of exceptions for what a user can mend; bugs keep their own types and their traceback."""


class EvalHarnessError(Exception):
    """Something the user can mend, told in one message.

    The message reads `<what failed>: expected <X>, got <Y> (<where>). <what to do>.` Where what failed ends in a list,
    an indented line each, what to do stands on a line of its own.

    Args:
        what: What failed.
        expected: What would have been right.
        got: What was there instead.
        where: The file, row or config key.
        fix: What to do about it, as a sentence without its full stop.
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        expected: object = None,
        got: object = None,
        where: object = None,
        fix: str | None = None,
    ) -> None:
        given = (("expected", expected), ("got", got))
        pairs = [f"{word} {str(value).strip()}" for word, value in given if value is not None]
        text = f"{what}: {', '.join(pairs)}" if pairs else what.rstrip()
        if where is not None:
            text += f" ({where})"
        is_list = text.rpartition("\n")[2].startswith(" ")
        if not is_list and not text.endswith((".", ":", "!", "?")):
            text += "."
        if fix:
            text += ("\n" if is_list else " ") + fix.strip()
            text += "" if text.endswith((".", "?")) else "."
        super().__init__(text)


class ConfigError(EvalHarnessError):
    """A config key or a command line that cannot be used."""

    exit_code = 2


class DatasetError(EvalHarnessError):
    """A CSV, a row of it, or an image that cannot be used."""


class WeightsError(EvalHarnessError):
    """A weights file that cannot be read or does not fit the model."""


class ModelError(EvalHarnessError):
    """A model that the harness cannot evaluate."""


class ResultsError(EvalHarnessError):
    """A results folder that is missing, incomplete, or of another recipe."""


class TrackingError(EvalHarnessError):
    """A tracking store that cannot be reached or written."""
