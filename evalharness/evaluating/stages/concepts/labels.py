"""In which labels a concept occurs, in words."""

from collections.abc import Mapping


def describe_labels(parts: Mapping[str, float], most: int = 3) -> str:
    """In which labels a concept occurs, such as `roses 40 %, tulips 35 %`."""
    listed = [f"{name} {part:.0%}" for name, part in list(parts.items())[:most]]
    more = len(parts) - most
    return ", ".join(listed) + (f" and {more} more" if more > 0 else "")
