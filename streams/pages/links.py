"""Where pages lead: to each other, and into Canvas."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping


@lru_cache(maxsize=8192)
def page(*parts: object, **query: object) -> str:
    """Return the path of a page with its query; None is left out.

    Example:
        >>> page("students", "48", tenant="a b", sort=None)
        '/students/48?tenant=a+b'
        >>> page("alerts", "../x")
        '/alerts/..%2Fx'
    """
    path = "/" + "/".join(quote(str(part), safe="") for part in parts)
    return _with(path, {name: value for name, value in query.items() if value not in {None, ""}})


def changed(path: str, query: Mapping[str, str], **changes: object) -> str:
    """Return the path with a query that differs; a change to None takes a parameter away.

    Example:
        >>> changed("/alerts", {"kind": "score_drop", "cursor": "x"}, cursor=None, sort="size")
        '/alerts?kind=score_drop&sort=size'
    """
    merged: dict[str, object] = {**query, **changes}
    return _with(path, {name: value for name, value in merged.items() if value not in {None, ""}})


class Canvas:
    """Links into Canvas; none where its address is not set."""

    def __init__(self, url: str | None) -> None:
        """Remember where Canvas is; only http and https lead anywhere."""
        is_web = url is not None and url.startswith(("https://", "http://"))
        self._url = url.rstrip("/") if url is not None and is_web else None

    def grades(self, of: Mapping[str, Any]) -> str | None:
        """Return where Canvas shows a student's grades in a course."""
        if self._url is None or not of.get("student_id") or not of.get("course_id"):
            return None
        return f"{self._url}{page('courses', of['course_id'], 'grades', of['student_id'])}"

    def student(self, student_id: str) -> str | None:
        """Return where Canvas shows who a student is."""
        return self._url and f"{self._url}{page('users', student_id)}"

    def course(self, course_id: str) -> str | None:
        """Return where Canvas shows a course."""
        return self._url and f"{self._url}{page('courses', course_id)}"


def _with(path: str, query: Mapping[str, object]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
