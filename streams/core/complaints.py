"""What pydantic finds wrong in the data of a file, said in the words of whoever wrote it."""

from __future__ import annotations

import difflib
import re
from copy import deepcopy
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, TypeVar, Union
from typing import get_args as arguments
from typing import get_origin as origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from pydantic_core import ErrorDetails

Place = tuple[str | int, ...]
"""Where in the data, as pydantic says it: ``("topics", 2, "config", "retention.ms")``."""

Model = TypeVar("Model", bound=BaseModel)

_MAPPING: Final = "must be a mapping: lines of 'key: value'"
_LIST: Final = "must be a list: lines of '- item'"
_WHOLE: Final = "must be a whole number"
_SWITCH: Final = "must be true or false"
_TEXT: Final = "must be text"
_SAID: Final = {
    "bool_parsing": _SWITCH,
    "bool_type": _SWITCH,
    "decimal_parsing": "must be a number",
    "decimal_type": "must be a number",
    "dict_type": _MAPPING,
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "int_type": _WHOLE,
    "list_type": _LIST,
    "model_attributes_type": _MAPPING,
    "model_type": _MAPPING,
    "string_type": _TEXT,
    "too_short": "must not be empty",
    "tuple_type": _LIST,
}
"""Pydantic's errors that say the same whatever was written."""

_TAGS: Final = {"union_tag_invalid", "union_tag_not_found"}


class Complaint(NamedTuple):
    """What is wrong, and where: at a value, or at its key."""

    place: Place
    message: str
    of_key: bool = False


class _Way(NamedTuple):
    """A model that may stand at a place: of which kinds, and whether of the kind written there."""

    kinds: tuple[str, ...] = ()
    ours: bool = True
    model: type[BaseModel] = BaseModel


_ANY: Final = _Way()


def examine(model: type[Model], data: object) -> Model | list[Complaint]:
    """Return plain data as the model, or all that is wrong with it.

    Where a kind is wrong, the rest is held against the likeliest one, so that all is said at once.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found, guessed, near = [], deepcopy(data), set[Place]()
        for item in error.errors(include_url=False):
            found.append(_complaint(item, model, data))
            if item["type"] in _TAGS:
                place = _within(item["loc"], data)
                near |= {place} if _guess(item, model, _at(guessed, place), data) else set()
        if guessed != data:
            found += _seen_later(model, data, guessed, near)
        return list(dict.fromkeys(found))


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return a hint to end a message with, or nothing where no known word is near.

    Example:
        >>> did_you_mean("retention.msec", ["retention.ms", "cleanup.policy"])
        ", did you mean 'retention.ms'?"
        >>> did_you_mean("drop", ["score_drop", "score_slide"])
        ", did you mean 'score_drop'?"
        >>> did_you_mean("colour", ["retention.ms", "cleanup.policy"])
        ''
    """
    near = _nearest(word, known)
    return f", did you mean '{near}'?" if near else ""


def listed(words: Sequence[str], last: str = "or") -> str:
    """Return words as a sentence lists them.

    Example:
        >>> listed(["a", "b", "c"])
        'a, b or c'
    """
    return f" {last} ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def _nearest(word: str, known: Collection[str]) -> str | None:
    near = difflib.get_close_matches(word.lower(), known, n=1)
    if not near and len(word) > 2:
        holding = [
            each for each in known if re.search(rf"(^|_){re.escape(word.lower())}(_|$)", each)
        ]
        near = difflib.get_close_matches(word.lower(), holding, n=1, cutoff=0.0)
    return near[0] if near else None


def _seen_later(
    model: type[BaseModel], data: object, guessed: object, near: Collection[Place]
) -> Iterator[Complaint]:
    """Say what is wrong beside wrong kinds; of keys only where the kind was nearly said."""
    try:
        model.model_validate(guessed)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            whose = item["loc"][:2]
            wrong_kind = _at(data, whose) != _at(guessed, whose)
            if (
                not wrong_kind
                or whose in near
                or item["type"] not in {"missing", "extra_forbidden"}
            ):
                yield _complaint(item, model, guessed)


def _guess(item: ErrorDetails, model: type[BaseModel], part: Any, data: object) -> bool:  # noqa: ANN401
    """Write the likeliest kind into a part; True: it is near what was written."""
    name = item.get("ctx", {}).get("discriminator", "").strip("'")
    if not isinstance(part, dict) or not name:
        return False
    ways = list(_ways(model, _within(item["loc"], data), data))
    kinds = [kind for way in ways for kind in way.kinds]
    near = _nearest(str(part.get(name, "")), kinds)
    fits = max(ways, key=lambda way: len(part.keys() & set(_keys(way.model))))
    part[name] = near or fits.kinds[0]
    return near is not None


def _complaint(item: ErrorDetails, model: type[BaseModel], data: object) -> Complaint:
    place, kind, written = _within(item["loc"], data), item["type"], item["input"]
    name = str(item["loc"][-1]) if item["loc"] else ""
    if kind == "missing":
        return Complaint(place, f"missing key '{name}'")
    if kind == "extra_forbidden":
        what = f"unknown key '{name}'{_belongs(name, model, place, data)}"
        return Complaint(place, what, of_key=True)
    if kind in _TAGS:
        key, part = item["ctx"]["discriminator"].strip("'"), _at(data, place)
        if isinstance(part, dict) and key not in part:
            near = _misspelt(key, part, _ways(model, place, data))
            return Complaint(place, f"missing key '{key}'{near}")
        known = [each for way in _ways(model, place, data) for each in way.kinds]
        word = str(part[key]) if isinstance(part, dict) else ""
        hint = did_you_mean(word, known)
        return Complaint((*place, key), f"{key}: must be one of {', '.join(known)}{hint}")
    what = _words(item, kind, written)
    named = place and isinstance(place[-1], str)
    return Complaint(place, f"{place[-1]}: {what}" if named else what)


def _words(item: ErrorDetails, kind: str, written: object) -> str:
    if kind in {"literal_error", "enum"}:
        expected = item["ctx"]["expected"]
        hint = (
            did_you_mean(written, re.findall(r"'([^']*)'", expected))
            if isinstance(written, str)
            else ""
        )
        return f"must be {expected}{hint}"
    if kind == "string_type" and isinstance(written, (int, float)):
        return f"{_TEXT}: quote it, '{written}'"
    if _SAID.get(kind) == "must be a number" and isinstance(written, str):
        bare = written.rstrip("% ")
        return "must be a number" + (f": without the sign, {bare}" if bare != written else "")
    if kind in {"bool_parsing", "bool_type"} and str(written).lower() in {"yes", "no", "on", "off"}:
        meant = "true" if str(written).lower() in {"yes", "on"} else "false"
        return f"{_SWITCH}{did_you_mean(meant, [meant])}"
    said = item["msg"].removeprefix("Value error, ")
    return _SAID.get(kind) or re.sub(r"^(Input|Decimal input|String|Tuple) should", "must", said)


def _misspelt(name: str, part: object, ways: Iterator[_Way]) -> str:
    """Return the question whether an unknown key is the missing one."""
    known = {key for way in ways for key in _keys(way.model)}
    strays = [key for key in part if key not in known] if isinstance(part, dict) else []
    near = difflib.get_close_matches(name, strays, n=1)
    return f", is '{near[0]}' meant to be it?" if near else ""


def _belongs(name: str, model: type[BaseModel], place: Place, data: object) -> str:
    """Return what to say of an unknown key: whose it is, what is near, or all there are."""
    ways = list(_ways(model, place[:-1], data))
    theirs = [
        kind for way in ways if not way.ours and name in _keys(way.model) for kind in way.kinds
    ]
    own = list(dict.fromkeys(key for way in ways if way.ours for key in _keys(way.model)))
    if theirs:
        return f": only {listed(theirs, 'and')} {'has' if len(theirs) == 1 else 'have'} it"
    return did_you_mean(name, own) or (f": there are {listed(own, 'and')}" if own else "")


def _within(loc: Place, data: Any) -> Place:  # noqa: ANN401 - plain data of any shape
    """Return a place without pydantic's names of union members, the last part as it is."""
    place: Place = ()
    for part in loc:
        in_list = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if in_list or (isinstance(data, dict) and part in data):
            place, data = (*place, part), data[part]
    return place


def _at(data: Any, place: Place) -> Any:  # noqa: ANN401 - plain data of any shape
    for part in place:
        data = data[part]
    return data


def _ways(
    annotation: Any,  # noqa: ANN401 - what annotations are made of
    place: Place,
    data: Any,  # noqa: ANN401
    way: _Way = _ANY,
) -> Iterator[_Way]:
    """Find the models that may stand at a place, whatever kinds are written on the way there."""
    key = ""
    while origin(annotation) is Annotated:
        annotation, *more = arguments(annotation)
        keys = [each.discriminator for each in more if isinstance(each, FieldInfo)]
        key = next((each for each in keys if isinstance(each, str)), key)
    if origin(annotation) in {Union, UnionType}:
        for each in arguments(annotation):
            own = each.model_fields[key].annotation if key else None
            kinds = tuple(str(kind) for kind in arguments(own))
            ours = isinstance(data, dict) and data.get(key) in kinds
            yield from _ways(each, place, data, _Way(kinds, ours) if key else way)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not place:
            yield way._replace(model=annotation)
        for name, field in annotation.model_fields.items() if place else ():
            if place[0] == (field.alias or name):
                yield from _ways(field.annotation, place[1:], data[place[0]], way)
    elif place and annotation is not NoneType:  # list[Model] by index, dict[str, Model] by key
        inner = [each for each in arguments(annotation) if each is not ...]
        yield from _ways(inner[-1], place[1:], data[place[0]], way) if inner else ()


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
