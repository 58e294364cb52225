"""What tests do again and again beside a fault, and when they take it for over."""

from __future__ import annotations

import threading
import time

import pytest

from tests.lab.attempts import Attempt, Attempts


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)


def made(*ended: tuple[float, str]) -> Attempts:
    found = Attempts()
    for number, (at, failure) in enumerate(ended):
        found.add(Attempt(number, at - 0.1, at, failure))
    return found


def test_a_fault_is_over_once_all_has_succeeded_for_a_while() -> None:
    assert made((91, ""), (92, "away"), (94, ""), (99, "")).is_steady(90)
    assert not made((91, ""), (95, "away"), (99, "")).is_steady(90)


def test_a_fault_that_nothing_shows_of_yet_is_not_over_and_one_of_before_does_not_count() -> None:
    assert not made((80, "away"), (99, "")).is_steady(98)
    assert made((80, "away"), (99, "")).is_steady(90)


def test_where_nothing_was_attempted_since_nothing_is_known() -> None:
    assert not made((85, ""), (92, "away")).is_steady(90)
    assert not made((85, "")).is_steady(90)


def test_what_raises_something_has_failed_and_the_next_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    done = threading.Event()

    def work(number: int) -> None:
        if number == 1:
            raise OSError("away")
        done.set()

    found = Attempts()
    with found.making(work, 0.001):
        assert done.wait(10)
    assert [(each.number, each.failure) for each in found.failed(0)] == [(1, "OSError: away")]
    assert 2 in found.succeeded() and 1 not in found.succeeded()
