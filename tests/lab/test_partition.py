"""One of three hosts can't be reached any more: it serves nothing wrong, the others go on, and it is back by itself."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any, NamedTuple

import pytest

from tests.lab.attempts import Attempts
from tests.lab.harness import Stack, brought_up, eventually, long_drill, run
from tests.lab.hosts import Host, hosts, over_hosts

pytestmark = [pytest.mark.lab, pytest.mark.drill, long_drill]

NUMBER = 76
STACK = f"t{NUMBER}"
VIP = f"10.86.{NUMBER}.250"
GALERA = [f"{STACK}-galera{number}" for number in (1, 2, 3)]
"""The first is on this machine."""
PROXIES = [f"{STACK}-haproxy{number}" for number in (2, 3)]
FAILOVER_SECONDS, RETURN_SECONDS = 15, 120
QUORUM_SECONDS = 30
"""Within which a member of Galera that is alone notices it."""


class Place(NamedTuple):
    """A host behind ssh, and what the lab has there."""

    host: Host
    galera: str
    proxy: str

    def do(self, container: str, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in a container, whether or not the host has its cable."""
        quoted = " ".join(
            f"'{word}'" for word in ("docker", "exec", "-e", "MYSQL_PWD=of-this-test", container, *command)
        )
        return self.host.at_console(quoted, check=check)

    def has_vip(self) -> bool:
        """Say whether the proxy has the VIP, be it for this host alone."""
        return f" {VIP}/" in self.do(self.proxy, "ip", "-4", "-oneline", "address", "show", "dev", "eth0").stdout


class Writer:
    """Writes rows through the VIP from a container of this machine, each by a connection of its own."""

    def __init__(self) -> None:
        """Make a table for the rows."""
        self.attempts = Attempts()
        sql = (
            "CREATE DATABASE written; CREATE TABLE written.rows (number INT PRIMARY KEY) ENGINE=InnoDB;"
            "GRANT ALL ON written.* TO 'writer'@'%' IDENTIFIED BY 'of-this-test'"
        )
        run("docker", "exec", "-i", GALERA[0], "mariadb", stdin=sql)

    def writing(self) -> AbstractContextManager[None]:
        """Write all the time, while this is entered."""
        return self.attempts.making(self._write)

    @staticmethod
    def _write(number: int) -> None:
        row = insert(number)
        run("docker", "exec", "-e", "MYSQL_PWD=of-this-test", GALERA[0], "timeout", "10", *row)


def insert(number: int, *, host: str = VIP) -> tuple[str, ...]:
    """Return the command that writes a row through a host."""
    statement = f"INSERT INTO written.rows VALUES ({number})"
    return ("mariadb", f"--host={host}", "--user=writer", "--connect-timeout=3", "--execute", statement)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Place]]:
    """Switch two hosts on."""
    with hosts(tmp_path_factory.mktemp("hosts"), "dsh-left", "dsh-right") as made:
        yield [Place(*each) for each in zip(made, GALERA[1:], PROXIES, strict=True)]


@pytest.fixture(scope="module")
def made(places: list[Place], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Bring a lab up over this machine and them, with a member of the database on each."""
    containers: dict[str, dict[str, Any]] = {
        f"{STACK}-dns": {"role": "dnsmasq", "host": "local"},
        f"{STACK}-puppet": {"role": "puppet", "host": "local"},
        GALERA[0]: {"role": "galera", "host": "local"},
    }
    for name, place in zip(("left", "right"), places, strict=True):
        containers[place.galera] = {"role": "galera", "host": name}
        containers[place.proxy] = {"role": "haproxy", "host": name}
    given = over_hosts(NUMBER, containers, left=places[0].host, right=places[1].host)
    with brought_up(STACK, tmp_path_factory.mktemp("stacks"), given) as stack:
        yield stack


@pytest.fixture(scope="module")
def writer(made: Stack) -> Writer:
    return Writer()


def rows(asked: Callable[..., subprocess.CompletedProcess[str]]) -> set[int]:
    """Return the rows that a member has, once it has all that the others have; an error where it is alone."""
    query = "SET SESSION wsrep_sync_wait=1; SELECT number FROM written.rows"
    return {int(line) for line in asked("mariadb", "-N", "-B", "-e", query).stdout.split()}


@pytest.mark.parametrize("has_vip", [True, False], ids=["with the VIP", "without the VIP"])
def test_the_minority_serves_nothing_wrong_and_joins_again(
    made: Stack, places: list[Place], writer: Writer, has_vip: bool
) -> None:
    (alone,) = (place for place in places if place.has_vip() == has_vip)
    (other,) = (place for place in places if place is not alone)
    with writer.writing():
        alone.host.unplug()
        since = time.monotonic()
        try:
            took = eventually("the others have the VIP", other.has_vip, FAILOVER_SECONDS)
            print(f"\nVIP among the others after {took:.1f} s")
            eventually("rows are written", lambda: writer.attempts.is_steady(since), RETURN_SECONDS)
            failed = [each.ended for each in writer.attempts.failed(since)]
            print(f"all well after {max([since, *failed]) - since:.1f} s, {len(failed)} failed")
            took = eventually("it notices that it is alone", lambda: refuses(alone), QUORUM_SECONDS, 1)
            # Its proxy has the VIP for whom it reaches, and nobody behind it.
            assert alone.do(alone.galera, "timeout", "10", *insert(-1), check=False).returncode != 0
            assert alone.do(alone.galera, "timeout", "10", *insert(-2, host="127.0.0.1"), check=False).returncode != 0
        finally:
            alone.host.plug_in()
        since = time.monotonic()
        took = eventually("it has all rows again", lambda: not refuses(alone), RETURN_SECONDS, 1)
        print(f"member again after {took:.1f} s")
        eventually("one has the VIP", lambda: sum(place.has_vip() for place in places) == 1, FAILOVER_SECONDS)
        eventually("rows are written", lambda: writer.attempts.is_steady(since), RETURN_SECONDS)
    written = writer.attempts.succeeded()
    assert written
    for place in places:
        have = rows(lambda *command, place=place: place.do(place.galera, *command))
        assert written <= have and not have & {-1, -2}
    made.preview("--expect-no-changes")


def refuses(place: Place) -> bool:
    """Say whether a member of the database takes no queries."""
    with suppress(AssertionError):
        rows(lambda *command: place.do(place.galera, "timeout", "5", *command))
        return False
    return True
