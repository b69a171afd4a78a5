"""The files that pages link to, each under a name that changes with its content."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "assets"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@lru_cache(maxsize=1)
def assets() -> dict[str, tuple[str, bytes]]:
    """Return what is served under ``/assets/``: name → content type, bytes.

    A name holds a digest of its content, so that browsers may keep it for ever.
    """
    return {_name(path): (_TYPES[path.suffix], path.read_bytes()) for path in _files()}


@lru_cache(maxsize=1)
def manifest() -> dict[str, str]:
    """Return the SHA-256 of each asset by its served name, hexadecimal."""
    return {name: sha256(content).hexdigest() for name, (_, content) in assets().items()}


@lru_cache(maxsize=16)
def url(file: str) -> str:
    """Return the path of an asset by its file's name.

    Example:
        >>> url("pages.css").startswith("/assets/pages."), url("pages.css").endswith(".css")
        (True, True)
    """
    return f"/assets/{_name(_FOLDER / file)}"


def _files() -> list[Path]:
    return sorted(path for path in _FOLDER.iterdir() if path.suffix in _TYPES)


def _name(path: Path) -> str:
    digest = sha256(path.read_bytes()).hexdigest()[:16]
    return f"{path.stem}.{digest}{path.suffix}"
