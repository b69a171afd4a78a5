"""``gradewatch events refused`` on a real Kafka: looked at without their content, sent again whole.

The refused records are hand-written, some in an aborted transaction: nobody may ever see those.
"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from streams.errors import GradewatchError, NotFoundError
from tests.kafka.running import ends, until
from tests.kafka.stage import Stage, staged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

SECRET = b'{"metadata":{"client_ip":"192.0.2.77"},"body":{}}'


@pytest.fixture
def stage(kafka: Kafka, namespace: str) -> Iterator[Stage]:
    with staged(kafka.bootstrap_servers, namespace) as stage:
        yield stage


def refuse(stage: Stage) -> None:
    """Six refused records are there, and a transaction of nine that was aborted."""
    asyncio.run(_write(stage, [_refusal(stage, n) for n in range(4)]))
    empty = [_refusal(stage, n, reason="empty", key=b"0", value=None) for n in range(9)]
    asyncio.run(_write(stage, empty, commit=False))
    asyncio.run(_write(stage, empty[:2]))
    # 2 + 1 and 2 + 1 committed, 5 + 4 aborted, and a marker after each transaction
    _until_committed(stage, 11 + 10)


def refuse_what_canvas_did_not_send(stage: Stage) -> None:
    """Three more are there: two of which only the beginning was kept, one that scoring refused."""
    cut = [_refusal(stage, n, truncated="2000000 bytes, sha256 00") for n in (0, 1)]
    ours = _refusal(stage, 2, reason="internal", topic=f"{stage.namespace}-grade-events")
    before = _committed(stage)
    asyncio.run(_write(stage, [*cut, ours]))
    _until_committed(stage, before + 3 + 2)


def _refusal(
    stage: Stage, number: int, *, key: bytes = b"42", value: bytes | None = SECRET, **headers: str
) -> dict[str, Any]:
    """Return a refused record as intake writes it."""
    told = {
        "reason": "bad_id", "detail": "body.user_id\x1b[2J", "topic": stage.raw,
        "partition": "1", "offset": str(number), **headers,
    }  # fmt: skip
    return {
        "key": key,
        "value": value,
        "partition": number % 2,
        "timestamp_ms": 1_770_113_730_005 + number,
        "headers": [(f"gradewatch.{name}", text.encode()) for name, text in told.items()],
    }


async def _write(stage: Stage, refusals: list[dict[str, Any]], *, commit: bool = True) -> None:
    """Write refused records in a transaction, as the worker does."""
    producer = AIOKafkaProducer(bootstrap_servers=stage.servers, transactional_id=stage.refused)
    await producer.start()
    try:
        await producer.begin_transaction()
        for refusal in refusals:
            await producer.send(stage.refused, **refusal)
        await (producer.commit_transaction if commit else producer.abort_transaction)()
    finally:
        await producer.stop()


def _committed(stage: Stage) -> int:
    places = [TopicPartition(stage.refused, number) for number in (0, 1)]
    return asyncio.run(ends(stage.servers, places))


def _until_committed(stage: Stage, records: int) -> None:
    until(lambda: _committed(stage) == records)


def test_an_empty_refused_topic_lists_nothing(stage: Stage) -> None:
    assert stage.done("refused", "list").stdout == "0 of 0 refused events\n"
    assert json.loads(stage.done("refused", "list", "--format", "json").stdout) == []
    assert "no refused events" in stage.done("refused", "retry", "--yes").stdout


def test_refused_events_are_listed_without_what_was_in_them(stage: Stage) -> None:
    refuse(stage)
    text = stage.done("refused", "list").output
    assert "6 of 6 refused events" in text
    assert f"{stage.raw}[1]@3" in text
    assert "192.0.2.77" not in text
    assert "\x1b" not in text  # nothing written there steers a terminal
    rows = json.loads(stage.done("refused", "list", "--format", "json").stdout)
    assert Counter(row["reason"] for row in rows) == {"bad_id": 4, "empty": 2}
    assert rows[-1] == {
        "partition": 1, "offset": 1, "time": "2026-02-03T10:15:30.008Z", "reason": "bad_id",
        "detail": "body.user_id?[2J", "truncated": False,
        "source": {"topic": stage.raw, "partition": "1", "offset": "3"},
    }  # fmt: skip


def test_a_list_is_cut_to_the_newest_and_to_a_reason(stage: Stage) -> None:
    refuse(stage)
    result = stage.done("refused", "list", "--reason", "bad_id", "--limit", "2", "--format", "json")
    assert [row["source"]["offset"] for row in json.loads(result.stdout)] == ["2", "3"]


def test_one_refused_event_is_shown_its_bytes_only_when_asked_for(stage: Stage) -> None:
    refuse(stage)
    shown = stage.done("refused", "show", "0", "0").output
    assert "bad_id" in shown
    assert "192.0.2.77" not in shown
    with_payload = stage.done("refused", "show", "0", "0", "--payload")
    assert with_payload.stdout_bytes == SECRET
    assert "personal data" in with_payload.stderr


def test_what_is_not_there_is_said_not_waited_for(stage: Stage) -> None:
    refuse(stage)
    # never written; in another partition; a commit marker; in the aborted transaction
    for partition, offset in ((0, 99), (9, 0), (0, 2), (0, 3)):
        error = stage.run("refused", "show", str(partition), str(offset)).exception
        assert isinstance(error, NotFoundError)


def test_retry_sends_key_and_bytes_again_and_leaves_the_refused_ones(stage: Stage) -> None:
    refuse(stage)
    before = time.time() * 1000
    result = stage.done("refused", "retry", "--yes")
    assert result.stdout == f"6 refused events sent to {stage.raw} again\n"
    sent = stage.played(6)
    assert Counter((record.key, record.value) for record in sent) == {
        (b"42", SECRET): 4,
        (b"0", None): 2,
    }
    assert all(record.timestamp >= before for record in sent)
    assert "6 of 6" in stage.done("refused", "list").output


def test_retry_of_a_reason_or_of_one_sends_those_only(stage: Stage) -> None:
    refuse(stage)
    stage.done("refused", "retry", "--reason", "empty", "--yes")
    stage.played(2)
    stage.done("refused", "retry", "1", "0", "--yes")
    assert sum(record.value == SECRET for record in stage.played(3)) == 1


def test_retry_leaves_out_what_is_not_what_canvas_sent(stage: Stage) -> None:
    refuse(stage)
    refuse_what_canvas_did_not_send(stage)
    result = stage.done("refused", "retry", "--yes")
    assert result.stdout == f"6 refused events sent to {stage.raw} again\n"
    assert "2 left out: too large, only its beginning was kept" in result.stderr
    assert "1 left out: scoring refused it" in result.stderr
    stage.played(6)


def test_retry_of_nothing_but_those_is_an_error(stage: Stage) -> None:
    refuse_what_canvas_did_not_send(stage)
    rows = json.loads(stage.done("refused", "list", "--format", "json").stdout)
    assert [row["truncated"] for row in rows] == [True, True, False]
    assert "2000000 bytes" in stage.done("refused", "show", "0", "0").stdout
    for arguments in (["0", "0"], ["0", "1"], ["--reason", "internal"], []):
        error = stage.run("refused", "retry", *arguments, "--yes").exception
        assert isinstance(error, GradewatchError)
        assert error.exit_code == 1
        assert "nothing sent" in str(error)
    stage.played(0)


@pytest.mark.parametrize(("answer", "sent"), [(b"y\n", 6), (b"n\n", 0)])
def test_retry_asks_on_a_terminal(stage: Stage, answer: bytes, sent: int) -> None:
    refuse(stage)
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer)
        result = subprocess.run(
            [sys.executable, "-c", "from streams.cli.events import events; events()",
             "refused", "retry"],
            stdin=theirs, capture_output=True, text=True, timeout=30, check=False,
            env={"PATH": "", **stage.environment},
        )  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)
    assert f"Send 6 refused events to {stage.raw} again?" in result.stdout
    assert result.returncode == (0 if sent else 1)
    stage.played(sent)
