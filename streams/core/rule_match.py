"""Whom a rule is about: tenants, accounts and courses, and who graded."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from streams.core.complaints import did_you_mean
from streams.core.events import TENANT_LENGTH
from streams.core.rule_parts import Part

_TEXT_ID: Final = rf"\S{{1,{TENANT_LENGTH}}}"


def _text_id(written: object) -> str:
    if isinstance(written, int) and not isinstance(written, bool):
        written = str(written)  # all its digits: YAML numbers with leading zeros are refused
    if not isinstance(written, str) or not re.fullmatch(_TEXT_ID, written):
        raise ValueError("must be an id, such as 565 or '565'")
    return written


def _canvas_id(written: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,18}", written):
        raise ValueError(f"'{written}' must be Canvas's own id, digits; SIS ids are not known here")
    return written


def _grader(written: str) -> str:
    if written != AUTOMATIC and not re.fullmatch(r"[1-9][0-9]{0,18}", written):
        hint = did_you_mean(written, [AUTOMATIC])
        raise ValueError(f"'{written}' must be a user's Canvas id, or {AUTOMATIC}{hint}")
    return written


AUTOMATIC: Final = "automatic"
"""The grader where Canvas graded by itself."""

_ID_SCHEMA: Final = {
    "anyOf": [{"type": "string", "pattern": f"^{_TEXT_ID}$"}, {"type": "integer", "minimum": 1}]
}
_Id = Annotated[str, BeforeValidator(_text_id), WithJsonSchema(_ID_SCHEMA)]
_CanvasId = Annotated[_Id, AfterValidator(_canvas_id)]
_Grader = Annotated[_Id, AfterValidator(_grader)]


def _some(ids: tuple[str, ...]) -> tuple[str, ...]:
    if not ids:
        raise ValueError("names no id: at least one must be there")
    return ids


# Not pydantic's min_length: it counts the good ones, and so complains twice of one bad id.
_One = TypeVar("_One")
_Some = Annotated[tuple[_One, ...], AfterValidator(_some), Field(json_schema_extra={"minItems": 1})]


def _says_one_thing(schema: dict[str, Any]) -> None:
    schema.update(minProperties=1, maxProperties=1)


class Ids(Part):
    """Which ids: only some, or all but some. Canonical (local) ones, as the web views show them."""

    model_config = ConfigDict(json_schema_extra=_says_one_thing)

    in_: _Some[_Id] | None = Field(default=None, alias="in")
    out: _Some[_Id] | None = None

    def take(self, one: str | None) -> bool:
        """Tell whether an id is one of them.

        Example:
            >>> Ids(out=["991"]).take("565"), Ids(**{"in": ["991"]}).take("565")
            (True, False)
        """
        if self.in_ is not None and one not in self.in_:
            return False
        return self.out is None or one not in self.out

    @model_validator(mode="before")
    @classmethod
    def _a_list(cls, written: object) -> object:
        if isinstance(written, (list, str, int)):
            raise ValueError("must say which way: in: [ids], or out: [ids]")  # noqa: TRY004
        return written

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.in_ is None) == (self.out is None):
            raise ValueError("say either in: [ids], or out: [ids]")
        return self


class CanvasIds(Ids):
    """Which ids of Canvas: only some, or all but some."""

    in_: _Some[_CanvasId] | None = Field(default=None, alias="in")
    out: _Some[_CanvasId] | None = None


class Graders(Ids):
    """Who graded: only these, or all but these; ids, or ``automatic``."""

    in_: _Some[_Grader] | None = Field(default=None, alias="in")
    out: _Some[_Grader] | None = None


class TenantMatch(Part):
    """Which tenants a rule is about; what is not said matches all."""

    tenants: Ids | None = None


class Match(TenantMatch):
    """Whom a rule is about; what is not said matches all."""

    accounts: CanvasIds | None = None
    courses: CanvasIds | None = None


class GradedMatch(Match):
    """The same, and who graded: ids, or ``automatic``."""

    graders: Graders | None = None
