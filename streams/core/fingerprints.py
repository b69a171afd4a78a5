"""What alerts are known by: keyed hashes of content, the same for the same and no way back."""

from __future__ import annotations

from hashlib import blake2b
from itertools import product
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.core.rows import Row
    from streams.core.transitions import Who

VIEWS: Final = ("posted", "unposted")

_encoder: Final = msgspec.json.Encoder()


def keyed(key: bytes, *content: str | None) -> str:
    """Return 32 hex digits that depend on content and key alone.

    Args:
        key: 16 to 64 bytes. A plain hash of small student numbers could be turned back by trying
            them all.
        *content: What is to be known by them.
    """
    return blake2b(_encoder.encode(content), key=key, digest_size=16).hexdigest()


def fingerprint(
    key: bytes, who: Who, rule: str, view: str, subject: str | None, *, posted: bool
) -> str:
    """Return what every alert of one rule about one subject has in common.

    Args:
        key: 16 to 64 bytes.
        who: The student, and the course.
        rule: The rule's id.
        view: posted | unposted.
        subject: The grading period or assignment; None: the course.
        posted: Whether it is the version for whoever may know posted facts alone.
    """
    audience = ["posted"] if posted else []
    return keyed(key, who.tenant, rule, who.student_id, who.course_id, view, subject, *audience)


def possible(key: bytes, rules: Iterable[str], who: Who, row: Row) -> set[str]:
    """Return the fingerprints of every alert that rules may have written about a row.

    Args:
        key: 16 to 64 bytes.
        rules: Their ids.
        who: Whose row.
        row: It knows which grading periods and assignments there were lately.
    """
    subjects: set[str | None] = {None, *row.period_overrides}
    subjects.update(change.assignment_id for change in row.grade_changes)
    for track in (row.posted, row.staff):
        for episodes in (track.episodes, track.told):
            subjects.update(episode.subject for episode in episodes.values())
    return {
        fingerprint(key, who, rule, view, subject, posted=posted)
        for rule, view, subject, posted in product(rules, VIEWS, subjects, (True, False))
    }
