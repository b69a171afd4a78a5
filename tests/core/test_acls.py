"""The ACLs of every role, derived from topics.yaml, and what a principal lacks of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from streams.core.acl_plan import Binding, covers, plan
from streams.core.acls import Acl, Operation, Resource, Role, required
from streams.core.topic_file import ALERTS, RAW, Topics, load

FILE = Path(__file__).parents[2] / "topics.yaml"
AGENTS = {"intake", "scoring", "worker"}
ME = "User:gradewatch"


def topics() -> Topics:
    return load(FILE.read_text(), FILE.name, "one-broker")


def words(role: Role) -> list[str]:
    return [str(each) for each in required(topics(), "gradewatch", role)]


def allow(acl: Acl, principal: str = ME, host: str = "*") -> Binding:
    return Binding(principal, host, allow=True, acl=acl)


def deny(acl: Acl, principal: str = ME, host: str = "*") -> Binding:
    return Binding(principal, host, allow=False, acl=acl)


NEEDED = required(topics(), "gradewatch", Role.WORKER)
ALERT = next(each for each in NEEDED if str(each) == "WRITE on topic grade-alerts")
IDS = NEEDED[-1]


def test_a_worker_reads_and_writes_what_topics_yaml_says_its_agents_do() -> None:
    told = set(words(Role.WORKER))

    for spec in topics().specs:
        entry = spec.entry
        reads = entry.name == RAW or bool(AGENTS & set(entry.readers))
        assert (f"READ on topic {spec.name}" in told) == reads, spec.name
        writes = bool(AGENTS & set(entry.writers))
        assert (f"WRITE on topic {spec.name}" in told) == writes, spec.name


def test_a_worker_needs_the_group_and_ids_that_start_with_its_name() -> None:
    assert words(Role.WORKER)[-2:] == [
        "READ on group gradewatch",
        "WRITE on transactional id gradewatch-*",
    ]
    without = required(topics(), "gradewatch", Role.WORKER, transactions=False)
    assert without == NEEDED[:-1]


def test_an_operator_changes_no_topic_that_is_yours() -> None:
    about_raw = [word for word in words(Role.OPERATOR) if word.endswith(RAW)]

    assert about_raw == [f"DESCRIBE on topic {RAW}", f"DESCRIBE_CONFIGS on topic {RAW}"]
    assert not [word for word in words(Role.OPERATOR) if word.startswith(("WRITE", "DELETE"))]
    joining = [word for word in words(Role.OPERATOR) if word.startswith("READ")]
    assert joining == [], "READ on the group is what joining it takes, under any URL"
    growing = [word for word in words(Role.OPERATOR) if word.startswith("ALTER on topic")]
    assert growing == ["ALTER on topic grade-events-refused"]


def test_readers_read_one_topic_and_their_own_group() -> None:
    assert words(Role.ALERTS) == [
        "READ on topic grade-alerts",
        "READ on topic grade-alerts-state",
    ]
    assert words(Role.POSTED) == ["READ on topic grade-alerts-posted"]
    assert words(Role.REFUSED) == ["READ on topic grade-events-refused"]
    assert words(Role.PRODUCER) == [f"WRITE on topic {RAW}"]
    assert words(Role.ACLS) == ["ALTER on the cluster"]
    mine = required(topics(), "gradewatch", Role.ALERTS, reader_group="pager")
    assert [str(each) for each in mine][2:] == ["READ on group pager"]


def test_a_topic_that_is_only_in_the_file_must_be_seen() -> None:
    extra = replace(topics().specs[1], name="more")
    extra = replace(extra, entry=extra.entry.model_copy(update={"name": "more"}))
    more = required(Topics((*topics().specs, extra)), "gradewatch", Role.WORKER)

    assert [str(each) for each in more if each not in NEEDED] == [
        "DESCRIBE on topic more",
        "DESCRIBE_CONFIGS on topic more",
    ]


@pytest.mark.parametrize("role", Role)
def test_no_acl_of_a_role_is_covered_by_the_others_and_each_says_what_stops(role: Role) -> None:
    needed = required(topics(), "gradewatch", role, reader_group="pager")

    for each in needed:
        assert not [other for other in needed if other != each and covers(other, each)], each
        assert each.why


def test_nothing_granted_everything_missing_and_once_granted_nothing() -> None:
    assert plan(NEEDED, [], ME).missing == tuple(NEEDED)
    done = plan(NEEDED, map(allow, NEEDED), ME)
    assert (done.missing, done.denied, done.beyond) == ((), (), ())


@pytest.mark.parametrize("gone", NEEDED, ids=str)
def test_each_that_is_gone_is_the_one_that_is_missing(gone: Acl) -> None:
    rest = [allow(each) for each in NEEDED if each != gone]

    assert plan(NEEDED, rest, ME).missing == (gone,)


@pytest.mark.parametrize(
    "broader",
    [
        replace(ALERT, name="*"),
        replace(ALERT, name="grade-", prefixed=True),
        replace(ALERT, operation=Operation.ALL),
    ],
    ids=str,
)
def test_what_is_broader_covers_and_is_named_as_beyond(broader: Acl) -> None:
    made = plan([ALERT], [allow(broader)], ME)

    assert made.missing == ()
    assert made.beyond == (allow(broader),)


@pytest.mark.parametrize(
    "other",
    [
        allow(replace(ALERT, operation=Operation.READ)),
        allow(replace(ALERT, name="grade-alerts-", prefixed=True)),
        allow(replace(ALERT, resource=Resource.GROUP)),
        allow(ALERT, principal="User:other"),
        allow(ALERT, host="10.0.0.1"),
    ],
    ids=str,
)
def test_what_is_another_right_covers_nothing(other: Binding) -> None:
    assert plan([ALERT], [other], ME).missing == (ALERT,)


def test_everybodys_rights_are_mine_and_an_address_may_be_named() -> None:
    assert plan([ALERT], [allow(ALERT, "User:*")], ME).missing == ()
    assert plan([ALERT], [allow(ALERT, host="10.0.0.1")], ME, "10.0.0.1").missing == ()


def test_a_literal_id_is_too_few_for_all_ids_that_start_so() -> None:
    assert plan([IDS], [allow(replace(IDS, prefixed=False))], ME).missing == (IDS,)
    assert plan([IDS], [allow(replace(IDS, name="grade"))], ME).missing == ()
    assert plan([IDS], [allow(replace(IDS, name="*", prefixed=False))], ME).missing == ()


@pytest.mark.parametrize(
    "denying",
    [
        deny(ALERT),
        deny(ALERT, "User:*"),
        deny(ALERT, host="10.0.0.1"),
        deny(replace(ALERT, operation=Operation.ALL)),
        deny(replace(ALERT, operation=Operation.DESCRIBE)),
        deny(replace(ALERT, name="grade-", prefixed=True)),
    ],
    ids=str,
)
def test_what_denies_wins(denying: Binding) -> None:
    assert plan([ALERT], [allow(ALERT), denying], ME).denied == ((ALERT, denying),)


@pytest.mark.parametrize(
    "harmless",
    [
        deny(replace(ALERT, operation=Operation.READ)),
        deny(replace(ALERT, name="grade-alerts-2")),
        deny(ALERT, "User:other"),
    ],
    ids=str,
)
def test_what_denies_something_else_is_nothing(harmless: Binding) -> None:
    assert plan([ALERT], [allow(ALERT), harmless], ME).denied == ()


def test_one_id_denied_denies_a_part_of_all_ids() -> None:
    one = deny(replace(IDS, name=f"{IDS.name}scoring", prefixed=False))

    assert plan([IDS], [allow(IDS), one], ME).denied == ((IDS, one),)
    assert ALERTS in str(ALERT)
