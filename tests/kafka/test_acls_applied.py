"""ACLs planned and applied on a secured Kafka, and what each role's commands do with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ResourcePattern,
    ResourceType,
)

from streams import acls, admin
from streams.cli import cli
from streams.connection import client
from streams.core.acls import Acl, Operation, Resource, Role, required
from streams.errors import GradewatchError
from streams.kafka_settings import environment_name

if TYPE_CHECKING:
    from tests.kafka.secured import SecuredKafka

pytestmark = pytest.mark.kafka


class Shell:
    """The command line of one user, in one namespace."""

    def __init__(self, secured: SecuredKafka, user: str, namespace: str) -> None:
        self.settings = secured.settings(user, namespace=namespace)
        told: dict[str, Any] = {**secured.scram(user), "namespace": namespace}
        self._runner = CliRunner(
            env={environment_name(name): str(value) for name, value in told.items()}
        )

    def run(self, line: str) -> Result:
        return self._runner.invoke(cli, line.split(), standalone_mode=False)

    def done(self, line: str, code: int = 0) -> str:
        result = self.run(line)
        assert result.exception is None, (line, result.output, str(result.exception))
        assert (result.return_value or 0) == code, (line, result.output)
        return result.output

    def refused(self, line: str) -> str:
        """Return the error that a command ends with."""
        result = self.run(line)
        assert isinstance(result.exception, GradewatchError), (result.output, result.exception)
        return str(result.exception)


@pytest.fixture
def boss(secured_kafka: SecuredKafka, namespace: str) -> Shell:
    """The super user's command line."""
    return Shell(secured_kafka, "admin", namespace)


@pytest.fixture
def user(secured_kafka: SecuredKafka, namespace: str) -> Shell:
    """The command line of a user with no right at all, who is called as the namespace."""
    secured_kafka.add_user(namespace)
    return Shell(secured_kafka, namespace, namespace)


def create(boss: Shell) -> None:
    """The topics are there, the raw one too."""
    plan = admin.make_plan(boss.settings, create_external=True)
    admin.carry_out(admin.bootstrap(boss.settings), plan)


def test_a_plan_is_carried_out_and_then_nothing_is_missing(boss: Shell, namespace: str) -> None:
    who = f"--principal User:{namespace} --role worker"

    planned = boss.done(f"topics acls plan {who}", code=2)
    assert planned.endswith("changes: 30 to add, 0 denied\n")
    assert f"+ allow User:{namespace} WRITE on topic {namespace}-grade-alerts\n" in planned
    assert "add --yes" in boss.refused(f"topics acls apply {who}")
    assert "done: 30 added" in boss.done(f"topics acls apply --yes {who}")
    assert boss.done(f"topics acls plan {who}") == "no change: 0 to add, 0 denied\n"
    assert boss.done(f"topics acls apply {who}") == "no change: 0 to add, 0 denied\n"


def test_what_is_beyond_stays_and_what_is_denied_blocks(
    secured_kafka: SecuredKafka, boss: Shell, namespace: str
) -> None:
    who = f"--principal User:{namespace} --role alerts"
    topic = f"{namespace}-grade-alerts"
    more = Acl(Resource.TOPIC, topic, prefixed=False, operation=Operation.DELETE)
    secured_kafka.grant(namespace, [more])
    with client(secured_kafka.admin) as asked:
        what = ResourcePattern(ResourceType.TOPIC, topic)
        denying = (f"User:{namespace}", "10.0.0.1", ACLOperation.READ, ACLPermissionType.DENY)
        asked.create_acls([ACL(*denying, what)])

    told = json.loads(boss.done(f"topics acls plan {who} --format json", code=1))
    assert told["beyond"] == [f"ALLOW User:{namespace} {more}"]
    assert [each["by"] for each in told["denied"]] == [
        f"DENY User:{namespace} READ on topic {topic} from 10.0.0.1"
    ]
    assert "remove it first" in boss.refused(f"topics acls apply --yes {who}")
    assert {each.acl for each in acls.observe(secured_kafka.admin, f"User:{namespace}")} == {
        more,
        Acl(Resource.TOPIC, topic, prefixed=False, operation=Operation.READ),
    }


def test_one_who_may_not_see_acls_is_told_so_and_the_role_acls_may(
    secured_kafka: SecuredKafka, user: Shell, namespace: str
) -> None:
    who = f"--principal User:{namespace} --role alerts"

    assert "ALTER, which adding needs" in user.refused(f"topics acls plan {who}")
    secured_kafka.grant(namespace, needed(user, Role.ACLS))
    assert "done: 2 added" in user.done(f"topics acls apply --yes {who}")


def test_an_operator_plans_and_applies_topics_and_looks_at_workers(
    secured_kafka: SecuredKafka, boss: Shell, user: Shell, namespace: str
) -> None:
    create(boss)
    with client(secured_kafka.admin) as asked:
        asked.delete_topics([f"{namespace}-grade-alerts"])
    ours = needed(user, Role.OPERATOR)
    secured_kafka.grant(namespace, ours)
    about = {(each.operation, each.name): each for each in ours}

    for lost, command in [
        (about[Operation.CREATE, f"{namespace}-grade-alerts"], "topics apply --yes"),
        (about[Operation.DESCRIBE, f"{namespace}-grade-events"], "topics plan"),
        (about[Operation.DESCRIBE_CONFIGS, f"{namespace}-canvas-live-events"], "topics plan"),
        (about[Operation.DESCRIBE, f"{namespace}-gradewatch"], "workers list"),
    ]:
        secured_kafka.revoke(namespace, lost)
        said = user.refused(command)
        assert f"{lost} is not granted to us" in said
        assert "next: have it granted: gradewatch topics acls print" in said
        secured_kafka.grant(namespace, [lost])

    assert f"+ create {namespace}-grade-alerts" in user.done("topics apply --yes")
    assert "no change" in user.done("topics plan")
    assert "0 workers" in user.done("workers list")


def test_readers_and_producers_do_no_more_than_that(
    secured_kafka: SecuredKafka, boss: Shell, user: Shell, namespace: str
) -> None:
    create(boss)
    tail = "alerts tail --from-beginning --exit-when-idle"
    simulate = "events simulate --events 20"

    assert f"DESCRIBE on topic {namespace}-grade-alerts is not granted" in user.refused(tail)
    assert "is not granted to us" in user.refused("events refused list")
    assert f"WRITE on topic {namespace}-canvas-live-events is not" in user.refused(simulate)

    secured_kafka.grant(namespace, needed(user, Role.ALERTS))
    assert user.done(tail) == ""
    secured_kafka.grant(namespace, needed(user, Role.REFUSED))
    assert "0 of 0 refused events" in user.done("events refused list")
    secured_kafka.grant(namespace, needed(user, Role.PRODUCER))
    assert f"20 events to {namespace}-canvas-live-events" in user.done(simulate)


def needed(user: Shell, role: Role) -> list[Acl]:
    return required(admin.read_topics(user.settings), user.settings.group, role)
