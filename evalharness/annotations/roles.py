"""What a category is to the classes: the object, a distractor, or to be ignored."""

import difflib
import unicodedata
from collections.abc import Collection, Mapping
from typing import get_args

from evalharness.audit import Role
from evalharness.errors import ConfigError


def assign_roles(
    categories: Collection[str], configured: Mapping[str, str], classes: Collection[str]
) -> tuple[dict[str, Role], tuple[str, ...]]:
    """Gives every category its role.

    What the config says; else `object` for a category that is named like a class (of any row: a tulip in a photo of
    roses is an object too), and `distractor` for any other. Upper and lower case are one.

    Args:
        categories: All that the annotations have.
        configured: Role by category.
        classes: Of the model.

    Returns:
        Role by category, and the configured categories that the annotations do not have.

    Raises:
        ConfigError: A role that there is not.
    """
    roles_known = get_args(Role)
    for category, role in configured.items():
        if role not in roles_known:
            raise ConfigError(
                f"unknown role of the category {category!r}",
                expected=f"one of {', '.join(roles_known)}",
                got=repr(role),
                where="audit.roles",
            )
    given = {_fold(category): role for category, role in configured.items()}
    class_names = {_fold(name) for name in classes}
    roles: dict[str, Role] = {}
    for category in categories:
        default: Role = "object" if _fold(category) in class_names else "distractor"
        configured_role = given.get(_fold(category), default)
        roles[category] = next(role for role in roles_known if role == configured_role)
    known = {_fold(category) for category in categories}
    return roles, tuple(category for category in configured if _fold(category) not in known)


def describe_unknown(unknown: Collection[str], categories: Collection[str]) -> str:
    """A sentence on configured categories that the annotations do not have, with what may be meant."""
    parts = []
    for name in unknown:
        close = difflib.get_close_matches(name, list(categories), n=1)
        parts.append(f"{name!r} (meant is perhaps {close[0]!r})" if close else repr(name))
    return f"audit.roles names categories that no annotation has: {', '.join(parts)}; there are {_list(categories)}."


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold().strip()


def _list(categories: Collection[str]) -> str:
    return ", ".join(sorted(categories)) or "none"
