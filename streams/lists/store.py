"""The alerts in memory: kept in every order that lists have, found by student, course and id.

Nothing here knows Kafka or waits: one thread changes it and asks it.
"""

from __future__ import annotations

from collections import defaultdict
from heapq import merge
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sortedcontainers import SortedDict

from streams.core import actions
from streams.core.actions import Work
from streams.lists import held as records
from streams.lists import visible
from streams.lists.query import STATES, Sort, cursor, filters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from streams.access.roles import Person
    from streams.core.actions import Action
    from streams.lists.held import Held, Order, Step
    from streams.lists.query import Query

COUNTED: Final = 10_000
"""Alerts looked at to say how many there are, at most: a list answers within milliseconds."""


class Page(NamedTuple):
    """A part of a list.

    Attributes:
        items: Alerts as the person is shown them.
        total: How many the whole list has; where ``more``, at least.
        more: Whether there are more than were counted.
        next_cursor: Asks for what follows; None: nothing does.
    """

    items: list[dict[str, Any]]
    total: int
    more: bool
    next_cursor: str | None


class Alerts:
    """The latest record of every alert, and what people did about it.

    Attributes:
        positions: Partition of ``grade-alerts-state`` → offset taken last.
    """

    def __init__(self) -> None:
        """Start with none."""
        self.positions: dict[int, int] = {}
        self._held: dict[str, Held] = {}
        self._by_id: dict[str, str] = {}
        self._of_student: defaultdict[str, set[str]] = defaultdict(set)
        self._of_course: defaultdict[str, set[str]] = defaultdict(set)
        self._orders: dict[tuple[str, Sort], SortedDict] = {
            (state, sort): SortedDict() for state in STATES for sort in Sort
        }
        self._actions: dict[str, tuple[Action, int, int]] = {}

    def __len__(self) -> int:
        """Return how many are held, of all audiences."""
        return len(self._held)

    def take_alert(
        self, key: bytes, value: bytes | None, partition: int, offset: int
    ) -> Held | None:
        """The record is what is known of its alert.

        Args:
            key: The fingerprint.
            value: As on ``grade-alerts-state``; None: it is forgotten.
            partition: Its partition.
            offset: Its offset.

        Returns:
            It as it is held; None: it is not.

        Raises:
            ValueError: It is no alert of this key; nothing has changed but the position.
            msgspec.MsgspecError: It is no alert; likewise.
        """
        self.positions[partition] = offset
        fingerprint = key.decode()
        before = self._held.get(fingerprint)
        held = None if value is None else records.hold(value, partition, offset, before)
        if held is not None and held.listed.fingerprint != fingerprint:
            raise ValueError("another fingerprint than its key")
        if before is not None:
            self._drop(before)
        if held is not None:
            self._keep(fingerprint, held)
        return held

    def take_action(self, key: bytes, value: bytes | None, partition: int, offset: int) -> None:
        """The record is what was done about its alert.

        Args:
            key: The fingerprint.
            value: As on ``grade-alert-actions``; None: it is forgotten.
            partition: Its partition.
            offset: Its offset.

        Raises:
            msgspec.MsgspecError: It is no action; nothing has changed.
        """
        if value is None:
            self._actions.pop(key.decode(), None)
        else:
            self._actions[key.decode()] = (actions.decode(value), partition, offset)

    def forget_before(self, starts: dict[int, int], action_starts: dict[int, int]) -> int:
        """What Kafka no longer holds is not held here.

        Args:
            starts: Partition of ``grade-alerts-state`` → its first offset now.
            action_starts: Likewise of ``grade-alert-actions``.

        Returns:
            How many alerts were forgotten.
        """
        gone = [one for one in self._held.values() if one.offset < starts.get(one.partition, 0)]
        for held in gone:
            self._drop(held)
        for fingerprint, (_, partition, offset) in list(self._actions.items()):
            if offset < action_starts.get(partition, 0):
                del self._actions[fingerprint]
        return len(gone)

    def learn(self, alert_id: str, steps: Iterable[Step]) -> None:
        """Steps that were compacted away are known again, while their alert is held."""
        fingerprint = self._by_id.get(alert_id)
        if fingerprint is not None:
            self._held[fingerprint].steps.update((step.seq, step) for step in steps)

    def one(self, alert_id: str, person: Person) -> Held | None:
        """Return an alert that a person may see; None: there is none, or not for them."""
        fingerprint = self._by_id.get(alert_id)
        held = None if fingerprint is None else self._held[fingerprint]
        return held if held is not None and visible.sees(person, held.listed) else None

    def find(self, query: Query, person: Person) -> Page:
        """Return a part of a list.

        Args:
            query: What is asked for.
            person: Who asks: they get what they may see, and it is counted for them.
        """
        passing, work = filters(query), query.work
        found, total, last = list[dict[str, Any]](), 0, None
        next_cursor, looked = None, 0
        after, sort = query.after, query.sort
        for held in self._candidates(query, person):
            looked += 1
            if looked > COUNTED and next_cursor is not None:
                return Page(found, total, more=True, next_cursor=next_cursor)
            if not (
                all(passes(held) for passes in passing)
                and visible.sees(person, held.listed)
                and (work is None or self._work(held) == work)
            ):
                continue
            total += 1
            if after is not None and held.orders[sort] <= after:
                continue
            if len(found) < query.limit:
                found.append(self.shown(records.item(held), held, person))
                last = held
            elif last is not None and next_cursor is None:
                next_cursor = cursor(last, sort)
        return Page(found, total, more=False, next_cursor=next_cursor)

    def open_of(
        self, tenant: str, person: Person, student_id: str | None, course_id: str | None
    ) -> list[dict[str, Any]]:
        """Return the open alerts of a student, of a course, or of both, the loudest first."""
        of_course = self._of_course.get(course_id or "", set())
        of_student = self._of_student.get(student_id or "", set())
        if student_id is None:
            narrow = of_course
        elif course_id is None:
            narrow = of_student
        else:  # a page asks for hundreds of rows of one student, or of one course
            narrow = of_course & of_student
        found = [
            held
            for held in map(self._held.__getitem__, narrow)
            if held.listed.state == "firing"
            and held.listed.tenant == tenant
            and course_id in {None, held.listed.course_id}
            and visible.sees(person, held.listed)
        ]
        found.sort(key=lambda held: held.orders[Sort.SEVERITY])
        return [self.shown(records.item(held), held, person) for held in found]

    def after(self, positions: dict[int, int]) -> Iterator[Held]:
        """Yield what has changed since some positions, as it is now, in the order of its change."""
        changed = [
            held for held in self._held.values() if held.offset > positions.get(held.partition, -1)
        ]
        yield from sorted(changed, key=lambda held: (held.listed.changed_at, held.offset))

    def shown(self, told: dict[str, Any], held: Held, person: Person) -> dict[str, Any]:
        """Return an alert as a person is shown it, with what was done about it.

        Args:
            told: `records.item` or `records.whole` of it; it is changed.
            held: The alert.
            person: Who asks. Students are not shown what staff note.
        """
        visible.cut(told, person.eyes)
        if "work" not in visible.hidden(person.eyes):
            told["work"] = self.work(held)
        return told

    def work(self, held: Held) -> dict[str, Any]:
        """Return what was done about an alert: its state; where any was, who and when."""
        action = self.action(held)
        if action is None:
            return {"state": Work.NEW.value}
        return {
            "state": action.state.value,
            "note": action.note,
            "wrong": action.wrong,
            "by": action.by,
            "at": action.at,
        }

    def action(self, held: Held) -> Action | None:
        """Return what was done about this alert, not about an earlier one of its fingerprint."""
        found = self._actions.get(held.listed.fingerprint)
        return found[0] if found and found[0].alert_id == held.listed.alert_id else None

    def _work(self, held: Held) -> str:
        action = self.action(held)
        return Work.NEW if action is None else action.state

    def _candidates(self, query: Query, person: Person) -> Iterable[Held]:
        """Return, in order, the fewest alerts that surely hold all that are asked for."""
        students, courses = query.student_ids or person.students, query.course_ids or person.courses
        place = _place(query.sort)
        if students is None and courses is None:
            states = STATES if query.state is None else (query.state,)
            return merge(*(self._orders[state, query.sort].values() for state in states), key=place)
        if students is not None:
            index, wanted = self._of_student, students
        else:
            index, wanted = self._of_course, courses or frozenset()
        fingerprints = {each for one in wanted for each in index.get(one, ())}
        return sorted(map(self._held.__getitem__, fingerprints), key=place)

    def _keep(self, fingerprint: str, held: Held) -> None:
        self._held[fingerprint] = held
        self._by_id[held.listed.alert_id] = fingerprint
        if held.listed.student_id is not None and held.listed.course_id is not None:
            self._of_student[held.listed.student_id].add(fingerprint)
            self._of_course[held.listed.course_id].add(fingerprint)
        for sort in Sort:
            self._orders[_state(held), sort][held.orders[sort]] = held

    def _drop(self, held: Held) -> None:
        listed = held.listed
        del self._held[listed.fingerprint]
        del self._by_id[listed.alert_id]
        for index, number in (
            (self._of_student, listed.student_id), (self._of_course, listed.course_id),
        ):  # fmt: skip
            if number is not None and number in index:
                index[number].discard(listed.fingerprint)
                if not index[number]:
                    del index[number]
        for sort in Sort:
            self._orders[_state(held), sort].pop(held.orders[sort], None)


def _state(held: Held) -> str:
    return "firing" if held.listed.state == "firing" else "resolved"


def _place(sort: Sort) -> Callable[[Held], Order]:
    return lambda held: held.orders[sort]
