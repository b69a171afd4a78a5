"""What the doctor says of one thing: how it is, what shows it, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Generator
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from streams.errors import GradewatchError, place

if TYPE_CHECKING:
    from streams.doctor.patient import Patient


class State(StrEnum):
    """How a thing is; the worst last."""

    OK = "ok"
    WARN = "warn"
    """It works, and may cease to; or it could not be looked at."""
    FAIL = "fail"
    """A worker does not start, or does not work right."""

    @property
    def gravity(self) -> int:
        """0 ok, 1 warn, 2 fail: also what the command exits with."""
        return list(State).index(self)


class Finding(NamedTuple):
    """One line of the report.

    Attributes:
        check: What was looked at.
        state: How it is.
        evidence: What shows it: names and numbers, never a secret, never a person.
        remedy: What to do; "" where nothing is to be done.
    """

    check: str
    state: State
    evidence: str
    remedy: str = ""


class Problem(NamedTuple):
    """What a check found wrong: a `Finding` that does not know its check."""

    state: State
    evidence: str
    remedy: str


def warn(evidence: str, remedy: str) -> Problem:
    """Return a problem that a worker lives with."""
    return Problem(State.WARN, evidence, remedy)


def fail(evidence: str, remedy: str) -> Problem:
    """Return a problem that a worker does not live with."""
    return Problem(State.FAIL, evidence, remedy)


def failure(error: GradewatchError) -> Problem:
    """Return a failure of ours as a problem: it names cause and next step already."""
    cause, _, _ = str(error).partition("\n  next: ")
    return fail(cause, error.next_step or "correct what it names")


Look = Generator[Problem, None, str]
"""Problems, one after another; at last what was seen, to be shown where there was none."""


class Check(NamedTuple):
    """Something that the doctor looks at.

    Attributes:
        name: Names it in the report.
        look: Looks.
        asks_kafka: Whether that needs a Kafka that answers.
    """

    name: str
    look: Callable[[Patient], Look]
    asks_kafka: bool = True

    def made(self, patient: Patient) -> list[Finding]:
        """Return what is found: one finding where all is well, else one for each problem."""
        found: list[Finding] = []
        looking = self.look(patient)
        try:
            while True:
                found.append(Finding(self.name, *next(looking)))
        except StopIteration as seen:
            return found or [Finding(self.name, State.OK, seen.value)]
        except GradewatchError as error:
            problem = failure(error)
            return [*found, self.not_made(problem.evidence, problem.remedy)]
        except Exception as error:  # noqa: BLE001 - the other checks are still worth making
            return [*found, self.not_made(f"a bug of ours, {place(error)}", "please report it")]

    def not_made(self, why: str, remedy: str) -> Finding:
        """Return the finding of a check that could not be made: nobody knows, so not ok."""
        return Finding(self.name, State.WARN, f"not looked at: {why}", remedy)
