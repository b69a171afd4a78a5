"""All that is held of one student: found on every topic, handed out, or erased.

Nothing here reads the raw topic, which is the customer's, nor what was refused: nobody knows whom
that is about.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from streams.access.entries import subject
from streams.core import ids
from streams.core.events import Control, encode, student_key
from streams.core.instants import instant
from streams.core.keys import Use, derive
from streams.engine.blocking import Failed
from streams.engine.outputs import Outputs, Produced
from streams.engine.transactions import Writer, stable_offsets
from streams.errors import BrokerError, GradewatchError, NotFoundError
from streams.privacy.records import ANSWER_SECONDS, CHANGELOG, Found, Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.security import Kafka
    from streams.settings import Settings

KEYED: Final = ("grade-events", "grade-alerts", "grade-alerts-posted")
"""Topics whose records have the student's key."""

COMPACTED: Final = ("grade-alerts-state", "grade-alert-actions")
"""Topics of the student's partition whose records have an alert's fingerprint as their key."""

AUDIT: Final = "grade-access-audit"


class Dossier:
    """What a cluster holds of one student."""

    def __init__(self, settings: Settings, kafka: Kafka, progress: Callable[[str], None]) -> None:
        """Remember where to look.

        Args:
            settings: Name the topics.
            kafka: Where they are.
            progress: Told what is being read.
        """
        self._settings, self._kafka = settings, kafka
        self._records = Records(settings, kafka, progress)

    def owner(self, student: str, tenant: str | None) -> tuple[str, str]:
        """Return tenant and id of a student, as rows keep them.

        Args:
            student: Local or global.
            tenant: Whose; None: whoever has rows of such a student.

        Raises:
            BrokerError: Kafka does not answer, or refuses.
            NotFoundError: Nobody has, and nobody said whose.
            GradewatchError: Several have.
        """
        spelled = ids.spellings(student)
        endings = tuple(f":{each}".encode() for each in spelled)
        found = set[bytes]()
        for record in self._records.read(CHANGELOG, None):
            owner = record.key.rpartition(b":")[0]
            if owner.endswith(endings):
                found.add(owner)
        owners = sorted(tuple(owner.decode().rpartition(":")[::2]) for owner in found)
        if tenant is not None:
            owners = [one for one in owners if one[0] == tenant] or [(tenant, spelled[-1])]
        if not owners:
            raise NotFoundError(
                "no rows of such a student are held",
                "say whose student it is, to look for other records: --tenant TENANT",
            )
        if len(owners) > 1:
            raise GradewatchError(
                "several tenants have such a student, or one has both spellings of the id",
                "say which: --tenant TENANT, and the id as the rows have it",
            )
        return owners[0][0], owners[0][1]

    def records(self, tenant: str, student: str) -> Iterator[Found]:
        """Yield every record about a student that Kafka still hands out, topic by topic.

        Args:
            tenant: Whose.
            student: The id, as rows keep it.

        Raises:
            BrokerError: Kafka does not answer, or refuses.
        """
        owner = student_key(tenant, student)
        for topic in (*KEYED, CHANGELOG):
            for record in self._records.read(topic, owner):
                whose = record.key if topic in KEYED else record.key.rpartition(b":")[0]
                if whose == owner:
                    yield record
        for topic in COMPACTED:
            yield from self._latest(topic, tenant, student)

    def looks(self, tenant: str, student: str) -> Iterator[Found]:
        """Yield who looked at a student, as far as the access audit is kept.

        Args:
            tenant: Whose.
            student: The id, as rows keep it.

        Raises:
            BrokerError: Kafka does not answer, or refuses.
        """
        id_key = self._settings.read_id_key()
        # Entries of builds before decision 0014 are keyed with the id key itself.
        keys = (derive(id_key, Use.AUDIT), id_key)
        # The caller may have said no tenant, or the other spelling.
        spelled = {student, *ids.spellings(student)}
        marks = {
            subject(key, whose, one) for key in keys for whose in ("", tenant) for one in spelled
        }
        for record in self._records.read(AUDIT, None):
            if msgspec.json.decode(record.value).get("subject") in marks:
                yield record

    def erase(self, tenant: str, student: str) -> int:
        """The erasure of a student is in the log; return where scoring must get to.

        Args:
            tenant: Whose.
            student: The id, as rows keep it.

        Returns:
            The end of the student's partition of ``grade-events``.

        Raises:
            BrokerError: Kafka does not answer, or refuses.
        """
        owner, settings = student_key(tenant, student), self._settings
        fingerprints = {
            one.key.decode() for topic in COMPACTED for one in self._latest(topic, tenant, student)
        }
        at = int(time.time() * 1000)
        control = Control(
            kind="erase", at=instant(at), tenant=tenant, student_id=student,
            fingerprints=tuple(sorted(fingerprints)),
        )  # fmt: skip
        place = self._records.place("grade-events", owner)
        outputs = Outputs()
        outputs.add(place.topic, place.partition, Produced(owner, encode(control), at, []))
        writer = Writer(self._kafka, f"{settings.group}-privacy", None)
        try:
            writer.produce(outputs)
        except Failed as failed:
            raise BrokerError(
                f"the erasure could not be written: {failed}",
                "check that Kafka answers, and that WRITE on grade-events is granted; then again",
            ) from None
        finally:
            writer.abandon()
        return self._records.end(place)

    def is_worked(self, tenant: str, student: str, end: int) -> bool:
        """Tell whether scoring has worked up to an offset of the student's partition.

        Args:
            tenant: Whose.
            student: The id, as rows keep it.
            end: As `erase` returned it.
        """
        place = self._records.place("grade-events", student_key(tenant, student))
        offsets = stable_offsets(self._kafka, self._settings.group, [place], ANSWER_SECONDS)
        return (offsets[place] or 0) >= end

    def left(self, tenant: str, student: str) -> Counter[str]:
        """Return, by topic, how many rows, alerts and notes of a student can still be read.

        Args:
            tenant: Whose.
            student: The id, as rows keep it.

        Raises:
            BrokerError: Kafka does not answer, or refuses.
        """
        owner = student_key(tenant, student)
        rows = dict[bytes, bytes]()
        for record in self._records.read(CHANGELOG, owner):
            if record.key.rpartition(b":")[0] == owner:
                rows[record.key] = record.value
        left = Counter({CHANGELOG: sum(map(bool, rows.values()))})
        left.update(topic for topic in COMPACTED for _ in self._latest(topic, tenant, student))
        return +left

    def _latest(self, topic: str, tenant: str, student: str) -> Iterator[Found]:
        """Yield what a compacted topic holds of a student, each key's last record."""
        latest = dict[bytes, Found]()
        for record in self._records.read(topic, student_key(tenant, student)):
            latest[record.key] = record
        for record in latest.values():
            told = msgspec.json.decode(record.value) if record.value else {}
            if (told.get("tenant"), told.get("student_id")) == (tenant, student):
                yield record
