"""Somebody who is not in a lab, and whose packets the host would forward there."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from tests.lab.harness import run

SEEK_SECONDS, SEEKERS = 2, 32


@dataclass(frozen=True)
class Neighbour:
    """A network namespace with the host as its router."""

    space: str
    router: str
    """The host's address on the way to it."""

    def reached(self, targets: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
        """Return those of some ports that it can connect to, after it has shown that it can connect to any."""
        with socket.create_server((self.router, 0)) as server:
            assert self._reaches(server.getsockname())
        listed = list(targets)
        with ThreadPoolExecutor(SEEKERS) as pool:
            return [target for target, found in zip(listed, pool.map(self._reaches, listed), strict=True) if found]

    def _reaches(self, target: tuple[str, int]) -> bool:
        seek = ("timeout", str(SEEK_SECONDS), "bash", "-c", f"</dev/tcp/{target[0]}/{target[1]}")
        return run("ip", "netns", "exec", self.space, *seek, check=False).returncode == 0


@contextmanager
def neighbour(name: str, router: str, address: str) -> Iterator[Neighbour]:
    """Put a neighbour beside the host.

    Args:
        name: of the namespace, and, cut to what fits, of the host's interface to it.
        router: the host's address on that interface.
        address: the neighbour's, of the same network of 256.
    """
    link, within = name[:15], ("ip", "-n", name)
    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "address", "add", f"{router}/24", "dev", link)
        run("ip", "link", "set", link, "up")
        run(*within, "address", "add", f"{address}/24", "dev", "eth0")
        run(*within, "link", "set", "eth0", "up")
        run(*within, "route", "add", "default", "via", router)
        yield Neighbour(name, router)
    finally:
        run("ip", "netns", "delete", name)
