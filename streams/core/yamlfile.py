"""YAML that people write: text → a checked model, or every problem with its line and column.

Stricter than YAML on purpose: one document, text keys, no duplicates, no anchors, no tags. YAML
1.2, so ``on`` and ``no`` are text. A file may be wrong in any way; it never ends as a traceback.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from streams.core.complaints import Complaint, Place, did_you_mean, examine
from streams.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["MAX_BYTES", "Finding", "Place", "Problem", "did_you_mean", "parse", "review"]

MAX_BYTES: Final = 256 * 1024
"""No file that people write by hand is longer; a longer one is the wrong file."""

Model = TypeVar("Model", bound=BaseModel)

_PLAIN: Final = {
    "null": r"|~|null|Null|NULL",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?(0|[1-9][0-9]{0,29})",
    "float": r"[-+]?([0-9]{1,20}(\.[0-9]{0,20})?|\.[0-9]{1,20})([eE][-+]?[0-9]{1,4})?",
}
_CONVERT: Final[dict[str, Callable[[str], bool | float | None]]] = {
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": float,
}
"""Values by their YAML tag. Hexadecimal, infinity and a number of 5,000 digits are mistakes."""


class Finding(NamedTuple):
    """A problem that a check over the whole model found: where in the data, and what."""

    place: Place
    message: str


class Problem(NamedTuple):
    """Something wrong in a file: line and column counted from 1, and what."""

    line: int
    column: int
    message: str


def parse(
    text: str | bytes,
    model: type[Model],
    file: str,
    check: Callable[[Model], Iterable[Finding]] | None = None,
    *,
    nulls: bool = False,
) -> Model:
    """Return a YAML file as the model.

    Args:
        text: The file's content; bytes are read as UTF-8.
        model: What it must be; forbid extra keys in it, so that a misspelling is an error.
        file: The file's name, for the messages.
        check: Rules over the whole model that no single field can know, with the place of each
            breach; asked only once the model itself is valid.
        nulls: Whether a written null is a value; else it is a mistake, as is writing nothing.

    Returns:
        The model.

    Raises:
        ConfigurationError: The file is wrong. The message has a line for every problem:
            ``file:line:column: what, and a hint``.

    Example:
        >>> class Rule(BaseModel, extra="forbid"):
        ...     points: int
        >>> parse("points: 10", Rule, "rules.yaml")
        Rule(points=10)
        >>> parse("point: 10", Rule, "rules.yaml")
        Traceback (most recent call last):
        ...
        streams.errors.ConfigurationError: rules.yaml:1:1: missing key 'points'
        rules.yaml:1:1: unknown key 'point', did you mean 'points'?
    """
    return review(text, model, file, check, nulls=nulls)[0]


def review(
    text: str | bytes,
    model: type[Model],
    file: str,
    check: Callable[[Model], Iterable[Finding]] | None = None,
    lint: Callable[[Model], Iterable[Finding]] | None = None,
    *,
    nulls: bool = False,
) -> tuple[Model, list[str]]:
    """Return a YAML file as the model, and what may be meant otherwise.

    Args:
        text: As for `parse`.
        model: As for `parse`.
        file: As for `parse`.
        check: As for `parse`.
        lint: Finds what is valid and yet odd; asked only of a valid file.
        nulls: As for `parse`.

    Returns:
        The model, and each finding of ``lint`` as ``file:line:column: what``, in the file's order.

    Raises:
        ConfigurationError: As of `parse`.
    """
    tree = _Tree(nulls)
    data = tree.read(text)
    value = tree.judged(examine(model, data)) if not tree.problems else None
    if value is not None and check:
        tree.note(check(value))
    if value is None or tree.problems:
        raise ConfigurationError("\n".join(tree.told(file)))
    tree.note(lint(value) if lint else ())
    return value, tree.told(file)


@dataclass
class _Tree:
    """A file's plain data, and where in the text each part of it stands."""

    nulls: bool = False
    problems: list[Problem] = field(default_factory=list)
    keys: dict[Place, tuple[int, int]] = field(default_factory=dict)
    values: dict[Place, tuple[int, int]] = field(default_factory=dict)
    empty: list[Place] = field(default_factory=list)

    def read(self, text: str | bytes) -> Any:  # noqa: ANN401 - the model says what it is
        """Return the plain data, and note every problem and every position on the way."""
        decoded = self._decoded(text)
        try:
            root = YAML(typ="safe", pure=True).compose(decoded) if decoded is not None else None
            if isinstance(root, MappingNode):
                return self._data(root, ())
        except RecursionError:
            self._wrong((1, 1), "nested too deeply")
        except YAMLError as error:
            self._syntax(error, decoded or "")
        else:
            if root is not None:
                self._wrong(_mark(root), "must be a mapping: lines of 'key: value'")
            elif decoded is not None:
                self._wrong((1, 1), "the file is empty")
        return None

    def judged(self, found: Model | list[Complaint]) -> Model | None:
        """Return a model that is one, or note what is said against it."""
        complaints = found if isinstance(found, list) else []
        unknown = {each.place for each in complaints if each.of_key}
        for place in self.empty:
            if place not in unknown:
                name = f"{place[-1]}: " if isinstance(place[-1], str) else ""
                self._wrong(self.position(place), f"{name}has no value")
        for place, what, of_key in complaints:
            if of_key or place not in self.empty:
                self._wrong(self.position(place, of_key=of_key), what)
        return None if isinstance(found, list) or self.problems else found

    def note(self, findings: Iterable[Finding]) -> None:
        """Note what a check found."""
        for place, what in findings:
            self._wrong(self.position(place), what)

    def told(self, file: str) -> list[str]:
        """Return the problems, in the order of the file."""
        return [
            f"{file}:{line}:{column}: {what}" for line, column, what in sorted(set(self.problems))
        ]

    def position(self, place: Place, *, of_key: bool = False) -> tuple[int, int]:
        """Return line and column of a place, or of the nearest part around it that exists."""
        known: Place = ()
        for part in place:  # parts that are not in the data are pydantic's names of union members
            known = (*known, part) if (*known, part) in self.values else known
        where = self.keys if of_key else self.values
        return where.get(known, self.values.get(known, (1, 1)))

    def _wrong(self, mark: tuple[int, int], message: str) -> None:
        self.problems.append(Problem(*mark, message))

    def _decoded(self, text: str | bytes) -> str | None:
        if len(text) > MAX_BYTES:
            self._wrong((1, 1), f"longer than {MAX_BYTES // 1024} KiB: is it the right file?")
            return None
        try:
            return text if isinstance(text, str) else text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = error.object[: error.start]
            column = error.start - before.rfind(b"\n")
            self._wrong((before.count(b"\n") + 1, column), "not UTF-8 text")
            return None

    def _syntax(self, error: YAMLError, text: str) -> None:
        if isinstance(error, MarkedYAMLError) and error.problem_mark:
            mark = (error.problem_mark.line + 1, error.problem_mark.column + 1)
            what = error.problem or "bad YAML"
            if "'\\t'" in what:
                what = "a tab: YAML is indented with spaces"
            elif "single document" in (error.context or ""):
                what = "a second document: one file holds one"
        elif isinstance(error, ReaderError):
            before = text[: error.position]
            mark = (before.count("\n") + 1, len(before) - before.rfind("\n"))
            what = f"a character that YAML forbids: U+{error.character:04X}"
        else:
            mark, what = (1, 1), str(error)
        self._wrong(mark, " ".join(what.split()))

    def _data(self, node: Node, place: Place) -> Any:  # noqa: ANN401 - plain data of any shape
        self.values[place] = _mark(node)
        if isinstance(node, ScalarNode) and not node.value and node.style is None:
            # Nothing is written there: the mark is that of the next line.
            self.values[place] = self.keys.get(place, _mark(node))
        tag = str(node.tag).removeprefix("tag:yaml.org,2002:")
        if node.anchor:  # so no alias is ever followed
            self._wrong(_mark(node), f"an anchor, &{node.anchor}: write the value out each time")
        elif isinstance(node, MappingNode) and tag == "map":
            return dict(self._items(node, place))
        elif isinstance(node, SequenceNode) and tag == "seq":
            return [self._data(item, (*place, index)) for index, item in enumerate(node.value)]
        elif isinstance(node, ScalarNode) and tag in {"str", "timestamp"}:
            return node.value  # YAML 1.2 has no timestamps
        elif isinstance(node, ScalarNode) and tag in _PLAIN:
            if match := re.fullmatch(_PLAIN[tag], node.value):
                if tag == "null" and not (self.nulls and node.value):
                    self.empty.append(place)
                return _CONVERT[tag](match[0])
            if re.fullmatch("0[0-9]+", node.value):  # ids are kept as they are written
                self._wrong(
                    _mark(node), f"a number with leading zeros: {int(node.value)}, or quote it"
                )
                return None
            self._wrong(_mark(node), "neither true, false, null nor a plain decimal number")
        else:
            self._wrong(_mark(node), f"a tag, {tag}: write plain values")
        return None

    def _items(self, node: MappingNode, place: Place) -> Iterator[tuple[str, Any]]:
        for key, value in node.value:
            if key.tag != "tag:yaml.org,2002:str" or key.anchor:
                self._wrong(_mark(key), "a key must be plain text: quote it")
            elif (*place, key.value) in self.keys:
                first, _ = self.keys[*place, key.value]
                self._wrong(_mark(key), f"duplicate key '{key.value}', first on line {first}")
            else:
                self.keys[*place, key.value] = _mark(key)
                yield key.value, self._data(value, (*place, key.value))


def _mark(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
