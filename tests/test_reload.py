"""What the rules file says is announced when it changes; what is wrong changes nothing."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from streams.core import rules
from streams.errors import BrokerError, ConfigurationError
from streams.metrics import Metrics
from streams.reload import Reload

if TYPE_CHECKING:
    from pathlib import Path

    from streams.core.rules import Rules

FIVE = "rules: [{id: drop, kind: score_drop, points: 5, severity: info}]\n"
NINE = "rules: [{id: drop, kind: score_drop, points: 9, severity: info}]\n"
WRONG = "rules: [{id: drop, kind: score_drop, points: many, severity: info}]\n"


class Topic:
    """What the announcer would write to; away where Kafka is."""

    def __init__(self) -> None:
        self.announced: list[str] = []
        self.away = False

    def announce(self, told: Rules, at: int) -> bool:
        assert at > 1_700_000_000_000
        if self.away:
            raise BrokerError("Kafka is away", "start it")
        news = self.announced[-1:] != [told.hash]
        if news:
            self.announced.append(told.hash)
        return news


class Stage:
    """A rules file, and the worker that looks at it."""

    def __init__(self, path: Path) -> None:
        self.path, self.topic, self.metrics = path, Topic(), Metrics()
        self.taken: list[str] = []
        self.write(FIVE)
        announcer: Any = self.topic
        self.reload = Reload(
            path, self.read, announcer, self.metrics, lambda told: self.taken.append(told.hash)
        )
        self.reload.begin()

    def write(self, text: str) -> None:
        aside = self.path.with_suffix(".new")
        aside.write_text(text)
        aside.replace(self.path)  # another file, however coarse the file system's clock

    def read(self) -> Rules:
        try:
            return rules.load(self.path.read_text(), "rules.yaml")
        except OSError:
            raise ConfigurationError("the rules file cannot be read") from None

    def look(self) -> None:
        asyncio.run(self.reload.look())

    @property
    def failed(self) -> float | None:
        return self.metrics.registry.get_sample_value("gradewatch_rules_reload_failed")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "rules.yaml")


def digest(text: str) -> str:
    return rules.load(text, "rules.yaml").hash


def test_the_rules_are_announced_at_the_start(stage: Stage) -> None:
    assert stage.topic.announced == stage.taken == [digest(FIVE)]
    assert stage.failed == 0


def test_a_changed_file_is_announced_once(stage: Stage) -> None:
    stage.write(NINE)
    stage.look()
    stage.look()

    assert stage.topic.announced == stage.taken == [digest(FIVE), digest(NINE)]


def test_comments_and_layout_announce_nothing(stage: Stage) -> None:
    stage.topic.announced.append("of another worker")
    stage.write(f"# what alerts\n{FIVE}")
    stage.look()

    assert stage.topic.announced[-1] == "of another worker"


def test_a_file_that_did_not_change_outshouts_nobody_unless_told_to(stage: Stage) -> None:
    stage.topic.announced.append("of another worker")
    stage.look()
    assert stage.topic.announced[-1] == "of another worker"

    stage.reload.look_now()
    stage.look()
    assert stage.topic.announced[-1] == digest(FIVE)


def test_a_wrong_file_changes_nothing_and_is_said_once(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        stage.write(WRONG)
        stage.look()

    assert stage.topic.announced == [digest(FIVE)]
    assert stage.failed == 1
    assert "rules.yaml:1:" in stage.reload.failed
    assert stage.reload.rules.hash == digest(FIVE)
    [said] = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert "rules.yaml:1:" in said.getMessage()
    assert digest(FIVE) in said.getMessage()


@pytest.mark.parametrize("then", [FIVE, NINE])
def test_a_mended_file_is_well_again(stage: Stage, then: str) -> None:
    stage.write(WRONG)
    stage.look()
    stage.write(then)
    stage.look()

    assert (stage.reload.failed, stage.failed) == ("", 0)
    assert stage.topic.announced[-1] == digest(then)


def test_a_file_that_is_gone_changes_nothing_until_it_is_back(stage: Stage) -> None:
    stage.path.unlink()
    stage.look()
    assert stage.failed == 1

    stage.write(NINE)
    stage.look()
    assert stage.topic.announced[-1] == digest(NINE)


def test_while_kafka_is_away_it_is_tried_again_at_every_look(stage: Stage) -> None:
    stage.topic.away = True
    stage.write(NINE)
    stage.look()
    assert stage.failed == 1
    assert stage.taken == [digest(FIVE)]

    stage.topic.away = False
    stage.look()
    assert stage.topic.announced == stage.taken == [digest(FIVE), digest(NINE)]
    assert stage.failed == 0


def test_a_start_fails_where_the_rules_cannot_be_announced(stage: Stage) -> None:
    stage.topic.away = True

    with pytest.raises(BrokerError):
        stage.reload.begin()
