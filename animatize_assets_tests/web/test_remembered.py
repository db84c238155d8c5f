"""An answer is computed again when something is new, and never all the time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from animatize_assets.web.remembered import (
    LONG_S,
    LONGEST_S,
    OLDEST_S,
    REST,
    Remembered,
    Timed,
)


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Work:
    """Takes some seconds of the clock, and counts."""

    def __init__(self, clock: Clock, took_s: float) -> None:
        self._clock = clock
        self._took_s = took_s
        self.done = 0

    def __call__(self) -> int:
        self._clock.seconds += self._took_s
        self.done += 1
        return self.done


def test_it_is_kept_while_nothing_is_new_but_not_for_ever() -> None:
    clock = Clock()
    remembered, work = Remembered(clock), Work(clock, 0.5)
    assert remembered.get("a", 1, work) == 1
    clock.seconds += LONGEST_S - 0.01
    assert remembered.get("a", 1, work) == 1
    clock.seconds += 0.01
    assert remembered.get("a", 1, work) == 2


def test_where_all_is_new_it_rests_four_times_as_long_as_it_worked() -> None:
    clock = Clock()
    remembered, work = Remembered(clock), Work(clock, 0.5)
    remembered.get("a", 1, work)
    clock.seconds += 0.5 * REST - 0.01
    assert remembered.get("a", 2, work) == 1
    clock.seconds += 0.01
    assert remembered.get("a", 3, work) == 2


def test_what_takes_no_time_is_always_fresh() -> None:
    clock = Clock()
    remembered, work = Remembered(clock), Work(clock, 0.0)
    assert [remembered.get("a", version, work) for version in range(3)] == [1, 2, 3]


def test_keys_are_apart() -> None:
    clock = Clock()
    remembered = Remembered(clock)
    assert remembered.get("a", 1, lambda: "a") == "a"
    assert remembered.get("b", 1, lambda: "b") == "b"
    assert remembered.get("a", 1, lambda: "other") == "a"


def test_a_failure_is_not_kept() -> None:
    remembered = Remembered(Clock())
    for _ in range(2):
        try:
            remembered.get("a", 1, lambda: 1 // 0)
        except ZeroDivisionError:
            continue
        raise AssertionError
    assert remembered.get("a", 1, lambda: 7) == 7


def test_who_asks_meanwhile_waits_for_the_same_answer() -> None:
    remembered = Remembered(Clock())
    has_begun, may_end = threading.Event(), threading.Event()
    computed: list[int] = []

    def slow() -> int:
        computed.append(1)
        has_begun.set()
        assert may_end.wait(60)
        return 7

    told: list[int] = []
    first = threading.Thread(target=lambda: told.append(remembered.get("a", 1, slow)))
    first.start()
    assert has_begun.wait(60)
    second = threading.Thread(target=lambda: told.append(remembered.get("a", 1, slow)))
    second.start()
    may_end.set()
    first.join(60)
    second.join(60)
    assert told == [7, 7]
    assert computed == [1]


class Later:
    """Begins work when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, work: Callable[[], None]) -> None:
        self.waiting.append(work)


def test_nobody_waits_for_what_takes_long() -> None:
    clock, later = Clock(), Later()
    remembered, work = Remembered(clock, later), Work(clock, LONG_S)
    assert remembered.get("a", 1, work) == 1
    clock.seconds += REST * LONG_S
    assert [remembered.get("a", 2, work) for _ in range(3)] == [1, 1, 1]
    (renewal,) = later.waiting
    renewal()
    assert remembered.get("a", 2, work) == 2
    assert len(later.waiting) == 1


def test_an_answer_that_is_too_old_is_waited_for() -> None:
    clock, later = Clock(), Later()
    remembered, work = Remembered(clock, later), Work(clock, LONG_S)
    remembered.get("a", 1, work)
    clock.seconds += OLDEST_S
    assert remembered.get("a", 2, work) == 2
    assert not later.waiting


def test_a_failed_renewal_leaves_the_answer_before_and_is_tried_again() -> None:
    clock, later = Clock(), Later()
    remembered = Remembered(clock, later)
    assert remembered.get("a", 1, Work(clock, LONG_S)) == 1
    clock.seconds += LONGEST_S
    assert remembered.get("a", 1, lambda: 1 // 0) == 1
    later.waiting.pop()()
    assert remembered.get("a", 1, lambda: 7) == 1
    later.waiting.pop()()
    assert remembered.get("a", 1, lambda: 8) == 7


def test_the_start_of_what_computes_is_not_counted() -> None:
    clock, later = Clock(), Later()
    remembered, starting = Remembered(clock, later), Work(clock, 10 * LONG_S)
    assert remembered.get_timed("a", 1, lambda: Timed(starting(), 0.1).then(str)) == "1"
    clock.seconds += 0.1 * REST
    assert remembered.get_timed("a", 2, lambda: Timed("at once", 0.1)) == "at once"
    assert not later.waiting
