"""A TCP proxy between workers and a broker, and a broker that tells workers of the proxy alone."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from enum import Enum
from threading import Thread
from typing import TYPE_CHECKING

from streams.broker import config, ports
from tests.kafka.conftest import OwnKafka

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Iterator
    from pathlib import Path

SLOW_SECONDS = 0.2
SLOW_BYTES = 50_000
"""What a slow network adds to each piece, and carries in a second, each way."""


class Network(Enum):
    """What the network does."""

    WHOLE = "whole"
    CUT = "cut"  # connections are closed, new ones refused
    SILENT = "silent"  # everything is accepted, nothing arrives
    ONE_WAY = "one-way"  # requests arrive, answers do not
    SLOW = "slow"


class Proxy:
    """Carries bytes between its own port and another, as the network of the moment does."""

    def __init__(self) -> None:
        """Choose both ports."""
        self.port, self.broker_port = ports.choose(0), ports.choose(0)
        self.carried = self.held = 0  # pieces
        self._network = Network.WHOLE
        self._open: set[StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._changed = asyncio.Event()
        self._do(self._listen())

    def become(self, network: Network) -> None:
        """The network is another from now on, for connections that are open, too."""
        self._do(self._become(network))

    def close(self) -> None:
        """Nothing is carried any more."""
        self.become(Network.CUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, coroutine: object) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)  # type: ignore[arg-type]

    async def _listen(self) -> None:
        await asyncio.start_server(self._connected, config.HOST, self.port)

    async def _become(self, network: Network) -> None:
        self._network = network
        if network is Network.CUT:
            for writer in self._open:
                writer.transport.abort()
        self._changed.set()
        self._changed = asyncio.Event()

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            if self._network is Network.CUT:
                raise ConnectionError
            there, back = await asyncio.open_connection(config.HOST, self.broker_port)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, back}
        pumps = [
            asyncio.ensure_future(self._pump(reader, back, answers=False)),
            asyncio.ensure_future(self._pump(there, writer, answers=True)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        for end in (writer, back):
            end.transport.abort()
        self._open -= {writer, back}

    async def _pump(self, reader: StreamReader, writer: StreamWriter, *, answers: bool) -> None:
        with suppress(OSError):
            while piece := await reader.read(1 << 16):
                while self._network is Network.SILENT or (
                    self._network is Network.ONE_WAY and answers
                ):
                    self.held += 1
                    await self._changed.wait()
                if self._network is Network.SLOW:
                    self.held += 1
                    await asyncio.sleep(SLOW_SECONDS + len(piece) / SLOW_BYTES)
                writer.write(piece)
                self.carried += 1
                await writer.drain()


class ProxiedKafka(OwnKafka):
    """A broker with a second listener, which it tells its clients to reach through a proxy."""

    def __init__(self, data_dir: Path, jar_dir: Path) -> None:
        """Prepare both."""
        super().__init__(data_dir, jar_dir)
        self.proxy = Proxy()
        self.proxied_servers = f"{config.HOST}:{self.proxy.port}"

    def start(self) -> None:
        """Both answer."""
        with self._second_listener():
            super().start()

    @contextmanager
    def _second_listener(self) -> Iterator[None]:
        write = config.write_properties
        here = f"PROXIED://{config.HOST}:{self.proxy.broker_port}"
        told = f"PROXIED://{config.HOST}:{self.proxy.port}"

        def with_ours(home: Path, port: int, controller_port: int) -> Path:
            path = write(home, port, controller_port)
            lines = dict(line.split("=", 1) for line in path.read_text().splitlines())
            lines["listeners"] += f",{here}"
            lines["advertised.listeners"] += f",{told}"
            lines["listener.security.protocol.map"] += ",PROXIED:PLAINTEXT"
            path.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
            return path

        config.write_properties = with_ours
        try:
            yield
        finally:
            config.write_properties = write

    def stop(self) -> None:
        """Both end."""
        super().stop()
        self.proxy.close()
