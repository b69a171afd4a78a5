"""Answers made into pages: everything shown is escaped, and what an answer lacks is not there."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from streams.pages import charts, linked, links, words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HOME: Final = "/alerts?state=firing"
"""Where people begin: the alerts that are open."""

NOTE_LENGTH: Final = 1000
"""Characters of a note, at most."""

FILTERS: Final = {
    "state": words.STATES,
    "severity": words.SEVERITIES,
    "work": words.WORK,
    "kind": words.KINDS,
}
"""Parameter of the work list → what may be chosen, with its word."""

_COLUMNS: Final = {
    "student": "student_id",
    "current": "current_score",
    "final": "final_score",
    "unposted": "unposted_current_score",
    "override": "override_score",
    "gap": "gap",
    "alerts": "loud",
}
"""How a roster may be sorted → by which field."""

_LOUDNESS: Final = {"critical": 3, "warning": 2, "info": 1}

_NOBODY: Final[Mapping[str, Any]] = {"name": "", "role": "", "rights": []}


def alerts(
    answer: Mapping[str, Any],
    query: Mapping[str, str],
    me: Mapping[str, Any],
    canvas_url: str | None = None,
) -> str:
    """Return the work list.

    Args:
        answer: Of ``/api/v1/alerts``, with points where sparklines are wanted.
        query: The page's own, as asked for: filters, ``sort``, ``cursor``.
        me: The answer of ``/api/v1/me``.
        canvas_url: Where Canvas is; None: no links into it.
    """
    asked = {name: value for name, value in query.items() if value}
    filters = {name: value for name, value in asked.items() if name not in {"sort", "cursor"}}
    return _render(
        "alerts.html", me, canvas_url, answer=answer, query=asked, filters=filters,
        choices=FILTERS, kinds_here={alert["kind"] for alert in answer["alerts"]},
    )  # fmt: skip


def why(answer: Mapping[str, Any], me: Mapping[str, Any], canvas_url: str | None = None) -> str:
    """Return what an alert rests on, and the form that says what was done about it.

    Args:
        answer: Of ``/api/v1/alerts/{alert_id}``.
        me: The answer of ``/api/v1/me``.
        canvas_url: Where Canvas is; None: no links into it.
    """
    evidence = answer.get("evidence") or []
    causes = [each for each in evidence if each["event"] == "grade_change"]
    return _render(
        "why.html", me, canvas_url, alert=answer, causes=causes, note_length=NOTE_LENGTH,
        threshold=charts.threshold_score(answer),
    )  # fmt: skip


def student(answer: Mapping[str, Any], me: Mapping[str, Any], canvas_url: str | None = None) -> str:
    """Return a student's courses, those with the loudest alerts first.

    Args:
        answer: Of ``/api/v1/students/{student_id}``.
        me: The answer of ``/api/v1/me``.
        canvas_url: Where Canvas is; None: no links into it.
    """
    rows = sorted(answer["courses"], key=lambda row: (-_loudest(row), int(row["course_id"])))
    days = charts.span(rows)
    shown = [(row, charts.course_chart(row, days)) for row in rows]
    return _render("student.html", me, canvas_url, answer=answer, rows=shown)


def course(
    answer: Mapping[str, Any],
    me: Mapping[str, Any],
    query: Mapping[str, str] | None = None,
    canvas_url: str | None = None,
) -> str:
    """Return a course: how its scores are distributed, and its roster.

    Args:
        answer: Of ``/api/v1/courses/{course_id}``.
        me: The answer of ``/api/v1/me``.
        query: The page's own: ``sort`` is a column of the roster, with ``-`` the greatest first.
        canvas_url: Where Canvas is; None: no links into it.
    """
    rows = [dict(row) | {"gap": _gap(row), "loud": _loudest(row)} for row in answer["students"]]
    asked = (query or {}).get("sort", "")
    sort = asked if asked.lstrip("-") in _COLUMNS else "-alerts"
    scores = [row["current_score"] for row in rows if row.get("current_score") is not None]
    columns = [
        name for name, field in _COLUMNS.items() if any(row.get(field) is not None for row in rows)
    ]
    return _render(
        "course.html", me, canvas_url, answer=answer, rows=_sorted(rows, sort), sort=sort,
        columns=columns, query=dict(query or {}), scores=scores, bars=charts.histogram(scores),
        middle=_middle(scores),
    )  # fmt: skip


def operations(
    status: Mapping[str, Any],
    refused: Mapping[str, Any],
    rules: Mapping[str, Any],
    me: Mapping[str, Any],
) -> str:
    """Return how the flow does: no scores.

    Args:
        status: The answer of ``/api/v1/status``.
        refused: Of ``/api/v1/refused``.
        rules: Of ``/api/v1/rules``.
        me: Of ``/api/v1/me``.
    """
    return _render("operations.html", me, None, status=status, refused=refused, rules=rules)


def sign_in(problem: str | None = None) -> str:
    """Return the page that asks for a token.

    Args:
        problem: Why the last one did not do.
    """
    return _render("sign_in.html", None, None, problem=problem)


def problem(status: int, title: str, what_to_do: str, me: Mapping[str, Any] | None = None) -> str:
    """Return the page in place of one that cannot be shown.

    Args:
        status: The HTTP status.
        title: What is wrong.
        what_to_do: What helps.
        me: The answer of ``/api/v1/me``; None: nobody has signed in.
    """
    return _render("problem.html", me, None, status=status, title=title, what_to_do=what_to_do)


class _Answers(Environment):
    """Looks for a key before an attribute: answers are dicts, and a list asks 25,000 times."""

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401 - Jinja's own
        """Return a part of an answer."""
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = _Answers(
        loader=PackageLoader("streams.pages"),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {
        "day": words.day, "clock": words.clock, "moment": words.moment, "readable": words.readable,
        "number": words.number, "count_of": words.count, "size": words.size,
        "sentence": words.sentence,
    }  # fmt: skip
    made.globals |= {
        "asset": linked.url, "word": words.word, "words": words, "page": links.page,
        "changed": links.changed, "spark": charts.spark, "CHART": charts.CHART,
        "SPARK": charts.SPARK, "row": _row, "FEW": charts.FEW, "HOME": HOME, "unit": words.unit,
    }  # fmt: skip
    return made


ROWS: Final = 4096
"""Rows of work lists that are kept as they were made, some 5 MB: lists are read again and again."""


@lru_cache(maxsize=ROWS)
def _made_row(alert: bytes, shown: tuple[bool, ...]) -> str:
    row: Callable[..., str] = _environment().get_template("parts.html").module.row  # type: ignore[attr-defined]
    return row(msgspec.json.decode(alert), *shown)


def _row(alert: Mapping[str, Any], *shown: bool) -> str:
    """Return a row of the work list; all that it depends on is what it is kept under."""
    return _made_row(msgspec.json.encode(alert), shown)


def _render(
    template: str, me: Mapping[str, Any] | None, canvas_url: str | None, **shown: object
) -> str:
    return (
        _environment()
        .get_template(template)
        .render(me=me or _NOBODY, canvas=links.Canvas(canvas_url), **shown)
    )


def _loudest(row: Mapping[str, Any]) -> int:
    return max((_LOUDNESS.get(each["severity"], 0) for each in row.get("alerts") or ()), default=0)


def _gap(row: Mapping[str, Any]) -> float | None:
    """Return how far an override is from the final score, where both are shown."""
    override, final = row.get("override_score"), row.get("final_score")
    return None if override is None or final is None else round(override - final, 4)


def _sorted(rows: Sequence[dict[str, Any]], sort: str) -> list[dict[str, Any]]:
    """Return rows by a column; those that have nothing in it last."""
    field = _COLUMNS[sort.lstrip("-")]
    rows = sorted(rows, key=lambda row: int(row["student_id"]))
    have = [row for row in rows if row.get(field) is not None]
    rest = [row for row in rows if row.get(field) is None]

    def value(row: dict[str, Any]) -> float:
        return abs(row[field]) if field == "gap" else float(row[field])

    if field != "student_id":
        have.sort(key=value, reverse=sort.startswith("-"))
    elif sort.startswith("-"):
        have.reverse()
    return [*have, *rest]


def _middle(scores: Sequence[float]) -> float | None:
    """Return the median."""
    if not scores:
        return None
    ordered, half = sorted(scores), len(scores) // 2
    if len(ordered) % 2:
        return ordered[half]
    return round((ordered[half - 1] + ordered[half]) / 2, 4)
