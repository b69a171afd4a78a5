"""With exactly the derived ACLs a role works; without any one of them, that one is named."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from streams import acls, admin, rights
from streams.cli.worker import look
from streams.core.acls import Acl, Role, required
from streams.errors import BrokerError, ConfigurationError
from streams.settings import Guarantee, Settings, load, shipped

if TYPE_CHECKING:
    from tests.kafka.conftest import Kafka
    from tests.kafka.secured import SecuredKafka

pytestmark = pytest.mark.kafka


def needed(role: Role, settings: Settings) -> list[Acl]:
    return required(admin.read_topics(settings), settings.group, role, reader_group="pager")


def every(role: Role) -> pytest.MarkDecorator:
    """Run a test for each ACL of a role, by its place."""
    ours = needed(role, load(topics=shipped("topics.yaml")))
    return pytest.mark.parametrize("place", range(len(ours)), ids=list(map(str, ours)))


@pytest.fixture(scope="module")
def applied(secured_kafka: SecuredKafka) -> Settings:
    """Topics of a namespace, applied by the super user; the settings are its own."""
    settings = secured_kafka.settings("admin", namespace=f"t{secrets.token_hex(4)}")
    admin.carry_out(secured_kafka.admin, admin.make_plan(settings, create_external=True))
    return settings


@pytest.fixture(scope="module")
def users(secured_kafka: SecuredKafka, applied: Settings) -> dict[Role, Settings]:
    """A user for each role, with exactly its ACLs; their settings."""
    for role in Role:
        secured_kafka.add_user(role, needed(role, applied))
    return {role: secured_kafka.settings(role, namespace=applied.namespace) for role in Role}


@pytest.mark.parametrize("role", Role)
def test_nothing_is_lacking_with_exactly_its_acls(
    secured_kafka: SecuredKafka, users: dict[Role, Settings], role: Role
) -> None:
    assert rights.lacking(secured_kafka.as_(role), needed(role, users[role])) == []


@every(Role.WORKER)
def test_a_worker_that_lacks_one_does_not_start_and_names_it(
    secured_kafka: SecuredKafka, users: dict[Role, Settings], place: int
) -> None:
    mine = users[Role.WORKER]
    gone = needed(Role.WORKER, mine)[place]
    secured_kafka.revoke(Role.WORKER, gone)
    try:
        with pytest.raises(BrokerError) as told:
            look(mine)
    finally:
        secured_kafka.grant(Role.WORKER, [gone])

    assert f"does not grant worker what a worker needs:\n  {gone}: {gone.why}\n" in str(told.value)
    assert str(told.value).endswith("whoever runs that Kafka adds them")


def test_a_worker_without_transactions_needs_no_transactional_id(
    secured_kafka: SecuredKafka, users: dict[Role, Settings]
) -> None:
    told = {"namespace": users[Role.WORKER].namespace, "guarantee": Guarantee.AT_LEAST_ONCE}
    ids = needed(Role.WORKER, users[Role.WORKER])[-1]
    secured_kafka.revoke(Role.WORKER, ids)
    try:
        assert look(secured_kafka.settings(Role.WORKER, **told)).partitions
    finally:
        secured_kafka.grant(Role.WORKER, [ids])


@every(Role.OPERATOR)
def test_what_an_operator_lacks_is_named(
    secured_kafka: SecuredKafka, users: dict[Role, Settings], place: int
) -> None:
    ours = needed(Role.OPERATOR, users[Role.OPERATOR])
    secured_kafka.revoke(Role.OPERATOR, ours[place])
    try:
        assert rights.lacking(secured_kafka.as_(Role.OPERATOR), ours) == [ours[place]]
    finally:
        secured_kafka.grant(Role.OPERATOR, [ours[place]])


def test_a_kafka_without_an_authorizer_grants_everything(kafka: Kafka, namespace: str) -> None:
    settings = load(kafka_bootstrap_servers=kafka.bootstrap_servers, namespace=namespace)
    admin.carry_out(admin.bootstrap(settings), admin.make_plan(settings, create_external=True))
    ours = [each for role in Role for each in needed(role, settings)]

    assert rights.lacking(admin.bootstrap(settings), ours) == []
    with pytest.raises(ConfigurationError, match="has no authorizer: everybody"):
        acls.observe(admin.bootstrap(settings), "User:worker")
