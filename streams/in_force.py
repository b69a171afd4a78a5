"""Whether the rules in force are those of our rules file.

The set that was announced last is in force at every worker. Where workers have different files,
each start, and each change of a file, puts another set in force: alerts open and resolve by turns.
"""

from __future__ import annotations

from typing import Final

from streams.core.clock import decode_state
from streams.core.rows import UnreadableError
from streams.core.rules import Rules

LASTING_SECONDS: Final = 20.0
"""How long other rules may be in force before it is told of: ours may have been announced just now,
and not have been reached by scoring."""


class InForce:
    """Compares the state of one partition with the rules file, look by look."""

    def __init__(self) -> None:
        """Know of no state yet."""
        self._held: bytes | None = None
        self._rules = ""
        self._since: float | None = None

    def warnings(self, held: bytes | None, ours: Rules, now: float) -> list[str]:
        """Return that other rules are in force, once that lasts.

        Args:
            held: State of a partition that is served here; None: there is none.
            ours: Rules of our file, as they were read last.
            now: Seconds of a clock that never goes back.
        """
        if held is not self._held:  # the same object: the state has not changed
            self._held, self._rules = held, _rules(held)
        if self._rules in {"", ours.canonical()}:
            self._since = None
            return []
        self._since = now if self._since is None else self._since
        if now - self._since < LASTING_SECONDS:
            return []
        told = (
            f"the rules in force (hash {_hash(self._rules)}) are not those of our rules file (hash "
            f"{ours.hash}): another worker announced its own. Give all workers one file, then send "
            "each a SIGHUP"
        )
        return [told]


def _rules(held: bytes | None) -> str:
    try:
        return "" if held is None else decode_state(held).rules
    except UnreadableError:
        return ""


def _hash(canonical: str) -> str:
    """Return the hash of a set of rules; ``unknown`` where another build wrote the set."""
    try:
        return Rules.model_validate_json(canonical).hash
    except ValueError:
        return "unknown"
