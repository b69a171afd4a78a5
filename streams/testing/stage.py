"""One namespace on a broker: its topics made, and removed again with its group."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from streams import admin, group
from streams.connection import DEADLINE, client
from streams.core.topic_file import RAW
from streams.core.topics import Create
from streams.errors import BrokerError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from streams.security import Kafka
    from streams.settings import Settings


_POLL_SECONDS: Final = 0.05


class Stage(NamedTuple):
    """A namespace with its topics.

    Attributes:
        settings: What a worker on it is told.
        kafka: Where its broker is, and how to get in.
        topics: Name in topics.yaml → name on the broker.
        partitions: Name in topics.yaml → how many.
    """

    settings: Settings
    kafka: Kafka
    topics: Mapping[str, str]
    partitions: Mapping[str, int]


@contextmanager
def staged(settings: Settings) -> Iterator[Stage]:
    """The topics of a namespace are there, Canvas's too, all of them new; afterwards they are gone.

    So is the group of the workers. Nothing else is ever deleted: a namespace that has a topic
    already is refused.

    Args:
        settings: Which file, which cluster, which namespace.

    Raises:
        ConfigurationError: There is no namespace, or it is not new, or topics.yaml is wrong.
        TopicMismatchError: The cluster cannot have such topics.
        BrokerError: Kafka does not answer in time, or refuses.
    """
    if not settings.namespace:  # whose topics would be real ones
        raise ConfigurationError(
            "tests need a namespace of their own, and this one is empty",
            "let gradewatch_namespace return lower-case letters, digits and hyphens",
        )
    kafka = admin.bootstrap(settings)
    plan = admin.make_plan(settings, create_external=True)
    names = {_own(settings, spec.name): spec.name for spec in admin.read_topics(settings).specs}
    new = [change.topic for change in plan.changes if isinstance(change, Create)]
    if there := sorted({*names.values()} - {*new} - {each.topic for each in plan.blocked}):
        raise ConfigurationError(
            f"the namespace {settings.namespace} is not new, it has {', '.join(there)}",
            "do without a gradewatch_namespace of your own, or delete those topics first",
        )
    try:
        admin.carry_out(kafka, plan)
        found = admin.observe(kafka, new).topics
        counts = {own: found[name].partitions for own, name in names.items()}
        yield Stage(settings, kafka, names, counts)
    finally:
        _remove(settings, kafka, new)


def _own(settings: Settings, name: str) -> str:
    """Return what topics.yaml calls a topic."""
    if name == settings.topic(settings.raw_topic):
        return RAW
    return name.removeprefix(settings.topic(""))


def _remove(settings: Settings, kafka: Kafka, topics: Collection[str]) -> None:
    """Neither the topics nor the group of the workers are there; their ids Kafka forgets itself.

    Raises:
        GradewatchError: A worker of the group still runs.
        BrokerError: Kafka does not answer in time, or refuses.
    """
    with client(kafka) as found:
        made = {*topics} & {*found.list_topics()}  # a plan that failed made only some
        if made:
            found.delete_topics(sorted(made))
        deadline = time.monotonic() + DEADLINE
        while made & {*found.list_topics()}:
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"Kafka at {kafka} took the deletion of {min(made)}, but still shows it",
                    "look at the log of your Kafka",
                )
            time.sleep(_POLL_SECONDS)
    for member in group.members(settings, kafka)[1]:  # a static one stays for a session
        group.remove(settings, kafka, member.worker)
    with client(kafka) as found:
        answer = found.delete_groups([settings.group])[settings.group]
    if answer not in {"OK", "GroupIdNotFoundError"}:
        raise BrokerError(
            f"Kafka did not delete the group {settings.group}: {answer}",
            "kafka-consumer-groups.sh --delete --group, once nobody is in it",
        )
