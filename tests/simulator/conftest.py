"""One semester for all these tests: as it arrives, as intake reads it, and as Canvas says it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from streams.core.canvas import Refusal
from streams.core.intake import Reader
from streams.simulator import RawRecord, semester

if TYPE_CHECKING:
    from streams.core.events import GradeEvent
    from streams.simulator.wire import Fields

COUNT = 20_000
END = datetime(2026, 5, 15, 17, tzinfo=UTC)


@pytest.fixture(scope="session")
def records() -> list[RawRecord]:
    return list(semester(1, COUNT, END))


@pytest.fixture(scope="session")
def verdicts(records: list[RawRecord]) -> list[GradeEvent | Refusal | None]:
    reader = Reader()
    return [reader.read(record.value, record.timestamp_ms) for record in records]


@pytest.fixture(scope="session")
def happened(verdicts: list[GradeEvent | Refusal | None]) -> list[GradeEvent]:
    """What happened, each thing once, in the order of event times."""
    good = [verdict for verdict in verdicts if verdict and not isinstance(verdict, Refusal)]
    return sorted({event.event_id: event for event in good}.values(), key=lambda e: e.event_time)


@pytest.fixture(scope="session")
def sent(
    records: list[RawRecord], verdicts: list[GradeEvent | Refusal | None]
) -> list[tuple[Fields, Fields]]:
    """Metadata and body of the good events, as Canvas says them."""
    found = []
    for record, verdict in zip(records, verdicts, strict=True):
        if verdict and not isinstance(verdict, Refusal):
            assert record.value is not None
            event = json.loads(record.value)
            found.append((event.get("metadata") or event["attributes"], event["body"]))
    return found
