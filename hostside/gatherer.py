"""Work on many things together that come one by one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Gatherer(Generic[T]):
    """Hands over what comes: the first at once, and what comes soon after it as one group.

    Who comes alone doesn't wait; of a hundred in a row none waits longer than the pause and a group's work.
    """

    def __init__(self, pause: float, work: Callable[[dict[str, T]], object]) -> None:
        """Take the least seconds between two groups, and what is done with a group; it must not raise."""
        self._pause, self._work = pause, work
        self._come: dict[str, T] = {}
        self._news = threading.Condition()
        threading.Thread(target=self._serve, daemon=True).start()

    def add(self, name: str, item: T) -> None:
        """Hand over something; of several of one name, the last counts."""
        with self._news:
            self._come[name] = item
            self._news.notify()

    def _serve(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._come)
                group, self._come = self._come, {}
            self._work(group)
            time.sleep(self._pause)
