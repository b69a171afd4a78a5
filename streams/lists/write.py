"""What somebody did about an alert is kept: written, acknowledged, and seen by the lists here."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.core.actions import Action, Work, encode
from streams.core.instants import instant
from streams.engine.blocking import beside
from streams.engine.outputs import Outputs, Produced
from streams.engine.transactions import Writer

if TYPE_CHECKING:
    from streams.lists.held import Held
    from streams.lists.store import Alerts
    from streams.security import Kafka

WRITE_SECONDS: Final = 15.0
"""How long Kafka may take to acknowledge it."""

SEEN_SECONDS: Final = 2.0
"""How long it is waited for until the lists here show it; it is kept all the same."""


class Change(NamedTuple):
    """What somebody did; None leaves what is.

    Attributes:
        state: How far they have come.
        note: What to remember.
        wrong: Whether they say that the alert is wrong.
    """

    state: Work | None = None
    note: str | None = None
    wrong: bool | None = None


class Actions:
    """Writes ``grade-alert-actions``."""

    def __init__(self, kafka: Kafka, group: str, topic: str, alerts: Alerts) -> None:
        """Remember where; nothing connects before the first.

        Args:
            kafka: Where it is, and how to get in.
            group: The workers' consumer group: names the client.
            topic: Name of ``grade-alert-actions`` in this namespace.
            alerts: Where it is to be seen.
        """
        self._writer = Writer(kafka, f"{group}-actions", None)
        self._topic, self._alerts = topic, alerts
        self._one = asyncio.Lock()

    async def act(self, held: Held, change: Change, by: str) -> Action:
        """What was done is on ``grade-alert-actions``, on the student's partition.

        Args:
            held: The alert.
            change: What was done.
            by: By whom: a name in the access file.

        Returns:
            All that was done about the alert, this included.

        Raises:
            Failed: Kafka did not acknowledge it; it may be kept or not.
        """
        async with self._one:  # two at once would each overwrite what the other did not change
            action = _changed(self._alerts.action(held), held, change, by)
            outputs, key = Outputs(), action.fingerprint.encode()
            outputs.add(self._topic, held.partition, Produced(key, encode(action), 0, []))
            try:
                await beside(partial(self._writer.produce, outputs), WRITE_SECONDS)
            except Exception:
                self._writer.forget()
                raise
            await self._seen(action, held)
        return action

    async def _seen(self, action: Action, held: Held) -> None:
        deadline = time.monotonic() + SEEN_SECONDS
        while time.monotonic() < deadline:
            shown = self._alerts.action(held)
            if shown is not None and shown.at >= action.at:
                return
            await asyncio.sleep(0.02)


def _changed(before: Action | None, held: Held, change: Change, by: str) -> Action:
    listed = held.listed
    state = change.state if change.state is not None else before.state if before else Work.SEEN
    note = change.note if change.note is not None else before.note if before else ""
    wrong = change.wrong if change.wrong is not None else before.wrong if before else False
    return Action(
        fingerprint=listed.fingerprint,
        alert_id=listed.alert_id,
        tenant=listed.tenant,
        student_id=listed.student_id,
        course_id=listed.course_id,
        state=state,
        note=note,
        wrong=wrong,
        by=by,
        at=instant(int(time.time() * 1000)),
    )
