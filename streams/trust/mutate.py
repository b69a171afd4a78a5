"""Which mutants of some rules their tests notice."""

from __future__ import annotations

from multiprocessing import get_context
from typing import TYPE_CHECKING, NamedTuple

from streams.trust.mutants import mutants
from streams.trust.story import tell
from streams.trust.trial import passes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.core.rules import Rules
    from streams.trust.story import Story
    from streams.trust.testfile import RuleTests


class Score(NamedTuple):
    """What became of the mutants.

    Attributes:
        noticed: How many some test failed for.
        survivors: Names of those that all tests pass.
        equivalent: Names of those that the file says no test can notice.
        wrong: What the file says of mutants, and is not so.
    """

    noticed: int
    survivors: tuple[str, ...]
    equivalent: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def percent(self) -> float:
        """How many of those that can be noticed were, in percent."""
        total = self.noticed + len(self.survivors)
        return 100 * self.noticed / total if total else 100.0


class _Tests(NamedTuple):
    tests: RuleTests
    stories: Sequence[Story]


_held: list[_Tests] = []
"""In a process of the pool: the tests it runs."""


def measure(
    tests: RuleTests,
    rules: Rules,
    processes: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> Score:
    """Run the tests for every mutant.

    Args:
        tests: The file; its tests pass on the rules as they are.
        rules: The original.
        processes: How many to share the work among.
        on_progress: Told how many of how many mutants are done.
    """
    made = [*mutants(rules)]
    stories = [tell(test, tests.start) for test in tests.tests]
    named = {one.mutant for one in tests.equivalent}
    survived: list[str] = []
    given = _Tests(tests, stories)
    with get_context("spawn").Pool(processes, _hold, (given,)) as pool:
        verdicts = pool.imap(_survives, [mutant.rules for mutant in made], chunksize=4)
        for number, (mutant, survives) in enumerate(zip(made, verdicts, strict=True), 1):
            if survives:
                survived.append(mutant.name)
            if on_progress:
                on_progress(number, len(made))
    equivalent = tuple(name for name in survived if name in named)
    known = {mutant.name for mutant in made}
    wrong = [f"{name}: there is no such mutant" for name in sorted(named - known)]
    wrong += [f"{name}: a test notices it" for name in sorted(named & known - {*survived})]
    return Score(
        len(made) - len(survived),
        tuple(name for name in survived if name not in named),
        equivalent,
        tuple(wrong),
    )


def _hold(given: _Tests) -> None:
    _held[:] = [given]


def _survives(rules: Rules) -> bool:
    [held] = _held
    return passes(held.tests, held.stories, rules)
