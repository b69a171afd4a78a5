"""The workers as Kafka sees them: members of one consumer group."""

from __future__ import annotations

import logging
import re
import urllib.request
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.error import HTTPError

from kafka.admin import MemberToRemove
from kafka.errors import GroupAuthorizationFailedError, NoError

from streams.connection import client, not_granted, patiently
from streams.core.keys import Use, derive
from streams.errors import BrokerError, GradewatchError, NotFoundError
from streams.security.membership import plain, proven

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.security import Kafka
    from streams.settings import Settings

ANSWER_SECONDS: Final = 2.0
"""How long a worker may take to say that it lives."""

_URL: Final = re.compile(r'"url": ?"(https?://[^"]+)"')


class Member(NamedTuple):
    """A worker in the group.

    Attributes:
        worker: Its ``GRADEWATCH_WORKER_ID``.
        instance_id: What makes it a static member; None: it is none.
        url: Where its web views are.
        proven: Whether it proves that it has our id key: only then a token may be sent there.
        host: Where it connects from.
        partitions: Topic, in this namespace → partitions it works on.
    """

    worker: str
    instance_id: str | None
    url: str
    proven: bool
    host: str
    partitions: Mapping[str, list[int]]


def members(settings: Settings, kafka: Kafka) -> tuple[str, list[Member]]:
    """Return the state of the group, in Kafka's word, and its members by worker id.

    Args:
        settings: Whose group.
        kafka: Which cluster.

    Raises:
        BrokerError: Kafka does not answer in time, or refuses.
    """
    # That Faust's metadata is not Kafka's own is no news; kafka-python warns of it with all of it.
    logging.getLogger("kafka.admin._groups").setLevel(logging.ERROR)
    with client(kafka) as admin:
        try:
            found = patiently(lambda: admin.describe_groups([settings.group])[settings.group])
        except GroupAuthorizationFailedError:
            raise not_granted(f"DESCRIBE on group {settings.group}") from None
    listed = [_member(settings, each) for each in found["members"]]
    return str(found["group_state"]), sorted(listed, key=lambda each: each.worker)


def remove(settings: Settings, kafka: Kafka, worker: str) -> Member:
    """A worker that is gone for good is out of the group; its partitions move at once.

    Kafka keeps a static member's place for a session timeout (KIP-345), so that a restart moves
    nothing.

    Args:
        settings: Whose group.
        kafka: Which cluster.
        worker: The ``GRADEWATCH_WORKER_ID``.

    Returns:
        What it was.

    Raises:
        NotFoundError: No such worker is in the group.
        GradewatchError: It still runs.
        BrokerError: Kafka does not answer in time, or refuses.
    """
    _, listed = members(settings, kafka)
    member = next((each for each in listed if each.worker == worker), None)
    if member is None:
        there = ", ".join(each.worker for each in listed) or "nobody"
        raise NotFoundError(
            f"no worker {worker} is in the group {settings.group}; there: {there}",
            "gradewatch workers list",
        )
    if _lives(member.url):
        raise GradewatchError(
            f"worker {worker} still runs: {member.url} answers",
            "stop it first; removed while it runs, it would only join again",
        )
    if member.instance_id is None:
        raise GradewatchError(
            f"worker {worker} is no static member (its web port is 0): it left when it stopped",
            "nothing is to be done; after a crash Kafka misses it for 10 s",
        )
    who = MemberToRemove(group_instance_id=member.instance_id)
    with client(kafka) as admin:
        try:
            results = admin.remove_group_members(settings.group, [who]).values()
        except GroupAuthorizationFailedError:
            raise not_granted(f"READ on group {settings.group} (role worker)") from None
    for result in results:
        if result is not NoError:
            raise BrokerError(f"Kafka did not remove it: {result.__name__}", "try again")
    return member


def _member(settings: Settings, told: Mapping[str, Any]) -> Member:
    assigned = (told["member_assignment"] or {}).get("assigned_partitions", ())
    found = _URL.search(str(told["member_metadata"]))
    url, key = found[1] if found else "", derive(settings.read_id_key(), Use.PEERS)
    return Member(
        worker=str(told["client_id"]).removeprefix(f"{settings.group}-"),
        instance_id=told["group_instance_id"],
        url=plain(url),
        proven=proven(url, key) is not None,
        host=str(told["client_host"]).lstrip("/"),
        partitions={each["topic"]: sorted(each["partitions"]) for each in assigned},
    )


def _lives(url: str) -> bool:
    """Tell whether a worker answers, whatever it says."""
    if not url:
        return False
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/livez", timeout=ANSWER_SECONDS):  # noqa: S310 - http(s), see _URL
            return True
    except (HTTPError, HTTPException):
        return True
    except OSError:
        return False
