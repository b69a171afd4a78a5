"""Files that people write and that a worker reads: rules, topics, access, secrets.

Only regular files of a limited size are read: a FIFO or a device would block the reader for ever,
and a huge file would fill the memory. Every call here may block on a slow disk: inside a running
worker it belongs in a thread (`streams.watched`).
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Stamp(NamedTuple):
    """What differs between two versions of a file.

    Attributes:
        inode: Number of the file; an editor that writes a new file and renames it changes this.
        size: In bytes.
        changed_ns: Time of the last change, nanoseconds since 1970.
    """

    inode: int
    size: int
    changed_ns: int


def stamp(path: Path) -> Stamp | None:
    """Return the stamp of a file; None where there is none, or it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_ino, found.st_size, found.st_mtime_ns)


def read(path: Path, most_bytes: int) -> bytes:
    """Return the content of a regular file.

    Args:
        path: The file; a link to a regular file is one, too.
        most_bytes: A file with more bytes is refused.

    Raises:
        OSError: There is no such file, it is no regular file, it is larger, or it may not be read;
            ``strerror`` says which.
    """
    # Without O_NONBLOCK, opening a FIFO waits until somebody writes to it.
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        with os.fdopen(opened, "rb", closefd=False) as file:
            content = file.read(most_bytes + 1)
    finally:
        os.close(opened)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it has more than {most_bytes:,} bytes", str(path))
    return content
