"""``gradewatch alerts explain`` and ``why-not``: alerts, and silence, looked into."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import click

from streams import admin, settings
from streams.cli.stored import at_offsets, every
from streams.core.alerts import OPERATOR, Place
from streams.core.events import student_key
from streams.core.replay import Replay
from streams.core.ruleset import NO_RULES
from streams.engine.routing import partition_of
from streams.errors import NotFoundError
from streams.trust.explain import as_data, evidence, folded, read_alert, rules_of, show, verdict
from streams.trust.why_not import history, why_not

if TYPE_CHECKING:
    from streams.core.alerts import Alert, Told
    from streams.core.clauses import Clause
    from streams.security import Kafka
    from streams.settings import Settings

_format = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")


@click.command()
@click.argument("alert_id")
@click.option(
    "--audience", type=click.Choice(["staff", "posted"]), default="staff", show_default=True
)
@click.option("--from-log", is_flag=True, help="Also play the log from its beginning.")
@_format
def explain(alert_id: str, audience: str, form: str, *, from_log: bool) -> None:
    """Show what an alert rests on, and judge it again.

    Each of its steps: whether the records it names are still what they were, and each clause of the
    rule that was in force, with the values it looked at. --from-log plays what stands on
    grade-events of the student, of an alert about a feed all watermarks: it gives the same bytes.

    Exit codes: 0 it is right, 1 it is not, or there is no such alert, 69 Kafka unavailable,
    78 configuration.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    steps = asyncio.run(_explained(settings.load(), alert_id, audience, from_log=from_log))
    right = all(one.holds for _, found in steps for one in found)
    if form == "json":
        told = [{"step": heading, "clauses": as_data(found)} for heading, found in steps]
        click.echo(json.dumps({"alert_id": alert_id, "right": right, "steps": told}))
    else:
        for heading, found in steps:
            click.echo(f"{heading}\n{show(found)}")
        click.echo("as it should be" if right else "NOT as it should be")
    if not right:
        click.get_current_context().exit(1)


async def _explained(
    chosen: Settings, alert_id: str, audience: str, *, from_log: bool
) -> list[tuple[str, list[Clause]]]:
    kafka = admin.bootstrap(chosen)
    topic = chosen.topic("grade-alerts" if audience == "staff" else "grade-alerts-posted")
    wanted = alert_id.encode()
    written = [
        record.value async for record in every(kafka, topic) if wanted in (record.value or b"")
    ]
    steps = [(value, one) for value in written if (one := _alert(value)) is not None]
    steps = [(value, one) for value, one in steps if one.alert_id == alert_id]
    if not steps:
        raise NotFoundError(
            f"no alert {alert_id} on {topic}",
            "gradewatch alerts tail --format json --from-beginning shows those that are kept",
        )
    explained = [(_heading(one), await _step(chosen, kafka, one)) for _, one in steps]
    if from_log:
        first = steps[0][1]
        place = first.evidence[0]
        # No event has a tenant's key: of an alert about a feed, only control records are played.
        student, tenant = first.student_id, first.tenant
        key = student_key(tenant, student) if student else tenant.encode()
        told, _ = await _played(chosen, kafka, place.partition, key)
        found = folded(told, alert_id, [value for value, _ in steps])
        explained.append(("from the log", found))
    return explained


def _alert(value: bytes) -> Alert | None:
    try:
        return read_alert(value)
    except ValueError:
        return None


def _heading(alert: Alert) -> str:
    where = f"student {alert.student_id} course {alert.course_id}"
    if alert.audience == OPERATOR:
        where = f"tenant {alert.tenant}"
    return (
        f"{alert.seq}. {alert.transition} ({alert.reason}) at {alert.changed_at}: rule {alert.rule}"
        f", {where}, rules {alert.rules_hash}"
    )


async def _step(chosen: Settings, kafka: Kafka, alert: Alert) -> list[Clause]:
    places = {(one.topic, one.partition, one.offset) for one in alert.evidence}
    records = {place[2]: value for place, value in (await at_offsets(kafka, places)).items()}
    found = evidence(alert, records)
    topic = chosen.topic("grade-rules")
    sets = [(one.key or b"", one.value or b"") async for one in every(kafka, topic)]
    rules = rules_of(sets, alert.rules_hash)
    if rules is None:
        raise NotFoundError(
            f"{topic} does not hold the rules {alert.rules_hash}, or others under that hash",
            "the alert cannot be judged again; gradewatch rules check says a file's hash",
        )
    return [*found, *verdict(alert, rules)]


async def _played(
    chosen: Settings, kafka: Kafka, partition: int, key: bytes
) -> tuple[list[Told], tuple[Replay, list[bytes]]]:
    """Play what a partition says of a student, and of nobody, from its beginning.

    Returns:
        What was told, and the player with the records that it played.
    """
    topic = chosen.topic("grade-events")
    place = Place(topic, "", partition)
    replay = Replay(NO_RULES.rules, chosen.read_id_key(), place)
    told: list[Told] = []
    values: list[bytes] = []
    async for record in every(kafka, topic, partition):
        if record.key in {None, key}:
            outcome = replay.step(record.value, record.offset, record.timestamp)
            told += outcome.told
            if outcome.refusal is None:
                values.append(record.value or b"")
    return told, (replay, values)


@click.command(name="why-not")
@click.option("--student", required=True, help="Canonical (local) id, as the web views show it.")
@click.option("--course", required=True, help="The same.")
@click.option("--tenant", help="Whose student, where several tenants have one of that id.")
@click.option("--rule", "only", help="Only this rule.")
@_format
def why_not_(student: str, course: str, tenant: str | None, only: str | None, form: str) -> None:
    """Show why rules do not alert: each clause by the latest event that the rule could be about.

    The student's log is played from its beginning, with the rules that are in force at its end.

    Exit codes: 0 shown, 1 nothing is known of them, or no such rule, 69 Kafka unavailable,
    78 configuration.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    chosen = settings.load()
    answers = asyncio.run(_why_not(chosen, tenant, student, course, only))
    if form == "json":
        click.echo(json.dumps(answers))
        return
    for answer in answers:
        about = f", by the {answer['event']} of {answer['event_time']}" if answer["event"] else ""
        click.echo(f"rule {answer['rule']}{about}")
        for clause in answer["clauses"]:
            click.echo(f"  {'✔' if clause['holds'] else '✘'} {clause['text']}")


async def _why_not(
    chosen: Settings, tenant: str | None, student: str, course: str, only: str | None
) -> list[dict[str, Any]]:
    kafka = admin.bootstrap(chosen)
    topic = chosen.topic("grade-events")
    key = student_key(tenant, student) if tenant else await _key_of(kafka, topic, student)
    count = await asyncio.to_thread(admin.partition_count, kafka, topic)
    _, (replay, values) = await _played(chosen, kafka, partition_of(key, max(count, 1)), key)
    known = history(values, replay, key, course)
    if not known.events:
        raise NotFoundError(
            f"no event of student {student} in course {course}",
            "check the ids; where several tenants have such a student, name one with --tenant",
        )
    rules = [rule for rule in known.rules.students if only in {None, rule.id}]
    if not rules:
        raise NotFoundError(
            f"no rule {only} about students in force" if only else "no rules are in force yet",
            "start a worker: it announces its rules file",
        )
    answers = [why_not(known, rule) for rule in rules]
    return [
        {
            "rule": one.rule,
            "event": one.event and one.event.__struct_config__.tag,
            "event_time": one.event and one.event.event_time,
            "clauses": as_data(one.found),
        }
        for one in answers
    ]


async def _key_of(kafka: Kafka, topic: str, student: str) -> bytes:
    """Return the key of the one student of that id.

    Raises:
        NotFoundError: There is none, or several tenants have one.
    """
    keys: set[bytes] = {
        record.key async for record in every(kafka, topic) if record.key is not None
    }
    found = sorted(key for key in keys if key.rpartition(b":")[2] == student.encode())
    if len(found) != 1:
        tenants = ", ".join(key.rpartition(b":")[0].decode() for key in found)
        raise NotFoundError(
            f"{tenants} have a student {student} each" if found else f"no student {student}",
            "name one with --tenant" if found else "check the id: the local one, without a shard",
        )
    return found[0]
