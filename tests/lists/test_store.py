"""A list is what sorting and filtering all records would give, page by page, for whoever asks."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from streams.access.roles import ANYBODY_HERE, Person, Role
from streams.core.actions import Action, Work, encode
from streams.core.instants import instant
from streams.lists import held as records
from streams.lists.query import BadQueryError, parse
from tests.lists.alerts import T, a_feed, a_record, taken

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.lists.store import Alerts

SERVICE = Person("bi", Role.SERVICE)
ADA = Person("ada", Role.ADVISOR, T, students=frozenset({"48", "50"}))


def ids(alerts: Alerts, person: Person = SERVICE, **asked: str) -> list[str]:
    """Return the ids of a list, all its pages."""
    found, more = list[str](), asked
    while True:
        page = alerts.find(parse(more), person)
        found += [item["alert_id"] for item in page.items]
        if page.next_cursor is None:
            return found
        more = asked | {"cursor": page.next_cursor}


def a_crowd(count: int = 1_000, seed: int = 7) -> list[dict[str, Any]]:
    draw = random.Random(seed)  # noqa: S311 - a test
    return [
        a_record(
            number,
            audience=draw.choice(["staff", "posted"]),
            severity=draw.choice(["info", "warning", "critical"]),
            state=draw.choice(["firing", "resolved"]),
            student_id=str(draw.randrange(40, 60)),
            course_id=str(draw.randrange(560, 570)),
            rule=draw.choice(["a", "b"]),
            size=draw.choice([None, 5.0, 10.0, 30.5]),
            opened_at=instant(1_770_000_000_000 + 1000 * draw.randrange(50)),
        )
        for number in range(count)
    ]


LOUD = {"critical": 3, "warning": 2, "info": 1}
ORDERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "severity": lambda one: -LOUD[one["severity"]],
    "recent": lambda _: 0,
    "size": lambda one: float("inf") if one["size"] is None else -one["size"],
}


@pytest.mark.parametrize("sort", list(ORDERS))
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"state": "firing"},
        {"severity": "critical", "rule": "a"},
        {"student_id": "48"},
        {"student_id": "48", "course_id": "565"},
        {"course_id": "21070000000000565"},
        {"since": "2026-02-02T02:40:20Z"},
        {"tenant": "another"},
    ],
)
def test_a_list_is_what_sorting_and_filtering_gives(sort: str, asked: dict[str, str]) -> None:
    crowd = a_crowd()
    alerts = taken(*crowd)

    def is_asked_for(one: dict[str, Any]) -> bool:
        since = asked.get("since", "").replace("Z", ".000Z")
        plain = asked | {"course_id": asked["course_id"][-3:]} if "course_id" in asked else asked
        return one["changed_at"] >= since and all(
            one[name] == value for name, value in plain.items() if name != "since"
        )

    expected = [one for one in crowd if one["audience"] == "staff" and is_asked_for(one)]
    expected.sort(key=lambda one: one["fingerprint"])
    expected.sort(key=lambda one: one["opened_at"], reverse=True)
    expected.sort(key=ORDERS[sort])
    assert ids(alerts, SERVICE, **asked | {"sort": sort, "limit": "7"}) == [
        one["alert_id"] for one in expected
    ]
    assert alerts.find(parse(asked), SERVICE).total == len(expected)
    assert expected or "tenant" in asked


def test_who_sees_few_students_is_shown_theirs_alone_and_counted_them() -> None:
    crowd = a_crowd()
    page = taken(*crowd).find(parse({"limit": "500"}), ADA)

    mine = {
        one["alert_id"]
        for one in crowd
        if one["audience"] == "posted" and one["student_id"] in {"48", "50"}
    }
    assert {item["alert_id"] for item in page.items} == mine
    assert page.total == len(mine) > 0
    assert ids(taken(*crowd), ADA._replace(students=frozenset())) == []


def test_a_later_record_replaces_the_earlier_and_an_index_forgets_what_is_gone() -> None:
    alerts = taken(a_record(1, audience="staff"))
    taken(a_record(1, audience="staff", seq=2, state="resolved", severity="info"), alerts=alerts)

    assert ids(alerts, state="firing") == []
    assert ids(alerts, state="resolved") == ["a1"]
    held = alerts.one("a1", SERVICE)
    assert held is not None
    assert sorted(held.steps) == [1, 2]

    taken(a_record(1, audience="staff", alert_id="b1"), alerts=alerts)
    assert alerts.one("a1", SERVICE) is None  # another alert of the same rule and student
    assert ids(alerts) == ["b1"]
    later = alerts.one("b1", SERVICE)
    assert later is not None
    assert sorted(later.steps) == [1]

    alerts.take_alert(b"f1", None, 0, 3)
    assert (len(alerts), ids(alerts), ids(alerts, student_id="48")) == (0, [], [])


def test_what_was_done_counts_for_the_alert_it_names() -> None:
    alerts = taken(a_record(1, audience="staff"), a_record(2, audience="staff"))
    done = Action(
        fingerprint="f1", alert_id="a1", tenant=T, student_id="48", course_id="565",
        state=Work.CONTACTED, note="Wrote.", by="ada", at="2026-02-03T00:00:00.000Z",
    )  # fmt: skip
    alerts.take_action(b"f1", encode(done), 0, 0)

    assert ids(alerts, work="contacted") == ["a1"]
    assert ids(alerts, work="new") == ["a2"]
    [shown] = alerts.find(parse({"work": "contacted"}), SERVICE).items
    assert shown["work"] == {
        "state": "contacted", "note": "Wrote.", "wrong": False, "by": "ada", "at": done.at,
    }  # fmt: skip
    taken(a_record(1, audience="staff", alert_id="b1"), alerts=alerts)
    assert ids(alerts, work="contacted") == []

    alerts.take_action(b"f1", None, 0, 1)
    alerts.take_action(b"f2", encode(msgspec.structs.replace(done, alert_id="a2")), 0, 2)
    assert ids(alerts, work="contacted") == ["a2"]
    alerts.forget_before({}, {0: 3})
    assert ids(alerts, work="contacted") == []


def test_what_kafka_has_deleted_is_forgotten() -> None:
    alerts = taken(*[a_record(number, audience="staff") for number in range(5)])

    assert alerts.forget_before({0: 3}, {}) == 3
    assert sorted(ids(alerts)) == ["a3", "a4"]


def test_who_comes_back_is_given_what_changed_meanwhile_once_each() -> None:
    alerts = taken(a_record(1), a_record(2))
    positions = dict(alerts.positions)
    taken(a_record(1, seq=2), a_record(1, seq=3), alerts=alerts)
    taken(a_record(9), alerts=alerts, partition=3)

    changed = [(one.listed.alert_id, one.listed.seq) for one in alerts.after(positions)]
    assert changed == [("a1", 3), ("a9", 1)]
    assert list(alerts.after(alerts.positions)) == []


def test_a_record_that_is_no_alert_changes_nothing() -> None:
    alerts = taken(a_record(1))

    for value in (b"{}", b"\xff", b'{"alert_id": 1}', msgspec.json.encode(a_record(3))):
        with pytest.raises((ValueError, msgspec.MsgspecError)):
            alerts.take_alert(b"f1", value, 0, 1)
    assert len(alerts) == 1


def test_feeds_are_for_who_operates_and_are_in_nobodys_student_list() -> None:
    alerts = taken(a_feed(1), a_record(2))
    operator = Person("op", Role.OPERATOR, T)

    assert ids(alerts, operator) == ["a1"]
    assert ids(alerts, operator._replace(tenant="another")) == []
    assert ids(alerts, ADA) == ["a2"]
    assert ids(alerts, ANYBODY_HERE) == ["a1"]


def test_open_alerts_of_a_student_and_of_a_course() -> None:
    alerts = taken(
        a_record(1, course_id="1"), a_record(2, severity="critical", course_id="2"),
        a_record(3, state="resolved"), a_record(4, student_id="49", course_id="2"),
        a_record(5, tenant="another"),
    )  # fmt: skip

    def found(student: str | None, course: str | None) -> list[str]:
        return [one["alert_id"] for one in alerts.open_of(T, ADA, student, course)]

    assert found("48", None) == ["a2", "a1"]
    assert found("48", "2") == ["a2"]
    assert found(None, "2") == ["a2"]
    assert found("999", None) == found(None, "999") == []


def test_deep_lists_are_counted_so_far_and_can_be_turned_to_their_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.lists.store.COUNTED", 10)
    alerts = taken(*[a_record(number, audience="staff") for number in range(35)])

    page = alerts.find(parse({"limit": "5"}), SERVICE)
    assert (page.total, page.more) == (10, True)
    assert len(ids(alerts, limit="4")) == 35


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("query", {"colour": "red"}),
        ("state", {"state": "open"}),
        ("kind", {"kind": "x"}),
        ("work", {"work": "x"}),
        ("sort", {"sort": "x"}),
        ("limit", {"limit": "0"}),
        ("limit", {"limit": "501"}),
        ("limit", {"limit": "²"}),
        ("since", {"since": "yesterday"}),
        ("student_id", {"student_id": "-1"}),
        ("cursor", {"cursor": "%%%"}),
        ("cursor", {"cursor": "W10"}),
        ("rule", {"rule": "x" * 256}),
    ],
)
def test_what_makes_no_sense_is_named(field: str, asked: dict[str, str]) -> None:
    with pytest.raises(BadQueryError) as told:
        parse(asked)

    assert told.value.field == field


def test_a_cursor_of_another_order_is_refused() -> None:
    alerts = taken(a_record(1, audience="staff"), a_record(2, audience="staff"))
    cursor = alerts.find(parse({"limit": "1"}), SERVICE).next_cursor

    with pytest.raises(BadQueryError):
        parse({"cursor": str(cursor), "sort": "size"})


def test_an_item_leaves_out_what_one_alert_is_asked_for() -> None:
    held = taken(a_record(1, audience="staff")).one("a1", SERVICE)

    assert held is not None
    assert not {"evidence", "inputs"} & set(records.item(held))
    assert records.item(held)["late"] is False
