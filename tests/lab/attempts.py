"""What a test does again and again beside a fault, and what it notices of that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

STEADY_SECONDS = 6.0
"""How long all has to succeed before a fault is taken for over: longer than a cluster waits for a lost member."""
LAST_SECONDS = 120.0
"""How long the last attempt may take."""


class Attempt(NamedTuple):
    """An attempt: its number, when it began and ended by the monotonic clock, and why it failed, if it did."""

    number: int
    begun: float
    ended: float
    failure: str = ""


class Attempts:
    """Attempts of one kind, and what came of them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._all: list[Attempt] = []

    def add(self, attempt: Attempt) -> None:
        """Take in one that was made elsewhere."""
        self._all.append(attempt)

    @contextmanager
    def making(self, work: Callable[[int], object], pause: float = 0.2) -> Iterator[None]:
        """Make attempts on a thread of its own while this is entered; one that raises something has failed.

        Args:
            work: makes one, given its number.
            pause: seconds between two of them.
        """
        ending = threading.Event()
        thread = threading.Thread(target=self._repeat, args=(work, pause, ending), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join(LAST_SECONDS)

    def _repeat(self, work: Callable[[int], object], pause: float, ending: threading.Event) -> None:
        while not ending.wait(pause):
            number, begun, failure = len(self._all) + 1, time.monotonic(), ""
            try:
                work(number)
            except Exception as error:
                failure = f"{type(error).__name__}: {error}"
            self.add(Attempt(number, begun, time.monotonic(), failure))

    def since(self, moment: float) -> list[Attempt]:
        """Return those that ended after a moment."""
        return [each for each in list(self._all) if each.ended > moment]

    def failed(self, since: float) -> list[Attempt]:
        """Return those that failed after a moment."""
        return [each for each in self.since(since) if each.failure]

    def succeeded(self) -> set[int]:
        """Return the numbers of those that succeeded."""
        return {each.number for each in list(self._all) if not each.failure}

    def is_steady(self, since: float) -> bool:
        """Say whether none has failed for a while, all of it after a moment, and another has been begun meanwhile."""
        quiet = max([since, *(each.ended for each in self.failed(since))])
        return time.monotonic() - quiet > STEADY_SECONDS and any(each.begun > quiet for each in self.since(quiet))
