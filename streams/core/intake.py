"""A Canvas body → the canonical event: one id space, one tenant, times in UTC, nothing else.

Identity, required fields and tolerances as decided in docs/decisions/0005.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.core import canonical, canvas, ids
from streams.core.ahead import is_future_event
from streams.core.canonical import Who, local_id, utc
from streams.core.canvas import Body, Course, Grade, Id, Metadata, Refusal, Refused
from streams.core.events import TENANT_LENGTH, GradeEvent, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping


class Reader:
    """Reads the values of the raw topic. Holds only what identity needs: which tenant is which."""

    def __init__(
        self, tenants: Mapping[str, str] | None = None, default_tenant: str = "default"
    ) -> None:
        """Remember how tenants are named.

        Args:
            tenants: ``root_account_id`` (as Canvas sends it) → tenant, for events without
                ``root_account_uuid``.
            default_tenant: The tenant of events that name no root account.
        """
        self._tenants = dict(tenants or {})
        self._default = default_tenant

    def read(self, value: bytes | None, timestamp: int | None) -> GradeEvent | Refusal | None:
        """Return the event in a raw record, why it is refused, or None for other event names.

        Never raises: whatever the bytes, one of the three comes back.

        Args:
            value: The record's value.
            timestamp: The record's Kafka timestamp in milliseconds since 1970. For a record that
                has none: the latest time at which Kafka can have received the record. None: the
                record does not come from Kafka.

        Returns:
            The canonical event; a refusal; or None where the event is none of the three.

        Example:
            >>> Reader().read(b"[]", 0)
            Refusal(reason=<Reason.UNKNOWN_ENVELOPE: 'unknown_envelope'>, detail='an array')
            >>> Reader().read(b'{"metadata":{"event_name":"heartbeat"},"body":{}}', 0) is None
            True
        """
        try:
            parsed = canvas.parse(value)
            return None if parsed is None else self._event(*parsed, timestamp)
        except Refused as refused:
            return refused.refusal

    def _event(self, metadata: Metadata, body: Body, timestamp: int | None) -> GradeEvent:
        if metadata.event_time is None:
            raise Refused(Reason.MISSING_FIELD, "metadata.event_time")
        event_time = utc(metadata.event_time, "metadata.event_time")
        if timestamp is not None and is_future_event(event_time, timestamp):
            raise Refused(Reason.FUTURE_EVENT, "metadata.event_time: over 24 h after the record")
        in_course = metadata.context_type == "Course"
        home = _home(metadata, in_course=in_course)
        if isinstance(body, Grade):
            course = _required(
                metadata.context_id if in_course else None, home, "metadata.context_id"
            )
            student = (
                _required(body.user_id, home, "body.student_id")
                if body.student_id is None
                else _required(body.student_id, home, "body.student_id")
            )
        else:
            course = _required(body.course_id, home, "body.course_id")
            # metadata.user_id is the actor, never the student
            student = _required(body.user_id, home, "body.user_id")
        account = local_id(metadata.context_account_id, home, "metadata.context_account_id")
        who = Who(self._tenant(metadata), student, course, event_time, account, home)
        if isinstance(body, Course):
            return canonical.course_grade_change(body, who)
        if isinstance(body, Grade):
            return canonical.grade_change(body, who)
        return canonical.grade_override(body, who, metadata.user_id)

    def _tenant(self, metadata: Metadata) -> str:
        if metadata.root_account_uuid:
            tenant = metadata.root_account_uuid
        elif metadata.root_account_id is not None:
            account = str(metadata.root_account_id)
            tenant = self._tenants.get(account, account)
        else:
            tenant = self._default
        # It stands in keys, headers and URLs.
        if len(tenant) > TENANT_LENGTH or not tenant.isprintable():
            raise Refused(Reason.BAD_ID, "metadata.root_account_uuid")
        return tenant


def _home(metadata: Metadata, *, in_course: bool) -> int | None:
    """Return the shard that local ids of this event belong to."""
    try:
        shard = ids.shard(metadata.context_id) if in_course else None
    except ValueError:
        raise Refused(Reason.BAD_ID, "metadata.context_id") from None
    if shard is not None:
        return shard
    try:
        return ids.shard(metadata.root_account_id)
    except ValueError:
        return None  # Canvas docs show it numeric; where it is not, it names no shard


def _required(value: Id, home: int | None, field: str) -> str:
    found = local_id(value, home, field)
    if found is None:
        raise Refused(Reason.MISSING_FIELD, field)
    return found
