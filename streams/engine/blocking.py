"""Blocking calls beside the event loop, each with a deadline that is kept, and how they fail."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Failed(Exception):  # noqa: N818 - an outcome, told apart from a bug
    """Kafka did not do it, or did not say so in time: what became of it must be asked."""


class Hung(Failed):
    """librdkafka did not return in time."""


class NeverTaken(Failed):
    """Kafka refused a record for what it is."""


class NotGranted(Failed):
    """Kafka grants us no longer what this needs: trying again changes nothing."""


async def beside(call: Callable[[], T], seconds: float) -> T:
    """Return what a blocking call returns, run in a thread that nobody waits for at exit.

    librdkafka does not keep every timeout it is given: ``send_offsets_to_transaction`` has been
    seen to hang for ever after a broker was killed (librdkafka#3013, #5511).

    Args:
        call: What blocks.
        seconds: How long to wait. The thread is left to itself then.

    Raises:
        Hung: It did not return in time; and whatever it raises itself.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(cast("T", result))

    def run() -> None:
        result, error = None, None
        try:
            result = call()
        except BaseException as caught:  # noqa: BLE001 - it goes to who waits
            error = caught
        with suppress(RuntimeError):  # the loop has gone: so has who waits
            loop.call_soon_threadsafe(settle, result, error)

    Thread(target=run, name="librdkafka", daemon=True).start()
    try:
        return await asyncio.wait_for(outcome, seconds)
    except TimeoutError:
        raise Hung(f"librdkafka did not return within {seconds:.0f} s") from None
