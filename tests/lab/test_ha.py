"""Several members of the roles below Keystone: what clients notice of a fault, and that nothing acknowledged is lost.

A client takes tokens and writes rows through the VIP all the time, each row by a connection of its own. What it noticed
of each fault is printed; docs/high-availability.md has the table.
"""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab.attempts import Attempt, Attempts
from tests.lab.harness import (
    ALL_DRILLS,
    PATIENCE_SECONDS,
    Stack,
    brought_up,
    eventually,
    example,
    inside,
    inspect,
    inventory,
    kill,
    listing,
    long_drill,
    run,
)

pytestmark = [pytest.mark.lab, pytest.mark.drill]

NAME = "t60"
VIP = "10.86.60.250"
GALERA = [f"{NAME}-galera{number}" for number in (1, 2, 3)]
PROXIES = [f"{NAME}-haproxy{number}" for number in (1, 2)]
SLOW_SECONDS = 1.0
LIMIT_SECONDS = 180
ROWS = """
import os, sys, threading, time
import pymysql

host, database, password, table = sys.argv[1:]
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
number = 0
while True:
    number += 1
    begun = time.monotonic()
    try:
        connection = pymysql.connect(
            host=host, user=database, password=password, database=database, autocommit=True,
            connect_timeout=3, read_timeout=10, write_timeout=10,
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {table} VALUES ({number})")
        failure = ""
    except (pymysql.MySQLError, OSError) as error:
        failure = repr(error)
    print(number, begun, time.monotonic(), failure, flush=True)
    time.sleep(0.2)
"""


class Client:
    """Takes tokens and writes rows, and keeps what came of it."""

    def __init__(self, stack: Stack) -> None:
        """Make a database for the rows, and begin."""
        statements = (
            "CREATE DATABASE ha",
            "CREATE TABLE ha.acknowledged (number INT PRIMARY KEY) ENGINE=InnoDB",
            "GRANT ALL ON ha.* TO 'ha'@'%' IDENTIFIED BY 'of-this-test'",
        )
        inside(GALERA[0], "mariadb", stdin="; ".join(statements))
        openrc = Path(stack.outputs()["openrc"]).read_text()
        password = run("sh", "-c", f'{openrc}\nprintf %s "$OS_PASSWORD"').stdout
        user = {"name": "admin", "domain": {"id": "default"}, "password": password}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
        self._request = urllib.request.Request(
            f"http://{VIP}:5000/v3/auth/tokens", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        self.attempts = {"token": Attempts(), "row": Attempts()}
        self._work = ExitStack()
        self._work.enter_context(self.attempts["token"].making(self._take_token))
        self._work.enter_context(self._writing())

    def end(self) -> None:
        """Have no more done."""
        self._work.close()

    def _take_token(self, _number: int) -> None:
        urllib.request.urlopen(self._request, timeout=10).close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        command = ["docker", "exec", "-i", f"{NAME}-keystone1", "python3", "-c", ROWS]
        with subprocess.Popen(
            [*command, VIP, "ha", "of-this-test", "acknowledged"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as rows:  # fmt: skip
            assert rows.stdin and rows.stdout
            reading = threading.Thread(target=self._read_rows, args=[rows.stdout], daemon=True)
            reading.start()
            try:
                yield
            finally:
                rows.stdin.close()
                reading.join()

    def _read_rows(self, rows: Iterable[str]) -> None:
        for line in rows:
            number, begun, ended, failure = line.split(" ", 3)
            self.attempts["row"].add(Attempt(int(number), float(begun), float(ended), failure.strip()))

    @contextmanager
    def meets(self, fault: str, within: float) -> Iterator[None]:
        """Bring a fault about, wait until all has succeeded for a while, and tell what was noticed.

        Args:
            fault: what it is, for people.
            within: seconds, from when it has been brought about, within which every request has to succeed again; it
                is asked for where the drills have the machine for themselves.
        """
        begun = time.monotonic()
        yield
        over = time.monotonic()
        eventually(
            f"all succeeds again after {fault}",
            lambda: all(attempts.is_steady(begun) for attempts in self.attempts.values()),
            LIMIT_SECONDS,
        )
        for kind, attempts in self.attempts.items():
            hurt = [each for each in attempts.since(begun) if each.failure or each.ended - each.begun > SLOW_SECONDS]
            seconds = max((each.ended - begun for each in hurt), default=0.0)
            failed = len(attempts.failed(begun))
            print(f"\n{fault}: {kind}s: {failed} failed, all well after {seconds:.1f} s", flush=True)
            assert begun + seconds <= over + within or not ALL_DRILLS, f"{fault}: {kind}"

    def acknowledged(self) -> set[int]:
        """Return the rows whose writing has succeeded."""
        return self.attempts["row"].succeeded()


@pytest.fixture(scope="module")
def given() -> dict[str, Any]:
    """Return the example's configuration, under names of the test's own."""
    ours = (("10.88.1.", "10.86.60."), ("br-ha-identity", f"br-{NAME}"), ("ha-identity.lab", f"{NAME}.lab"))
    return example("examples/Pulumi.ha-identity.yaml", *ours, (" ha-", f" {NAME}-"))


@pytest.fixture(scope="module")
def made(given: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Bring it up."""
    with brought_up(NAME, tmp_path_factory.mktemp("stacks"), given) as stack:
        yield stack


@pytest.fixture(scope="module")
def client(made: Stack) -> Iterator[Client]:
    found = Client(made)
    try:
        yield found
    finally:
        found.end()


def rows(container: str) -> set[int]:
    """Return the client's rows that a member of Galera has."""
    query = "SET SESSION wsrep_sync_wait=1; SELECT number FROM ha.acknowledged"
    return {int(line) for line in inside(container, "mariadb", "-N", "-B", "-e", query).split()}


def all_serve(members: list[str] | None = None) -> bool:
    """Say whether all members of Galera take queries."""
    ready = ("docker", "exec")
    script = "/etc/dockstack/bin/galera-ready"
    return all(run(*ready, each, script, check=False).returncode == 0 for each in members or GALERA)


def await_members(client: Client, members: list[str] | None = None) -> None:
    """Wait until all members are there, and compare what they have with what was acknowledged."""
    eventually("all members take queries", lambda: all_serve(members), LIMIT_SECONDS, 1)
    wanted = client.acknowledged()
    assert wanted
    for member in members or GALERA:
        assert wanted <= rows(member), member


def holder(proxies: list[str] | None = None) -> str:
    """Return the container that has the VIP."""
    return next(filter(has_vip, proxies or PROXIES))


def has_vip(container: str) -> bool:
    return f" {VIP}/" in inside(container, "ip", "-4", "-oneline", "address", "show", "dev", "eth0", check=False)


def writer() -> str:
    """Return the member of Galera that has the sessions."""
    query = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'keystone'"
    return max(GALERA, key=lambda each: int(inside(each, "mariadb", "-N", "-B", "-e", query)))


def process(container: str) -> int:
    return int(inspect(container)["State"]["Pid"])


def port(container: str) -> str:
    """Return the host's end of a container's port."""
    wanted = (f"external_ids:container_id={container}", "external_ids:container_iface=eth0")
    return run("ovs-vsctl", "--bare", "--columns=name", "find", "interface", *wanted).stdout.strip()


def test_a_second_up_changes_nothing(made: Stack) -> None:
    made.preview("--expect-no-changes")


def test_a_name_resolves_while_a_server_is_down(made: Stack) -> None:
    asking = (
        "import socket, time; begun = time.monotonic();"
        f"found = socket.getaddrinfo('{NAME}-keystone1', 5000, type=socket.SOCK_STREAM)[0][4][0];"
        "print(found, time.monotonic() - begun)"
    )
    for server in (f"{NAME}-dnsmasq1", f"{NAME}-dnsmasq2"):
        run("docker", "pause", server)
        try:
            address, seconds = inside(f"{NAME}-memcached1", "python3", "-c", asking).split()
        finally:
            run("docker", "unpause", server)
        print(f"\nname resolved without {server}: {float(seconds):.1f} s")
        assert address == "10.86.60.50"


def stop(container: str) -> None:
    run("docker", "stop", container)


def cut(container: str) -> None:
    run("ip", "link", "set", port(container), "down")


def kill_container(container: str) -> None:
    kill([process(container)])


FAULTS: dict[str, Callable[[str], None]] = {"kill -9": kill_container, "stop": stop, "cut off": cut}


def waits(proxy: str) -> bool:
    return "BACKUP" in inside(proxy, "cat", "/run/vrrp-state", check=False)


def undo(container: str, link: str) -> None:
    """Have a container back that was stopped or cut off."""
    run("docker", "start", container)
    if run("ip", "link", "show", link, check=False).returncode == 0:
        run("ip", "link", "set", link, "up")
    eventually(f"{container} is back", lambda: has_port(container))


def has_port(container: str) -> bool:
    return "state UP" in inside(container, "ip", "-oneline", "link", "show", "dev", "eth0", check=False)


def but(usual: str) -> list[Any]:
    """Return all faults as parameters, of which one is always tried and the others are long drills."""
    return [fault if fault == usual else pytest.param(fault, marks=long_drill) for fault in FAULTS]


@pytest.mark.parametrize("fault", but("cut off"))
def test_the_holder_of_the_vip_is_lost(client: Client, fault: str) -> None:
    lost = holder()
    link = port(lost)
    with client.meets(f"holder of the VIP, {fault}", within=15):
        FAULTS[fault](lost)
        (other,) = set(PROXIES) - {lost}
        seconds = eventually("the other has the VIP", lambda: has_vip(other))
        print(f"\nVIP moved after {seconds:.1f} s ({fault})")
    undo(lost, link)
    eventually("the one that is back waits", lambda: waits(lost))
    assert holder() == other, "the address moved back"


def is_heard(begins: float) -> bool:
    """Connect to the database at the VIP after some seconds; say whether it greets, or ends the connection."""
    time.sleep(begins)
    try:
        with socket.create_connection((VIP, 3306), PATIENCE_SECONDS) as connection:
            connection.recv(1)
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


@pytest.mark.parametrize("fault", but("kill -9"))
def test_the_database_that_writes_is_lost(client: Client, fault: str) -> None:
    lost = writer()
    link = port(lost)
    begins = [at / 10 for at in range(50)]
    with ThreadPoolExecutor(len(begins)) as pool:
        with client.meets(f"Galera's writer, {fault}", within=30):
            FAULTS[fault](lost)
            heard = pool.map(is_heard, begins)
        assert all(heard), "a connection that began meanwhile is neither greeted nor ended"
    undo(lost, link)
    await_members(client)


def test_all_databases_are_killed_at_once(client: Client) -> None:
    with client.meets("all of Galera, kill -9", within=LIMIT_SECONDS):
        kill([process(each) for each in GALERA])
        time.sleep(1)
    await_members(client)


@long_drill
def test_the_first_database_loses_its_volume_while_all_are_down(client: Client) -> None:
    with client.meets("all of Galera stopped, first volume lost", within=LIMIT_SECONDS):
        run("docker", "stop", *GALERA)
        where = ("docker", "volume", "inspect", "--format", "{{.Mountpoint}}")
        data = run(*where, f"{GALERA[0]}-data").stdout.strip()
        run("find", data, "-mindepth", "1", "-delete")
        # The one without data comes first, and alone.
        run("docker", "start", GALERA[0])
        eventually("it tells whom it waits for", lambda: GALERA[1] in said_by(GALERA[0]))
        run("docker", "start", *GALERA[1:])
    await_members(client)


def said_by(container: str) -> str:
    return run("docker", "exec", container, "/etc/dockstack/bin/galera-ready", check=False).stderr


def test_members_come_and_go_by_configuration(given: dict[str, Any], made: Stack, client: Client) -> None:
    # The first ones go, as these could be thought to be special.
    containers = {name: each for name, each in given["containers"].items() if name not in (GALERA[0], PROXIES[0])}
    containers[f"{NAME}-galera4"] = {"role": "galera", "address": "10.86.60.33"}
    containers[f"{NAME}-haproxy3"] = {"role": "haproxy", "address": "10.86.60.22"}
    made.configure(given | {"containers": containers})
    left = {name: inspect(name)["State"]["StartedAt"] for name in (*GALERA[1:], PROXIES[1])}
    with client.meets("a member of Galera and a proxy for others", within=LIMIT_SECONDS):
        made.up()
    members = [*GALERA[1:], f"{NAME}-galera4"]
    await_members(client, members)
    assert {name: inspect(name)["State"]["StartedAt"] for name in left} == left
    size = inside(members[0], "mariadb", "-N", "-B", "-e", "SHOW STATUS LIKE 'wsrep_cluster_size'")
    assert size.split()[1] == "3"
    proxy = holder([PROXIES[1], f"{NAME}-haproxy3"])
    assert "galera1" not in inside(proxy, "cat", "/etc/haproxy/haproxy.cfg")
    made.preview("--expect-no-changes")


def test_two_of_three_databases_go_at_once_only_when_that_is_told(
    given: dict[str, Any], made: Stack, client: Client
) -> None:
    containers = made.configured()["containers"]
    stays, *gone = [name for name, each in containers.items() if each["role"] == "galera"]
    fewer = {"containers": {name: each for name, each in containers.items() if name not in gone}}
    made.configure(given | fewer)
    before = touched()
    done = made.up(check=False)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    for name in gone:
        assert f"dockstack:containers.{name}: is no longer configured, and volume {name}-data would be removed" in said
    assert f"name {' and '.join(gone)} in dockstack:common.mayLose" in said
    assert touched() == before

    made.configure(given | fewer | {"common": {**given["common"], "mayLose": gone}})
    with client.meets("two of three members of Galera for good", within=LIMIT_SECONDS):
        made.up()
    await_members(client, [stays])
    assert not {f"{name}-data" for name in gone}.intersection(run("docker", "volume", "ls", "--quiet").stdout.split())
    made.preview("--expect-no-changes")


def touched() -> dict[str, tuple[str, str]]:
    """Return the ID of each of the stack's containers, and when it was started."""
    found = {name: inspect(name) for name in run(*listing(NAME), "--all").stdout.split()}
    return {name: (each["Id"], each["State"]["StartedAt"]) for name, each in found.items()}


def test_a_destroy_leaves_nothing(made: Stack, client: Client) -> None:
    client.end()
    made.destroy()
    left = [item for kind, items in inventory().items() if kind != "processes" for item in items if NAME in item]
    assert not left
