"""Whoever listens is told of each change that is theirs, and after a break of all there were."""

from __future__ import annotations

import json
import re
import time
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import pytest

from streams.access import people
from streams.lists import news
from streams.lists.news import EACH
from streams.web.stream import _Ids
from tests.access.files import ID_KEY, TOKENS, everybody
from tests.web.served import audited, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.web.served import Here

Serving = tuple["Here", "Path", list[dict[str, Any]]]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    with served(tmp_path) as (worker, _, alerts):
        yield worker, tmp_path, alerts


@contextmanager
def listening(worker: Here, who: str, query: str = "", since: str = "") -> Iterator[HTTPResponse]:
    """Give an open stream, its beginning read."""
    connection = HTTPConnection(urlsplit(worker.url).netloc, timeout=10)
    headers = {"Authorization": f"Bearer {TOKENS[who]}"}
    if since:
        headers["Last-Event-ID"] = since
    connection.request("GET", f"/api/v1/alerts/stream{query}", headers=headers)
    try:
        yield connection.getresponse()
    finally:
        connection.close()


def told(stream: HTTPResponse, until: bytes) -> tuple[list[dict[str, Any]], str]:
    """Return the alerts before a line, and the last id."""
    alerts, last = list[dict[str, Any]](), ""
    for line in iter(stream.readline, b""):
        if line.startswith(b"data: "):
            alerts.append(json.loads(line[6:]))
        if line.startswith(b"id: "):
            last = line[4:].decode().strip()
        if line.startswith(until):
            return alerts, last or stream.readline()[4:].decode().strip()
    return alerts, last


def happens(worker: Here, alert: dict[str, Any], **changed: Any) -> None:  # noqa: ANN401
    """An alert's next step is read by the lists, in the loop of the web server."""
    value = msgspec.json.encode(alert | {"seq": alert["seq"] + 1} | changed)
    offset = worker.alerts.positions[0] + 1

    def take() -> None:
        held = worker.alerts.take_alert(alert["fingerprint"].encode(), value, 0, offset)
        assert held is not None
        worker.follower.news.tell(held)

    worker.loop.call_soon_threadsafe(take)


def positions(event_id: str) -> dict[int, int] | None:
    return _Ids(ID_KEY.encode()).positions(event_id)


def test_an_id_tells_nothing_of_others_and_is_known_to_every_worker(serving: Serving) -> None:
    worker, _, _ = serving
    ids = list[str]()
    for offset in (1, 10**12):
        worker.alerts.positions[0] = offset
        with listening(worker, "stu") as stream:
            ids.append(told(stream, b"retry: ")[1])
    assert [positions(one) for one in ids] == [{0: 1}, {0: 10**12}]
    assert len(ids[0]) == len(ids[1])
    assert not any(str(10**12) in one for one in ids)
    assert re.fullmatch(r"[\w=-]+", ids[0])


def mine(alerts: list[dict[str, Any]], course: str = "565") -> dict[str, Any]:
    """Return the posted drop of student 48, whom ada advises."""
    return next(
        one for one in alerts
        if (one["student_id"], one["course_id"], one["audience"]) == ("48", course, "posted")
    )  # fmt: skip


def test_a_change_is_told_as_it_comes_to_whom_it_is_for(serving: Serving) -> None:
    worker, _, alerts = serving
    theirs = next(one for one in alerts if one["student_id"] == "49")
    with listening(worker, "ada") as stream:
        told(stream, b"retry: ")
        assert [(one.who, one.outcome) for one in audited(worker)] == [("ada", "allowed")]
        happens(worker, theirs, transition="updated")
        happens(worker, mine(alerts, "7"), severity="critical")
        [alert], last = told(stream, b"id: ")

    assert (alert["alert_id"], alert["severity"]) == (mine(alerts, "7")["alert_id"], "critical")
    assert alert["work"] == {"state": "new"}
    assert positions(last) == worker.alerts.positions


def test_who_comes_back_is_told_what_changed_meanwhile_and_nothing_else(serving: Serving) -> None:
    worker, _, alerts = serving
    with listening(worker, "ada") as stream:
        _, last = told(stream, b"retry: ")
    assert positions(last) == {0: len(alerts) - 1}
    for number in (2, 3):
        value = msgspec.json.encode(mine(alerts) | {"seq": number})
        worker.alerts.take_alert(mine(alerts)["fingerprint"].encode(), value, 0, 100 + number)
    with listening(worker, "ada", since=last) as stream:
        missed, now = told(stream, b"retry: ")
    assert [(one["alert_id"], one["seq"]) for one in missed] == [(mine(alerts)["alert_id"], 3)]
    assert positions(now) == {0: 103}


def test_filters_of_the_list_are_filters_of_the_stream(serving: Serving) -> None:
    worker, _, alerts = serving
    with listening(worker, "ada", "?course_id=565&kind=score_drop&state=firing") as stream:
        told(stream, b"retry: ")
        happens(worker, mine(alerts, "7"))
        happens(worker, mine(alerts, "565"))
        assert [one["course_id"] for one in told(stream, b"id: ")[0]] == ["565"]


@pytest.mark.parametrize("query", ["?limit=5", "?sort=size", "?cursor=x", "?work=new", "?kind=x"])
def test_what_makes_no_sense_of_a_stream_is_refused(serving: Serving, query: str) -> None:
    with listening(serving[0], "ada", query) as answer:
        assert answer.status == 400
    with listening(serving[0], "ada", since="yesterday") as answer:
        assert answer.status == 400


def test_who_is_revoked_hears_no_more(serving: Serving) -> None:
    worker, folder, _ = serving
    with listening(worker, "ada") as stream:
        told(stream, b"retry: ")
        gone = everybody()
        others = tuple(one for one in gone.people if one.name != "ada")
        people.save(folder / "access.json", gone.model_copy(update={"people": others}))
        assert told(stream, b"never") == ([], "")  # it ends


def test_more_than_may_listen_are_sent_away_and_places_become_free(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "LISTENERS", 5)
    worker = serving[0]
    with ExitStack() as stack:
        for who in ("ada", "ines", "stu", "etl", "lone"):
            told(stack.enter_context(listening(worker, who)), b"retry: ")
        with listening(worker, "ops") as answer:
            assert (answer.status, answer.getheader("Retry-After")) == (503, "30")
            assert json.loads(answer.read())["error"]["code"] == "too_many_listeners"
    await_nobody(worker)
    with listening(worker, "ops") as answer:
        assert answer.status == 200


def test_one_person_takes_no_other_persons_place(serving: Serving) -> None:
    worker = serving[0]
    with ExitStack() as stack:
        for _ in range(EACH):
            told(stack.enter_context(listening(worker, "stu")), b"retry: ")
        with listening(worker, "stu") as answer:
            assert (answer.status, answer.getheader("Retry-After")) == (429, "30")
            assert json.loads(answer.read())["error"]["code"] == "too_many_streams"
        told(stack.enter_context(listening(worker, "ada")), b"retry: ")
    await_nobody(worker)
    with listening(worker, "stu") as answer:
        assert answer.status == 200


def await_nobody(worker: Here) -> None:
    deadline = time.monotonic() + 20
    while len(worker.follower.news):
        assert time.monotonic() < deadline
        time.sleep(0.05)
