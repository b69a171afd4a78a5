"""Golden timelines: what happens, told as people would, and what must be told of it, by hand.

Each file is a list of timelines: ``name``, ``rules`` (the rules of a rules file, as its text),
``grace`` (0s unless given), ``later`` (name → other rules, switched to by a step), ``log``, and the
transitions expected: ``both`` audiences alike, or ``staff`` and ``posted``; ``operator`` apart.
Times count from Monday, 2026-02-02, 00:00 UTC: ``1d12h``, ``90m``, ``2h0.001s``; ``_`` is null.

Steps, in the order of arrival:

* ``1h score 90>78``: old and new ``current_score``; ``final 90>70`` and ``unposted 90>60`` unless
  they move likewise; ``deleted``.
* ``1h override _>95``, ``period 3``, ``section 45``, ``grader 12``.
* ``1h grade 4/5>1/5``: points and points possible; ``assignment 2``, ``muted``,
  ``grader automatic``.
* All three: ``student 49``, ``course 7``, ``account 80``, ``updated 2h``.
* ``2h clock``: a watermark; ``2h clock 1/3``: of the second of three raw partitions;
  ``2h clock 0/3 topic other``: of another raw topic; ``2h clock heard a=1h,b=2h``: it says when
  tenants were heard of last.
* ``2h rules stricter``: a switch to other rules.

Transitions: ``1h drop-10 opened warning 90>78 size 12``: time, rule, transition, reason (only where
the transition has several), and what else is to be checked: severity, before and after, ``size``,
``seq``, ``since`` (pending), ``opened``, ``view``, ``period``, ``assignment``, ``student``,
``course``, ``tenant``; ``told 3``: the third step brought it about. ``gap`` where a gap is
suspected.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML

from streams.core import rules as core_rules
from tests.living_logs import identified, moment, numbered, rules_record, watermark
from tests.oracle.reading import canonical as read
from tests.scenarios import a_course_grade_change, a_grade_change, an_override, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.oracle.living import Record

Fields = dict[str, Any]

FOLDER: Final = Path(__file__).parent
UNITS: Final = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
ALONE: Final = {"deleted", "muted", "gap"}
"""Words that stand for themselves; all others are followed by what they say."""

REASONS: Final = {
    "opened": "threshold_reached",
    "recovering": "recovered",
    "relapsed": "relapsed",
}
SEVERITIES: Final = {"info", "warning", "critical"}
NAMES: Final = {
    "since": "pending_since",
    "opened": "opened_at",
    "period": "grading_period_id",
    "assignment": "assignment_id",
    "student": "student_id",
    "course": "course_id",
}
"""Word of an expected transition → the alert's field."""


@dataclass(frozen=True)
class Step:
    """One thing that happens.

    Attributes:
        at: When, as Canvas says; of a control record, what it says.
        value: The record on ``grade-events``.
        raw: What Canvas sent; None of a control record.
    """

    at: str
    value: Fields
    raw: bytes | None = None


@dataclass(frozen=True)
class Timeline:
    """One timeline.

    Attributes:
        rules: The set in force at first.
        later: Name → the sets switched to.
        steps: What happens, in the order of arrival.
        staff: Fields that the transitions told to staff must have, in order.
        posted: The same of ``grade-alerts-posted``.
        operator: The same of alerts about feeds.
    """

    name: str
    rules: core_rules.Rules
    later: dict[str, core_rules.Rules]
    steps: Sequence[Step]
    staff: Sequence[Fields]
    posted: Sequence[Fields]
    operator: Sequence[Fields]

    @property
    def records(self) -> list[Record]:
        """The log, the rules that are in force at first before it: offset 0."""
        first = rules_record(json.loads(self.rules.canonical()))
        return numbered([first, *(step.value for step in self.steps)])

    def expected(self, audience: str) -> Sequence[Fields]:
        """Return what must be told to ``staff``, ``posted`` or ``operator``."""
        told = {"staff": self.staff, "posted": self.posted, "operator": self.operator}
        return told[audience]


@cache
def timelines() -> list[Timeline]:
    """Return all golden timelines, file by file."""
    yaml = YAML(typ="safe", pure=True)
    files: list[list[Fields]] = [yaml.load(path) for path in sorted(FOLDER.glob("*.yaml"))]
    return [_timeline(told) for file in files for told in file]


def found(expected: Sequence[Fields], told: Sequence[Fields]) -> list[Fields]:
    """Return of what was told the fields that are expected, so that both compare.

    Args:
        expected: Of one audience.
        told: Fields of the alerts told to it, in order, with ``at``, when the transition was, and
            ``offset``, which record brought it about.
    """
    blank = dict.fromkeys(["at", "rule", "transition", "reason"])
    wanted = [*expected, *[blank] * len(told)]
    return [
        {key: one.get(key, False if key == "gap_suspected" else None) for key in keys}
        for keys, one in zip(wanted, told, strict=False)
    ]


def seconds(written: str) -> float:
    """Return a time as seconds.

    Example:
        >>> seconds("1d12h"), seconds("2h0.001s")
        (129600.0, 7200.001)
    """
    parts = re.findall(r"([0-9.]+)([dhms])", written)
    assert parts, f"{written} is no time"
    assert "".join(map("".join, parts)) == written, f"{written} is no time"
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def _timeline(told: Fields) -> Timeline:
    grace = told.get("grace", "0s")
    later = {name: _rules(text, grace) for name, text in told.get("later", {}).items()}
    both: list[str] = told.get("both", [])
    staff, posted = (
        [_expected(line) for line in told.get(audience, both)] for audience in ("staff", "posted")
    )
    steps = [_step(line, later) for line in told["log"]]
    operator = [_expected(line) for line in told.get("operator", [])]
    first = _rules(told["rules"], grace)
    return Timeline(told["name"], first, later, steps, staff, posted, operator)


@cache
def _rules(text: str, grace: str) -> core_rules.Rules:
    indented = "\n".join(f"  {line}" for line in text.splitlines())
    return core_rules.load(f"grace: {grace}\nrules:\n{indented}\n", "timeline")


def _words(words: list[str]) -> Iterator[tuple[str, str]]:
    rest = iter(words)
    for word in rest:
        yield word, "" if word in ALONE else next(rest)


def _pair(written: str) -> tuple[float | None, float | None]:
    old, new = (None if side == "_" else float(side) for side in written.split(">"))
    return old, new


def _step(line: str, later: dict[str, core_rules.Rules]) -> Step:
    when, what, *words = line.split()
    at = moment(seconds(when))
    if what == "clock":
        source, _, sources = (words.pop(0) if len(words) % 2 else "0/1").partition("/")
        said = dict(_words(words))
        topic = {"topic": said["topic"]} if "topic" in said else {}
        mark = watermark(at, int(source), int(sources), **topic)
        return Step(at, mark | _heard(said["heard"]) if "heard" in said else mark)
    if what == "rules":
        return Step(at, rules_record(json.loads(later[words[0]].canonical()), at))
    said = dict(_words([what, *words]))
    who: Fields = {name: said[name] for name in ("student", "course", "account") if name in said}
    who["at"] = at
    if "updated" in said:
        who["updated_at"] = moment(seconds(said["updated"]))
    return _event(said, who)


def _heard(written: str) -> Fields:
    pairs = (one.split("=") for one in written.split(","))
    return {"heard": {tenant: moment(seconds(when)) for tenant, when in pairs}}


def _event(said: dict[str, str], who: Fields) -> Step:
    grader = said.get("grader", "987")
    if "score" in said:
        pairs = {name: _pair(said[name]) for name in ("score", "final", "unposted") if name in said}
        hidden = pairs.get("unposted")
        raw = a_course_grade_change(
            **who, current=pairs["score"], final=pairs.get("final"), unposted_current=hidden,
            unposted_final=hidden, state="deleted" if "deleted" in said else "active",
        )  # fmt: skip
    elif "override" in said:
        raw = an_override(
            **who, score=_pair(said["override"]), period=said.get("period"),
            enrollment=said.get("section", "44"),
        )  # fmt: skip
    else:
        old, new = (side.split("/") for side in said["grade"].split(">"))
        points, possible = (
            _pair(f"{before}>{after}") for before, after in zip(old, new, strict=True)
        )
        raw = a_grade_change(
            **who, score=points, points_possible=possible,
            assignment=said.get("assignment", "1"), muted="muted" in said,
        )  # fmt: skip
    raw = _graded_by(raw, grader)
    value = read(raw, milliseconds(who["at"]))
    assert isinstance(value, dict), value
    if "override" in said:
        value |= {"grader_id": grader}
    return Step(who["at"], identified(value), raw)


def _graded_by(raw: bytes, grader: str) -> bytes:
    """Return a teacher's event as another grader's; -1 is what Canvas calls automatic."""
    event = json.loads(raw)
    if "grader_id" in event["body"]:
        event["body"]["grader_id"] = "-1" if grader == "automatic" else grader
    elif "user_id" in event["metadata"]:
        event["metadata"]["user_id"] = grader
    return json.dumps(event, separators=(",", ":")).encode()


def _expected(line: str) -> Fields:
    when, rule, transition, *words = line.split()
    fields: Fields = {"at": moment(seconds(when)), "rule": rule, "transition": transition}
    fields["reason"] = REASONS[transition] if transition in REASONS else words.pop(0)
    fields["gap_suspected"] = False
    for word in [word for word in words if ">" in word]:
        fields["before"], fields["after"] = _pair(word)
    for word in [word for word in words if word in SEVERITIES]:
        fields["severity"] = word
    plain = [word for word in words if ">" not in word and word not in SEVERITIES]
    for word, said in _words(plain):
        if word == "gap":
            fields["gap_suspected"] = True
        elif word == "size":
            fields["size"] = float(said)
        elif word in ("seq", "told"):
            fields["offset" if word == "told" else word] = int(said)
        else:
            is_time = word in ("since", "opened")
            fields[NAMES.get(word, word)] = moment(seconds(said)) if is_time else said
    return fields
