"""What has happened to a stack's containers on this host, for those who follow it as it happens, or ask later.

It is kept in memory: a keeper that starts anew begins with what the records of the operations tell.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hostside import applied

KEPT = 400
"""How many events are kept."""
WAITING = 2000
"""How many messages may wait for a follower. A slower one is cut off, and connects again."""
TOOL = {"provision": "provisioned", "health-await": "healthy", "port-attach": "port", "ports-attach": "port"}
"""Kinds of the events that operations leave; ``tool`` for any other."""

Message = tuple[str, Any]
"""The kind of a message, and its content, which JSON can hold."""


@dataclass(frozen=True)
class Event:
    """Something that happened."""

    time: float
    """Seconds since the epoch."""
    kind: str
    subject: str
    """The container, or what else it happened to."""
    text: str


class Journal:
    """The latest events, and who follows them; several threads may."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = threading.Lock()
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._following: list[queue.Queue[Message | None]] = []
        self._read = 0.0

    def record(self, kind: str, subject: str, text: str, when: float | None = None) -> None:
        """Keep an event, and tell it to all who follow.

        Args:
            kind: of what kind it is.
            subject: what it happened to.
            text: what happened, for people.
            when: seconds since the epoch; now, if not given.
        """
        event = Event(time.time() if when is None else when, kind, subject, text)
        with self._lock:
            self._events.append(event)
        self.tell("event", asdict(event))

    def events(self) -> list[dict[str, Any]]:
        """Return the events that are kept, the oldest first."""
        with self._lock:
            return [asdict(event) for event in sorted(self._events, key=lambda event: event.time)]

    def tell(self, what: str, told: Any) -> None:
        """Send a message to all who follow."""
        with self._lock:
            following = list(self._following)
        for each in following:
            try:
                each.put_nowait((what, told))
            except queue.Full:
                self._leave(each)

    @property
    def followed(self) -> int:
        """Return how many follow."""
        return len(self._following)

    @contextmanager
    def follow(self) -> Iterator[queue.Queue[Message | None]]:
        """Give a queue of all that is told from now on; None in it means that no more will come."""
        mine: queue.Queue[Message | None] = queue.Queue(WAITING)
        with self._lock:
            self._following.append(mine)
        try:
            yield mine
        finally:
            self._leave(mine)

    def read_records(self, directory: Path) -> None:
        """Note what operations were carried out since this was called last: each leaves a record when it is done.

        Args:
            directory: the stack's directory on this host.
        """
        found: list[tuple[float, str]] = []
        for path in (directory / applied.DIRECTORY).glob("*.json"):
            try:
                changed = path.stat().st_mtime
            except FileNotFoundError:
                continue
            if changed > self._read:
                found.append((changed, path.stem))
        for changed, name in sorted(found):
            operation, _, subject = name.partition(" ")
            self.record(TOOL.get(operation, "tool"), subject.partition(" ")[0], f"{operation}: done", changed)
            self._read = changed

    def _leave(self, following: queue.Queue[Message | None]) -> None:
        with self._lock:
            if following not in self._following:
                return
            self._following.remove(following)
        # The last message has to fit in.
        while True:
            try:
                following.put_nowait(None)
                return
            except queue.Full:
                following.get_nowait()
