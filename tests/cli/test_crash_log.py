"""A crash whose cause is said in words says it without a library's traceback; another shows it."""

from __future__ import annotations

import logging
import sys

import pytest

from streams.cli.worker import _Calm
from streams.errors import BrokerError


def a_record(message: str, error: Exception) -> logging.LogRecord:
    """Return what a library logs of an exception."""
    try:
        raise error
    except type(error):
        told = sys.exc_info()
    return logging.LogRecord("faust", logging.ERROR, __file__, 1, message, (), told)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("[^--Fetcher]: Drain messages raised", BrokerError("READ is not granted", "grant it")),
        ("[^--Recovery]: Crashed reason=KeyError()", KeyError("topic")),
        ("[^--Consumer]: Error while stopping child", RuntimeError("Event loop is closed")),
    ],
)
def test_a_traceback_of_a_crash_is_held_back_and_said_where_nothing_explains_it(
    message: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    calm = _Calm()
    assert not calm.filter(a_record(message, error))
    calm.say_held()
    calm.say_held()
    assert [record.getMessage().count("Traceback") for record in caplog.records] == [1]


def test_another_traceback_is_said_at_once() -> None:
    assert _Calm().filter(a_record("an agent failed", KeyError("row")))
