"""Chromium on this machine: what is there, what apt brings to root, or a reason to skip."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Final

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_APT: Final = (
    ("apt-get", "update", "-qq"),
    ("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"),
)


@lru_cache(maxsize=1)
def chromium() -> tuple[str | None, str]:
    """Return where Chromium is, installed by apt if need be; else None and why there is none."""
    with Path(__file__).open() as file:
        # Tests run in several processes, and apt refuses a second one instead of waiting.
        fcntl.flock(file, fcntl.LOCK_EX)
        return _found_or_installed()


def _found_or_installed() -> tuple[str | None, str]:
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found:
        return found, ""
    if os.geteuid() != 0:
        return None, "Chromium is not installed, and only root may install it"
    if shutil.which("apt-get") is None:
        return None, "Chromium is not installed, and this machine has no apt-get to install it"
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}  # noqa: TID251 - apt wants the rest
    for command in _APT:
        done = subprocess.run(command, env=quiet, capture_output=True, timeout=600, check=False)
    if done.returncode:
        return None, f"apt-get could not install Chromium: exit {done.returncode}"
    return shutil.which("chromium"), "apt-get installed Chromium, but not on PATH"
