"""What lies beside YOLO labels: the names of the classes, the shape of key points, and which files list images."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from evalharness.annotations.parsed import read_text, show
from evalharness.errors import DatasetError
from evalharness.folders import list_files

NAME_FILES = ("classes.txt", "data.yaml", "data.yml", "obj.names")
LIST_KEYS = ("train", "val", "valid", "test")
"""Of `data.yaml` and `obj.data`: where the images of a split are listed."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What a line's numbers mean, as far as the files beside the labels say."""

    names: Mapping[int, str]
    keypoint_shape: tuple[int, int] | None
    """Key points of a box, and numbers of a key point (2 or 3), where `data.yaml` says."""
    has_yaml: bool
    """Whether there is a `data.yaml`: without `kpt_shape` in it there are no key points."""
    list_files: frozenset[str]
    """Names of files that list images."""

    def find(self, index: int) -> str:
        """The name of a class.

        Raises:
            ValueError: It has none.
        """
        if index not in self.names:
            raise ValueError(f"class {index} has no name ({len(self.names)} are named)")
        return self.names[index]


def read_naming(folder: Path) -> Naming:
    """Reads `classes.txt`, `obj.names` and `data.yaml` of the folder of the labels and of the one above it.

    Raises:
        DatasetError: There is none, one cannot be read, or two name a class differently.
    """
    sources: dict[Path, dict[int, str]] = {}
    contents: dict[Path, Mapping[str, Any]] = {}
    for file in _find_files(folder):
        if file.suffix in (".yaml", ".yml"):
            contents[file] = _load_yaml(file)
            if "names" in contents[file]:
                sources[file] = _number_names(contents[file]["names"], file)
        elif file.suffix == ".data":
            contents[file] = _load_data(file)
        else:
            lines = [line.strip() for line in read_text(file).splitlines()]
            sources[file] = {index: name for index, name in enumerate(lines) if name}
    yaml_files = [file for file in contents if file.suffix != ".data"]
    if not sources and yaml_files:
        _number_names(None, yaml_files[0])
    if not sources:
        raise DatasetError(
            "YOLO annotations have no category names",
            expected="classes.txt or data.yaml or obj.names in the folder or the one above it",
            where=folder,
        )
    _refuse_other_names(sources)
    shapes = {shape for content in contents.values() if (shape := _read_keypoint_shape(content, folder))}
    if len(shapes) > 1:
        both = " and ".join(str(list(shape)) for shape in sorted(shapes))
        raise DatasetError("key points cannot be told", expected="one `kpt_shape`", got=both, where=folder)
    return Naming(
        names={index: name for names in sources.values() for index, name in names.items()},
        keypoint_shape=shapes.pop() if shapes else None,
        has_yaml=bool(yaml_files),
        list_files=frozenset(name for content in contents.values() for name in _read_list_files(content)),
    )


def _find_files(folder: Path) -> Iterator[Path]:
    """Files by their usual names, or, in the folder itself and under other names, by their endings."""
    above = folder.absolute().parent
    places = [folder, above, *([above.parent] if above.name == "labels" else [])]
    for place in places:
        yield from (place / name for name in (*NAME_FILES, "obj.data") if (place / name).is_file())
    if not any((place / name).is_file() for place in places for name in NAME_FILES):
        for file in list_files(folder):
            is_data = file.suffix == ".data" and file.name != "obj.data"
            if file.parent == folder and (is_data or file.suffix in (".yaml", ".yml", ".names", ".labels")):
                yield file


class _AsText(yaml.BaseLoader):
    """Keeps every name as it is written, `yes` and `0` included, and refuses keys that stand twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        counts = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        repeated = next((key for key in counts if counts[key] > 1), None)
        if repeated is not None:
            raise yaml.YAMLError(f"the key {show(repeated)} stands there more than once{node.start_mark}")
        return dict(super().construct_mapping(node, deep))


def _load_yaml(file: Path) -> Mapping[str, Any]:
    try:
        content = yaml.load(read_text(file), _AsText)  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DatasetError("category names cannot be read", got=" ".join(str(error).split()), where=file) from error
    return content if isinstance(content, dict) else {}


def _load_data(file: Path) -> Mapping[str, Any]:
    """Reads the lines `key = value` of Darknet's `obj.data`."""
    pairs = (line.partition("=") for line in read_text(file).splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _number_names(names: object, file: Path) -> dict[int, str]:
    pairs: list[tuple[Any, Any]] = []
    if isinstance(names, list):
        pairs = [(str(index), name) for index, name in enumerate(names)]
    elif isinstance(names, dict):
        pairs = list(names.items())
    is_read = all(re.fullmatch(r"[0-9]{1,9}", index) and isinstance(name, str) for index, name in pairs)
    numbered = {int(index): name.strip() for index, name in pairs} if is_read else {}
    if not numbered or len(numbered) < len(pairs):
        got = show(names) if names is None or isinstance(names, str) else "others"
        expected = "`names`, a list of texts, or texts under their numbers"
        raise DatasetError("category names cannot be read", expected=expected, got=got, where=file)
    return {index: name for index, name in numbered.items() if name}


def _refuse_other_names(sources: Mapping[Path, Mapping[int, str]]) -> None:
    for (file, names), (other_file, others) in combinations(sources.items(), 2):
        for index in sorted(names.keys() & others.keys()):
            if names[index] != others[index]:
                raise DatasetError(
                    f"class {index} has two names",
                    got=f"{show(names[index])} in {file} and {show(others[index])} in {other_file}",
                    fix="Keep the file that was used for labelling, and delete or correct the other",
                )


def _read_keypoint_shape(content: Mapping[str, Any], folder: Path) -> tuple[int, int] | None:
    shape = content.get("kpt_shape")
    if shape is None:
        return None
    if isinstance(shape, list) and len(shape) == 2 and all(isinstance(number, str) for number in shape):
        number, size = (text.strip() for text in shape)
        if re.fullmatch(r"[0-9]{1,4}", number) and int(number) and size in ("2", "3"):
            return int(number), int(size)
    expected = "`kpt_shape: [key points, 2 or 3]` in data.yaml"
    raise DatasetError("the key points cannot be told", expected=expected, where=folder)


def _read_list_files(content: Mapping[str, Any]) -> Iterator[str]:
    for key in LIST_KEYS:
        value = content.get(key)
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, str) and entry.endswith(".txt"):
                yield PurePosixPath(entry.replace("\\", "/")).name
