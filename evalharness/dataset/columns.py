"""Which columns of the CSV mean what, and which classes may occur."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evalharness.config import DatasetConfig
from evalharness.dataset.spaces import pass_over_spaces
from evalharness.dataset.table import Table, list_columns, read_table
from evalharness.errors import ConfigError, DatasetError

LabelMatch = Literal["exact", "substring"]


@dataclass(frozen=True, slots=True)
class Layout:
    """The meaning of the columns."""

    path_columns: tuple[str, ...]
    """Joined with `/` they are the path of the image."""
    label_column: str
    label_match: LabelMatch
    """`exact`: the cell is the class; `substring`: exactly one class name occurs in the cell."""
    exclude: tuple[str, ...]
    """Rows whose path contains one of these are dropped."""
    classes: tuple[str, ...] | None
    id_column: str | None = None
    group_column: str | None = None
    clean_column: str | None = None


PLAIN = Layout(path_columns=("path",), label_column="label", label_match="exact", exclude=(), classes=None)
NOTEBOOK = Layout(
    path_columns=("base_path", "type_dir", "file_name"),
    label_column="type_dir",
    label_match="substring",
    exclude=("webp",),
    classes=("daisy", "dandelion", "roses", "sunflowers", "tulips"),
)


def read_rows(config: DatasetConfig) -> Table:
    """Reads the CSV that the config names, its cells separated in the one way that gives the columns, without spaces.

    Raises:
        DatasetError: It cannot be read, or can be separated in two ways.
    """
    table = read_table(config.csv, lambda names: not _missing_columns(_choose_layout(config, names), names))
    layout = _choose_layout(config, table.columns)
    known = set(_wanted_columns(layout).values()) & set(table.columns)
    paths = [name for name in layout.path_columns if name in known]
    return pass_over_spaces(table, known, paths, config.csv.parent if config.root is None else config.root)


def resolve_layout(config: DatasetConfig, table: Table) -> Layout:
    """Fills in what the config leaves open, and checks that the columns exist.

    A CSV with exactly the notebook's three columns, in any order, has the notebook's layout; any other has `path`
    and `label`. Each field that the config sets takes precedence.

    Args:
        config: The `dataset` section.
        table: The CSV.

    Raises:
        DatasetError: Columns are missing; all of them are named.
    """
    layout = _choose_layout(config, table.columns)
    if not layout.path_columns:
        raise ConfigError("dataset.path_columns", expected="at least one column name", got="an empty list")
    missing = _missing_columns(layout, table.columns)
    if missing:
        raise DatasetError(
            "columns of the dataset CSV",
            expected=", ".join(dict.fromkeys(_wanted_columns(layout).values())),
            got=list_columns(table.columns),
            where=f"{table.csv}; missing: {'; '.join(missing)}",
            fix="Correct the header, or name its columns with dataset.path_columns and dataset.label_column",
        )
    return layout


def _choose_layout(config: DatasetConfig, columns: Sequence[str]) -> Layout:
    base = NOTEBOOK if set(columns) == set(NOTEBOOK.path_columns) else PLAIN
    return Layout(
        path_columns=base.path_columns if config.path_columns is None else config.path_columns,
        label_column=base.label_column if config.label_column is None else config.label_column,
        label_match=base.label_match if config.label_match is None else config.label_match,
        exclude=base.exclude if config.exclude is None else config.exclude,
        classes=base.classes,
        id_column=config.id_column,
        group_column=config.group,
        clean_column=config.clean_column,
    )


def resolve_classes(
    config: DatasetConfig, layout: Layout, model_classes: tuple[str, ...] | None, labels: set[str]
) -> tuple[str, ...]:
    """Decides which labels may occur.

    In this order: the config's classes, the model's, the layout's own, and for exact matching the sorted labels.

    Args:
        config: The `dataset` section.
        layout: The meaning of the columns.
        model_classes: Classes of the model's outputs, where they are known already.
        labels: The non-empty cells of the label column.

    Returns:
        Class names, in NFC, the form of Unicode in which labels are compared.

    Raises:
        ConfigError: Classes are needed and not given, or the model does not have them.
    """
    classes = next((given for given in (config.classes, model_classes, layout.classes) if given is not None), None)
    if classes is None and layout.label_match == "substring":
        raise ConfigError(
            "dataset.classes", expected="class names, since dataset.label_match=substring looks for them", got="none"
        )
    if classes is None:
        return tuple(sorted({compose(label) for label in labels}))
    if not classes or "" in classes:
        raise ConfigError("dataset.classes", expected="class names that are not empty", got=list(classes))
    unknown = [name for name in classes if model_classes is not None and name not in model_classes]
    if unknown and model_classes is not None:
        raise ConfigError(
            "dataset.classes",
            expected=f"classes of the model ({', '.join(model_classes)})",
            got=f"{', '.join(classes)}, of which the model lacks {', '.join(unknown)}",
            where="dataset.classes, model.classes",
            fix="Name both in the same way; model.classes is the order of the model's outputs",
        )
    return classes


def compose(text: str) -> str:
    """Returns the text in Unicode's NFC, since file systems and editors differ in how they write accents and kana."""
    return unicodedata.normalize("NFC", text)


def _wanted_columns(layout: Layout) -> dict[str, str]:
    """The columns that must be there, by the key that names them."""
    wanted = {f"dataset.path_columns: {name}": name for name in layout.path_columns}
    others = {
        "dataset.label_column": layout.label_column,
        "dataset.id_column": layout.id_column,
        "dataset.group": layout.group_column,
        "dataset.clean_column": layout.clean_column,
    }
    return wanted | {f"{key}: {name}": name for key, name in others.items() if name is not None}


def _missing_columns(layout: Layout, columns: Sequence[str]) -> list[str]:
    return [key for key, name in _wanted_columns(layout).items() if name not in columns]
