"""Alerts as CSV that a spreadsheet opens without running anything of it."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS: Final = (
    "alert_id", "tenant", "student_id", "course_id", "severity", "kind", "rule", "state", "reason",
    "before", "after", "change", "size", "threshold", "event_time", "opened_at", "changed_at",
    "summary", "next", "gap_suspected", "grading_period_id", "assignment_id",
)  # fmt: skip
"""Fields of an alert, in the order of the columns."""

WORK: Final = ("state", "note", "by", "at", "wrong")
"""Fields of what people did about it; the columns are called ``work_state`` and so on."""

_RUN: Final = re.compile(r"""(^|[;|\t\r\n])(?=[\s"']*[=+\-@|%＝＋－＠])""")  # noqa: RUF001 - wide ones run, too
"""Where a formula or command may begin: at the start of a cell, and after whatever a spreadsheet of
some locale takes for the end of one (a German one ``;``)."""


def alerts_csv(answer: Mapping[str, Any]) -> str:
    """Return the alerts of an answer as CSV: RFC 4180, with a header.

    A column that no alert has is left out. Every cell is quoted, and ``'`` stands before what a
    spreadsheet of any locale would run.
    """
    alerts = answer["alerts"]
    columns = [name for name in COLUMNS if any(name in alert for alert in alerts)]
    works = [name for name in WORK if any(name in alert.get("work", {}) for alert in alerts)]
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow([*columns, *(f"work_{name}" for name in works)])
    for alert in alerts:
        work = alert.get("work", {})
        cells = [*map(alert.get, columns), *map(work.get, works)]
        writer.writerow([safe(cell) for cell in cells])
    return written.getvalue()


def safe(cell: object) -> str:
    """Return a cell that is text to a spreadsheet, or a number.

    Example:
        >>> safe("=1+1"), safe(" @x"), safe("none"), safe(-14.0), safe(None), safe(True)
        ("'=1+1", "' @x", 'none', '-14.0', '', 'yes')
        >>> safe("x;=cmd|' /C calc'!A0;y")
        "x;'=cmd|' /C calc'!A0;y"
    """
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int | float):
        return repr(cell)
    return _RUN.sub(r"\1'", str(cell))
