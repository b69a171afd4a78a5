"""Ends the JVM when the process that wanted it ends. Run as a script, with no imports of ours.

``guard.py OWNER_PID COMMAND...`` starts the command, prints its pid and stays while both live.
However the owner ends - returned, interrupted, killed - its children get another parent, and the
guard sees that: it works alike on Linux and macOS, and whichever thread started it (Linux's
parent-death signal follows the thread, not the process).

A ``SIGTERM`` to the guard ends the command too, and a ``SIGHUP`` is passed on to it, which ignores
it unless it asks for it. A ``SIGKILL`` to the guard frees the command: that is how ``gradewatch
broker start`` leaves a broker behind once it answers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

POLL_SECONDS = 0.2
GRACE_SECONDS = 15
"""What a controlled shutdown may take before the command is killed."""


def main(owner: int, command: list[str]) -> int:
    """Run a command for as long as its owner lives.

    Args:
        owner: Process id; must be our parent.
        command: Program and arguments; its output goes to our standard error.

    Returns:
        What the command exited with.
    """
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if os.getppid() != owner:
        return 1
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2, stderr=2)
    signal.signal(signal.SIGHUP, lambda *_: child.send_signal(signal.SIGHUP))
    try:
        print(child.pid, flush=True)  # noqa: T201 - our owner reads it
        while child.poll() is None and os.getppid() == owner and not ended:
            time.sleep(POLL_SECONDS)
    finally:
        child.terminate()
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    return child.returncode


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
