"""A disk that is full: what can't be written is not acknowledged, and with room again the service works again.

The host's own disk stays as it is. The service's data are moved to a small file system in memory, in the place where
they were, and a file takes all the room there: the kernel refuses any further writing of that service's, and of no
other's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from tests.lab.acknowledged import Acknowledged
from tests.lab.conftest import Lab
from tests.lab.harness import eventually, inside, inspect, long_drill, run

pytestmark = [pytest.mark.lab, pytest.mark.drill]

GIVEN_UP_SECONDS = 120
"""Longer than supervisord starts a program anew before it gives up."""
ROOM_MIB = 128
"""Room beside the data; RabbitMQ holds publishers back below 50 MB."""
AWAY = "/mnt"
"""A directory that every container has, and none uses."""


@contextmanager
def small_disk(container: str, program: str, data: str) -> Iterator[None]:
    """Keep a program's data on a file system with little room, and put them back where they were."""
    pid = inspect(container)["State"]["Pid"]

    def with_data(script: str) -> None:
        inside(container, "supervisorctl", "stop", program)
        try:
            # From the host: a container may not mount.
            run("nsenter", f"--target={pid}", "--mount", "sh", "-euc", script)
        finally:
            inside(container, "supervisorctl", "start", program)

    size = int(inside(container, "du", "-sm", data).split()[0]) + ROOM_MIB
    with_data(f"""
        mount -t tmpfs -o size={size}m,mode=0755 tmpfs {AWAY}
        cp -a {data}/. {AWAY}
        mount --move {AWAY} {data}
    """)
    try:
        yield
    finally:
        with_data(f"""
            mount --move {data} {AWAY}
            find {data} -mindepth 1 -delete
            cp -a {AWAY}/. {data}
            umount {AWAY}
        """)


@contextmanager
def full(container: str, data: str) -> Iterator[None]:
    """Take all the room that there is below a directory."""
    filler = f"{data}/filler"
    try:
        for block in ("1M", "1"):
            inside(container, "sh", "-c", f"dd if=/dev/zero bs={block} >> {filler}", check=False)
        assert inside(container, "df", "--output=avail", data).split()[-1] == "0"
        yield
    finally:
        inside(container, "rm", "-f", filler)


def drill(
    lab: Lab,
    acknowledged: Acknowledged,
    role: str,
    program: str,
    data: str,
    write: Callable[[], bool],
    seconds: float,
) -> None:
    """Fill the disk of a role's program, write on while it refuses for some time, make room, and see it work again."""
    container = lab.of_role(role)
    with small_disk(container, program, data):
        lab.await_healthy()
        acknowledged.await_all()
        with full(container, data):
            took = eventually("a write is refused", lambda: not write(), 300)
            print(f"{container}: the first write was refused {took:.1f} s after its disk was full")
            # One that ends while there is no room, as MariaDB may, can't start until there is.
            pid = inside(container, "supervisorctl", "pid", program).strip()
            inside(container, "kill", "-9", pid, check=False)
            refused = time.monotonic()
            while time.monotonic() < refused + seconds:
                write()
        since = time.monotonic()
        eventually("writes are acknowledged", write, 300)
        print(f"{container}, disk full: writes are taken {time.monotonic() - since:.1f} s after there was room")
        lab.await_healthy()
        acknowledged.await_all()
        print(f"{container}, disk full: all is back {time.monotonic() - since:.1f} s after there was room")
    lab.await_healthy()
    acknowledged.await_all()


@long_drill
def test_a_database_without_room_refuses_and_loses_nothing(lab: Lab, acknowledged: Acknowledged) -> None:
    # Pages and the log of changes are there already and take a little more: only what is large needs room.
    large = partial(acknowledged.add_user, 60_000)
    drill(lab, acknowledged, "galera", "mariadb", "/var/lib/mysql", large, GIVEN_UP_SECONDS)


@long_drill
def test_a_broker_without_room_refuses_and_loses_nothing(lab: Lab, acknowledged: Acknowledged) -> None:
    # It goes on, and holds the publishers back.
    large = partial(acknowledged.add_message, 100_000)
    drill(lab, acknowledged, "rabbitmq", "rabbitmq-server", "/var/lib/rabbitmq", large, 0)
