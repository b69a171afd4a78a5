"""``gradewatch topics acls print`` needs no cluster, and says the same in three ways."""

from __future__ import annotations

import json
import shlex

import pytest
from click.testing import CliRunner, Result

from streams.cli.acls import acls
from streams.core.acls import Role


def shown(*arguments: str, **environment: str) -> Result:
    done = CliRunner(env=environment).invoke(acls, ["print", *arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    return done


@pytest.mark.parametrize("role", Role)
def test_every_role_is_shown_alike_in_every_format(role: Role) -> None:
    lines = shown("--role", str(role)).output.splitlines()
    told = json.loads(shown("--role", str(role), "--format", "json").output)
    commands = shown("--role", str(role), "--format", "kafka-acls").output.splitlines()

    assert len(lines) == len(told["acls"]) == sum(one.count("--operation") for one in commands)
    for line, acl in zip(lines, told["acls"], strict=True):
        assert line.startswith(f"{acl['operation']} on ")
        assert line.endswith(f"without: {acl['without']}")


def test_commands_name_principal_host_servers_and_pattern() -> None:
    chosen = ["--principal", "User:a b", "--host", "10.0.0.7"]
    told = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9093", "GRADEWATCH_NAMESPACE": "east"}
    commands = shown("--role", "worker", *chosen, "--format", "kafka-acls", **told).output

    words = [shlex.split(line) for line in commands.splitlines()]
    start = ["kafka-acls.sh", "--bootstrap-server", "127.0.0.1:9093", "--command-config",
             "admin.properties", "--add", "--allow-principal", "User:a b", "--allow-host",
             "10.0.0.7", "--operation"]  # fmt: skip
    assert {tuple(each[: len(start)]) for each in words} == {tuple(start)}
    ids = ["Write", "--transactional-id", "east-gradewatch-", "--resource-pattern-type", "prefixed"]
    assert words[-1][len(start) :] == ids


def test_what_one_role_includes_is_not_asked_for_twice() -> None:
    both = shown("--role", "operator", "--role", "worker").output

    assert "READ on topic grade-events " in both
    assert "DESCRIBE on topic grade-events " not in both


def test_at_least_once_needs_no_transactional_ids() -> None:
    told = {"GRADEWATCH_GUARANTEE": "at_least_once"}

    assert "transactional id" not in shown("--role", "worker", **told).output


def test_a_principal_without_its_kind_is_refused() -> None:
    done = CliRunner().invoke(acls, ["plan", "--principal", "gradewatch", "--role", "worker"])

    assert done.exit_code == 2
    assert "not a principal such as User:gradewatch" in done.output
