"""Only the pinned jars are ever run: a changed one is named, and so is one that cannot be had."""

from __future__ import annotations

import hashlib
import socket
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from streams import broker
from streams.broker import jars
from streams.errors import EmbeddedBrokerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.kafka
def test_a_changed_jar_is_named_and_never_run(tmp_path: Path, jar_dir: Path) -> None:
    jars.fetch(jar_dir)
    changed = tmp_path / "changed"
    changed.mkdir()
    for jar in jar_dir.glob("*.jar"):
        (changed / jar.name).symlink_to(jar)
    victim = changed / "kafka-clients-4.3.1.jar"
    content = bytearray(victim.read_bytes())
    content[1000] ^= 1
    victim.unlink()
    victim.write_bytes(content)
    with pytest.raises(EmbeddedBrokerError, match=r"kafka-clients-4\.3\.1\.jar is not the file"):
        broker.start(tmp_path, 0, jar_dir=changed)
    assert broker.status(tmp_path).cluster_id is None


def test_a_download_without_a_network_names_the_jar_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:  # bound, so that nobody else listens there either
        closed.bind(("127.0.0.1", 0))
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{closed.getsockname()[1]}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "")
        said: list[str] = []
        with pytest.raises(EmbeddedBrokerError) as refused:
            broker.start(tmp_path, 0, lambda message, _done, _total: said.append(message))
    assert set(said) == {"downloading Apache Kafka 4.3.1: 46 jars, 45 MB, once"}
    assert str(refused.value).startswith(
        "cannot download kafka_2.13-4.3.1.jar (org.apache.kafka:kafka_2.13:4.3.1): "
    )
    assert "KAFKA_BOOTSTRAP_SERVERS" in refused.value.next_step
    assert not list(broker.jar_directory(tmp_path).glob("*.jar"))


class _Quiet(SimpleHTTPRequestHandler):
    """Serves a directory and writes nothing about it."""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def repository(directory: Path) -> Iterator[dict[str, str]]:
    """A Maven repository on loopback that serves a directory."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield {"test": f"http://127.0.0.1:{server.server_port}"}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_download_is_kept_only_if_it_is_the_pinned_file(tmp_path: Path) -> None:
    served, kept, lock = tmp_path / "served", tmp_path / "kept", tmp_path / "lock"
    good, bad = b"as pinned", b"meddled with"
    for artifact, content in (("good", good), ("bad", bad)):
        path = served / "org" / "example" / artifact / "1" / f"{artifact}-1.jar"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    pinned = hashlib.sha256(good).hexdigest()
    lock.write_text(f"{pinned} 9 org.example:good:1\n{pinned} 9 org.example:bad:1\n")

    with repository(served) as repositories:
        with pytest.raises(
            EmbeddedBrokerError, match=r"bad-1\.jar is not the file that was pinned"
        ):
            jars.fetch(kept, lock=lock, repositories=repositories)
        lock.write_text(f"{pinned} 9 org.example:good:1\n")
        assert jars.fetch(kept, lock=lock, repositories=repositories) == [kept / "good-1.jar"]
        assert {path.name for path in kept.iterdir()} == {".lock", "good-1.jar"}

        lock.write_text(f"{pinned} 9 org.example:absent:1\n")
        with pytest.raises(EmbeddedBrokerError, match=r"absent-1\.jar .*: no repository offers it"):
            jars.fetch(kept, lock=lock, repositories=repositories)


def test_no_two_jars_of_the_lock_share_a_name() -> None:
    names = [jar.name for jar in jars.locked()]
    assert len(set(names)) == len(names) == 46
