"""What the keepers of all hosts tell, brought together for those who look at the page.

As long as nobody looks, no keeper is asked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

EVENTS, LOGS = "/watch/events", "/watch/logs"
LINGER_SECONDS = 30.0
"""How long keepers are followed after the last one who looked has gone: a page that is loaded anew finds all there."""
AGAIN_SECONDS = 1.0
SILENCE_SECONDS = 15.0
"""A keeper says something every 5 seconds: one that doesn't has gone."""
WAITING = 2000
"""How many messages may wait for a browser that doesn't read."""
KEPT_EVENTS = 400

Message = tuple[str, Mapping[str, Any]]


class Picture:
    """The lab as the keepers have told it last."""

    def __init__(self, hosts: list[str]) -> None:
        """Know nothing yet of some hosts."""
        self.hosts: dict[str, dict[str, Any]] = {name: self._silent() for name in hosts}

    @staticmethod
    def _silent() -> dict[str, Any]:
        return {"silent": True, "containers": {}, "bridges": [], "resources": [], "events": []}

    def lose(self, host: str) -> Message | None:
        """Take note that a host's keeper doesn't answer; return what is to be told of it, if that is new."""
        if self.hosts[host]["silent"]:
            return None
        self.hosts[host] = {**self._silent(), "events": self.hosts[host]["events"]}
        return "silent", {"host": host}

    def take(self, host: str, what: str, told: Any) -> Message | None:
        """Take in what a keeper tells; return what is to be told of it, if anything.

        Args:
            host: whose keeper it is.
            what: the kind of message.
            told: the message. A kind that is unknown is one of another version's, and left out.
        """
        mine = self.hosts[host]
        if what == "state":
            mine |= {key: told[key] for key in ("bridges", "resources", "events")}
            mine |= {"silent": False, "containers": {each["name"]: each for each in told["containers"]}}
            return "host", {"host": host, **mine}
        if what == "container":
            mine["containers"][told["name"]] = told
        elif what == "gone":
            mine["containers"].pop(told["name"], None)
        elif what in ("bridges", "resources"):
            mine[what] = told
        elif what == "event":
            mine["events"] = [*mine["events"], told][-KEPT_EVENTS:]
        else:
            return None
        return what, {"host": host, "told": told}


def messages(buffer: str) -> tuple[list[tuple[str, Any]], str]:
    """Return the messages at the beginning of a stream of server-sent events, and what is left of it."""
    *whole, rest = buffer.split("\n\n")
    found = []
    for block in whole:
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "data" in fields:
            found.append((fields.get("event", ""), json.loads(fields["data"])))
    return found, rest


class Keepers:
    """Follows all keepers while somebody looks."""

    def __init__(self, urls: Mapping[str, str], token: str) -> None:
        """Take the URL of each host's keeper, and the token that they know us by."""
        self._urls = urls
        self._headers = {"Authorization": f"Bearer {token}"}
        self._looking: set[asyncio.Queue[Message | None]] = set()
        self._following: list[asyncio.Task[None]] = []
        self._end: asyncio.TimerHandle | None = None
        self.picture = Picture(list(urls))

    @asynccontextmanager
    async def look(self) -> AsyncIterator[asyncio.Queue[Message | None]]:
        """Give a queue of all that the keepers tell from now on; None in it means that no more will come."""
        mine: asyncio.Queue[Message | None] = asyncio.Queue(WAITING + 1)
        self._looking.add(mine)
        if self._end:
            self._end.cancel()
            self._end = None
        if not self._following:
            self._following = [asyncio.create_task(self._follow(host)) for host in self._urls]
        try:
            yield mine
        finally:
            self._looking.discard(mine)
            if not self._looking:
                self._end = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._leave)

    async def logs(self, host: str, container: str) -> dict[str, list[str]]:
        """Return the last lines of a container's logs.

        Raises:
            OSError: the host's keeper doesn't tell.
        """
        timeout = aiohttp.ClientTimeout(total=SILENCE_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=self._headers) as client,
                client.get(self._urls[host] + LOGS, params={"container": container}, raise_for_status=True) as answer,
            ):
                return dict(await answer.json())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise OSError(str(error)) from error

    def _leave(self) -> None:
        for task in self._following:
            task.cancel()
        self._following = []
        for host in self._urls:
            self.picture.lose(host)

    async def _follow(self, host: str) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=SILENCE_SECONDS, sock_read=SILENCE_SECONDS)
        while True:
            try:
                async with (
                    aiohttp.ClientSession(timeout=timeout, headers=self._headers) as client,
                    client.get(self._urls[host] + EVENTS, raise_for_status=True) as answer,
                ):
                    async for what, told in _told(answer):
                        self._tell(self.picture.take(host, what, told))
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                if not self.picture.hosts[host]["silent"]:
                    print(f"the keeper of host {host} doesn't answer: {error}", flush=True)
            self._tell(self.picture.lose(host))
            await asyncio.sleep(AGAIN_SECONDS)

    def _tell(self, message: Message | None) -> None:
        if message is None:
            return
        for each in list(self._looking):
            if each.qsize() >= WAITING:
                # It comes again, and gets all there is.
                self._looking.discard(each)
                each.put_nowait(None)
            else:
                each.put_nowait(message)


async def _told(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    buffer = ""
    async for chunk in answer.content.iter_any():
        found, buffer = messages(buffer + chunk.decode())
        for each in found:
            yield each


def everything(picture: Picture) -> Iterator[Message]:
    """Return what one who begins to look is told first."""
    for name, host in picture.hosts.items():
        yield ("silent", {"host": name}) if host["silent"] else ("host", {"host": name, **host})
