"""Requests to a lab, again and again beside something else, and which of them failed when."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
import urllib.error
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from components import services
from hostside import web

INTERVAL_SECONDS = 0.25
"""How long after one request the next follows; less than what a switch of the VIP takes."""
ANSWER_SECONDS = 5.0
"""How long an answer may take."""
GREETING = frozenset(
    frontend.name for role in services.ROLES.values() for frontend in role.frontends if frontend.speaks_first
)
"""Services behind the VIP that speak first, without HTTP."""
PINGED = 10
"""How many containers are pinged, where no service is there to be asked."""


@dataclass(frozen=True)
class Attempt:
    """A request: when it began and ended, by the monotonic clock, and why it failed; nothing where it didn't."""

    began: float
    ended: float
    failure: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of the requests to one target."""

    target: str
    requests: int
    failed: int
    away: float
    """Seconds from the beginning of the first that failed to the end of the first that succeeded after the last one."""
    last: str
    """Why the last that failed did."""

    @classmethod
    def of(cls, target: str, attempts: Sequence[Attempt]) -> Outcome:
        """Sum up the requests to a target."""
        failures = [attempt for attempt in attempts if attempt.failure]
        if not failures:
            return cls(target, len(attempts), 0, 0.0, "")
        back = [each.ended for each in attempts if not each.failure and each.ended > failures[-1].ended]
        until = min(back, default=float("inf"))
        return cls(target, len(attempts), len(failures), until - failures[0].began, failures[-1].failure)


Ask = Callable[[], str]
"""Makes a request and returns why it failed; nothing where it didn't."""


class Load:
    """Requests to several targets, each on a thread of its own, while this is entered."""

    def __init__(self, targets: Mapping[str, Ask], pauses: Mapping[str, float] | None = None) -> None:
        """Take the targets by name, and the seconds between two requests where they aren't the usual ones."""
        self._pauses = pauses or {}
        self._attempts: dict[str, list[Attempt]] = {name: [] for name in targets}
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._repeat, args=each, daemon=True) for each in targets.items()]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(2 * ANSWER_SECONDS)

    def await_well(self, since: float, seconds: float) -> bool:
        """Wait until each target has answered its last request, which began after some time; say whether that came."""
        deadline = time.monotonic() + seconds
        while not (well := self._well(since)) and time.monotonic() < deadline:
            self._ending.wait(0.05)
        return well

    def _well(self, since: float) -> bool:
        lasts = [attempts[-1] if attempts else None for attempts in self._attempts.values()]
        return all(last and not last.failure and last.began > since for last in lasts)

    def outcomes(self) -> list[Outcome]:
        """Return what became of the requests, by target."""
        return [Outcome.of(name, list(attempts)) for name, attempts in self._attempts.items()]

    def _repeat(self, name: str, ask: Ask) -> None:
        while not self._ending.wait(self._pauses.get(name, INTERVAL_SECONDS)):
            began = time.monotonic()
            failure = ask()
            self._attempts[name].append(Attempt(began, time.monotonic(), failure))


def targets(outputs: Mapping[str, Any], authority: str) -> dict[str, Ask]:
    """Return what there is to ask in a lab: its services at the VIP; where that isn't known, its containers, by ping.

    Args:
        outputs: the outputs of the stack's last ``up``.
        authority: file with the authority of its certificates; empty without TLS.
    """
    at_vip = {name: url for name, url in outputs["endpoints"].items() if _host(url).startswith("vip.")}
    # This host resolves the VIP's name only in a lab with Keystone and with a proxy that holds the VIP.
    vip = {name: url for name, url in at_vip.items() if _is_known(_host(url))}
    found: dict[str, Ask] = {
        name: _web(url, authority) for name, url in vip.items() if url.startswith(("http://", "https://"))
    }
    found.update({name: _greeting(url) for name, url in vip.items() if name in GREETING})
    return found or {f"ping {name}": _ping(address) for name, address in _some(outputs["addresses"].items())}


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _is_known(name: str) -> bool:
    try:
        return bool(socket.getaddrinfo(name, None))
    except OSError:
        return False


def _some(addresses: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return list(addresses)[:PINGED]


def _web(url: str, authority: str) -> Ask:
    opener = web.opener(authority)

    def ask() -> str:
        try:
            opener.open(url, timeout=ANSWER_SECONDS).close()
        except urllib.error.HTTPError as error:
            # A refusal is an answer; from 500 on it's haproxy's or the service's own trouble.
            return f"{error.code} {error.reason}" if error.code >= 500 else ""
        except OSError as error:
            return str(error)
        return ""

    return ask


def _greeting(url: str) -> Ask:
    place = urlsplit(url)

    def ask() -> str:
        try:
            with socket.create_connection((place.hostname or "", place.port or 0), ANSWER_SECONDS) as connection:
                return "" if connection.recv(1) else "the connection was closed"
        except OSError as error:
            return str(error)

    return ask


def _ping(address: str) -> Ask:
    def ask() -> str:
        command = ["ping", "-n", "-q", "-c", "1", "-W", "1", address]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return "" if done.returncode == 0 else "no answer"

    return ask
