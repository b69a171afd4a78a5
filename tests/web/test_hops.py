"""A request between workers is signed for one receiver and one request, once, for 30 seconds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from streams.access.roles import Person, Role
from streams.core.keys import Use, derive
from streams.security.membership import plain, proven, with_proof
from streams.web.hops import HEADER, LIFE_SECONDS, BadHopError, Hops, what
from tests.access.files import ID_KEY
from tests.web.served import audited, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.web.served import Client, Here

KEY = derive(ID_KEY.encode(), Use.PEERS)
ADA = Person("ada", Role.ADVISOR)
STUDENT, POINTS = "/api/v1/students/48", "/api/v1/points"
US, NOW = "http://us:1", 1_770_000_000
ASKED = what("GET", STUDENT, [("tenant", "t")], b"")


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[tuple[Here, Client]]:
    with served(tmp_path, web_rate=2) as (worker, client, _):
        yield worker, client


def signed(
    worker: Here,
    person: Person = ADA,
    path: str = STUDENT,
    *,
    method: str = "GET",
    body: bytes = b"",
) -> str:
    """Return what another worker sends along with a request."""
    request = what(method, path, [], body)
    return Hops(KEY, "other", "http://other:1").signed(person, worker.url, request)


def asked(client: Client, header: str, path: str = STUDENT, **more: Any) -> tuple[int, Any]:  # noqa: ANN401
    answer = client.ask(path, X_Gradewatch_Hop=header, **more)
    return answer.status, json.loads(answer.text)


def test_a_request_is_opened_by_whom_it_is_for_and_once() -> None:
    us, other = Hops(KEY, "us", US), Hops(KEY, "other", "http://other:1")
    header = other.signed(ADA, US, ASKED, NOW)
    hop = us.opened(header, ASKED, NOW + LIFE_SECONDS)

    assert (hop.sender, hop.person, hop.role) == ("other", "ada", "advisor")
    with pytest.raises(BadHopError):
        us.opened(header, ASKED, NOW)


@pytest.mark.parametrize("late", [-LIFE_SECONDS - 1, LIFE_SECONDS + 1])
def test_a_request_of_another_time_is_refused(late: int) -> None:
    header = Hops(KEY, "other", "http://other:1").signed(ADA, US, ASKED, NOW)

    with pytest.raises(BadHopError):
        Hops(KEY, "us", US).opened(header, ASKED, NOW + late)


@pytest.mark.parametrize(
    "other",
    [
        what("POST", STUDENT, [("tenant", "t")], b""),
        what("GET", "/api/v1/students/49", [("tenant", "t")], b""),
        what("GET", STUDENT, [("tenant", "u")], b""),
        what("GET", STUDENT, [], b""),
        what("GET", STUDENT, [("tenant", "t")], b"{}"),
    ],
)
def test_a_signature_is_for_one_request_alone(other: Any) -> None:  # noqa: ANN401
    header = Hops(KEY, "other", "http://other:1").signed(ADA, US, ASKED, NOW)

    with pytest.raises(BadHopError):
        Hops(KEY, "us", US).opened(header, other, NOW)


def test_a_signature_is_for_one_receiver_and_of_one_key() -> None:
    header = Hops(KEY, "other", "http://other:1").signed(ADA, US, ASKED, NOW)

    with pytest.raises(BadHopError):
        Hops(KEY, "third", "http://third:1").opened(header, ASKED, NOW)
    with pytest.raises(BadHopError):
        Hops(derive(b"sixteen other bytes", Use.PEERS), "us", US).opened(header, ASKED, NOW)


def test_a_header_changed_anywhere_is_refused() -> None:
    header = Hops(KEY, "other", "http://other:1").signed(ADA, US, ASKED, NOW)
    us = Hops(KEY, "us", US)

    for at, before in enumerate(header):
        changed = header[:at] + ("A" if before != "A" else "B") + header[at + 1 :]
        with pytest.raises(BadHopError):
            us.opened(changed, ASKED, NOW)


def test_old_requests_are_forgotten_and_no_more_are_taken_than_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.web.hops.REMEMBERED", 2)
    us, other = Hops(KEY, "us", US), Hops(KEY, "other", "http://other:1")
    for _ in range(2):
        us.opened(other.signed(ADA, US, ASKED, NOW), ASKED, NOW)
    with pytest.raises(BadHopError):
        us.opened(other.signed(ADA, US, ASKED, NOW), ASKED, NOW)
    later = NOW + 3 * LIFE_SECONDS
    us.opened(other.signed(ADA, US, ASKED, later), ASKED, later)


def test_only_who_has_the_key_proves_a_url() -> None:
    joined = with_proof("http://10.0.0.5:6066/", KEY)

    assert proven(joined, KEY) == plain(joined) == "http://10.0.0.5:6066"
    assert proven(joined.replace("5:", "6:"), KEY) is None
    assert proven("http://10.0.0.5:6066", KEY) is None
    assert proven(joined, derive(b"sixteen other bytes", Use.PEERS)) is None
    assert proven("http://10.0.0.5:6066#\u00ff\udcff", KEY) is None


def test_the_receiver_looks_the_person_up_itself(serving: tuple[Here, Client]) -> None:
    worker, client = serving

    status, student = asked(client, signed(worker))
    assert status == 200
    assert student["student_id"] == "48"
    assert "alerts" not in student["courses"][0], "whoever asked adds them"
    assert "unposted_current_score" not in student["courses"][0], "advisors are not shown it"
    elsewhere = "/api/v1/students/49"
    assert asked(client, signed(worker, path=elsewhere), elsewhere)[0] == 404
    for nobody in (
        Person("ada", Role.SERVICE), Person("eve", Role.ADVISOR), Person("local", Role.LOCAL),
        Person("service", Role.SERVICE),
    ):  # fmt: skip
        assert asked(client, signed(worker, nobody))[0] == 401


def test_hops_are_audited_as_hops_and_not_counted_twice(serving: tuple[Here, Client]) -> None:
    worker, client = serving
    for _ in range(10):
        assert asked(client, signed(worker))[0] == 200
    header = signed(worker)
    statuses = [asked(client, header)[0] for _ in range(12)]
    assert statuses[:2] == [200, 401]
    assert statuses[-1] == 429, "what is not rightly signed is counted like a wrong token"

    told = [(one.who, one.role, one.via, one.outcome) for one in audited(worker)]
    assert told[:11] == [("ada", "advisor", "other", "allowed")] * 11
    assert told[11] == ("anonymous", "", "", "unauthorized")


@pytest.mark.parametrize("header", ["", "\xff", ".", "e30=.00", "x" * 4000, "a-constant"])
def test_no_header_leads_past_the_gate(serving: tuple[Here, Client], header: str) -> None:
    """A token does not help: who sends such a header is no person with a browser."""
    worker, client = serving

    assert asked(client, header, who="etl")[0] == 401
    assert [one.outcome for one in audited(worker)] == ["unauthorized"]


def test_a_body_is_signed_too(serving: tuple[Here, Client]) -> None:
    worker, client = serving
    body = b'{"alerts": []}'
    header = signed(worker, path=POINTS, method="POST", body=body)

    assert asked(client, header, POINTS, method="POST", body='{"alerts": ["0"]}')[0] == 401
    assert asked(client, header, POINTS, method="POST", body=body.decode())[0] == 200
    assert HEADER == "X-Gradewatch-Hop"
