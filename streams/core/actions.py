"""What people did about an alert, as ``grade-alert-actions`` holds it.

An action counts for the alert that it names: a later one of the same fingerprint is new again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from streams.core.events import Instant

NOTE_LENGTH: Final = 1_000
"""Characters of a note, at most."""


class Work(StrEnum):
    """How far somebody has come with an alert."""

    NEW = "new"
    SEEN = "seen"
    CONTACTED = "contacted"
    CLOSED = "closed"


class Action(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """All that was done about one alert, as of the latest change."""

    fingerprint: str
    alert_id: str
    tenant: str
    student_id: str | None = None  # None, as the course, of an alert about a feed
    course_id: str | None = None
    state: Work = Work.NEW
    note: str = ""
    wrong: bool = False  # somebody says that the alert is wrong: for whoever tunes the rules
    by: str  # a name in the access file
    at: Instant


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Action)


def encode(action: Action) -> bytes:
    """Return the action's value on its topic."""
    return _encoder.encode(action)


def decode(value: bytes) -> Action:
    """Return the action that ``encode`` wrote.

    Raises:
        msgspec.MsgspecError: It is none.

    Example:
        >>> told = Action(fingerprint="f", alert_id="a", tenant="t", by="ada", at="2026-02-03")
        >>> decode(encode(told)) == told
        True
    """
    return _decoder.decode(value)
