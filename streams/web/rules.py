"""Rules over HTTP: those in force, and in words those that judged an alert long ago."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from streams.announce import ANSWER_SECONDS, known
from streams.engine.blocking import Hung, beside
from streams.errors import GradewatchError
from streams.pages.rule_words import rule_in_words

if TYPE_CHECKING:
    from streams.web.asked import Asked
    from streams.web.problem import Answer
    from streams.worker import Worker


class Sets:
    """Sets of rules by their hash: the one in force, and those that ``grade-rules`` holds."""

    def __init__(self, worker: Worker) -> None:
        """Remember whose; the topic is read when somebody asks for what is not in force."""
        self._worker = worker
        self._known: dict[str, dict[str, dict[str, Any]]] = {}
        self._looked_for: set[str] = set()

    async def in_words(self, rules_hash: str, rule_id: str) -> str | None:
        """Return a rule as a sentence; None: its set is no longer known.

        Args:
            rules_hash: Of the set that judged.
            rule_id: Which of it.
        """
        in_force = self._worker.reload.rules
        self._known[in_force.hash] = _by_id(in_force.canonical().encode())
        if rules_hash not in self._known and rules_hash not in self._looked_for:
            await self._read()
            self._looked_for.add(rules_hash)
        rule = self._known.get(rules_hash, {}).get(rule_id)
        return None if rule is None else rule_in_words(rule)

    async def in_force(self, asked: Asked) -> Answer:
        """The rules in force, each also in words."""
        asked.query(())
        rules = self._worker.reload.rules
        listed = list(_by_id(rules.canonical().encode()).values())
        words = {rule["id"]: rule_in_words(rule) for rule in listed}
        return {"rules_hash": rules.hash, "rules": listed, "words": words}

    async def _read(self) -> None:
        settings = self._worker.settings
        topic = settings.topic("grade-rules")
        read = partial(known, self._worker.app.kafka, settings.group, topic)
        try:
            found = await beside(read, ANSWER_SECONDS)
        except (GradewatchError, Hung):
            return  # asked for again by the next who looks at such an alert
        for name, canonical in found.sets.items():
            self._known[name] = _by_id(canonical)


def _by_id(canonical: bytes) -> dict[str, dict[str, Any]]:
    return {rule["id"]: rule for rule in msgspec.json.decode(canonical)["rules"]}
