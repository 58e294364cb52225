"""A service that leaves the configuration leaves nothing of itself elsewhere, and works at once when it comes back."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import cloud as clouds
from tests.lab import one_more_compute
from tests.lab.conftest import Lab
from tests.lab.harness import eventually, inside, long_drill, run, started_at

pytestmark = [pytest.mark.lab, pytest.mark.drill]

ANY = {"containers", "ports", "names", "addresses", "certificates", "node data"}
API = {"backends", "databases", "database users", "users", "services", "endpoints"}


@dataclass(frozen=True)
class Case:
    """A role that a lab can do without."""

    role: str
    words: frozenset[str] = frozenset()
    """What else than its container's name may tell of it: database, user, service, port."""
    kinds: frozenset[str] = frozenset(ANY)
    """Where there is something of it while it is there, or what is looked for afterwards would be nothing."""
    along: tuple[str, ...] = ()
    """Roles that can't do without it, and go along."""
    queues: str = ""
    """Pattern of the names of the queues in RabbitMQ that only its programs hear."""


NOVA = ("compute", "conductor", "scheduler")
CINDER = Case("cinder", frozenset({"cinder", "8776"}), frozenset(ANY | API | {"queues"}), queues="cinder-")
CASES = [
    Case(
        "neutron",
        frozenset({"neutron", "9696"}),
        frozenset(ANY | API | {"queues", "exchanges"}),
        along=("compute",),
        queues="neutron-|q-|trunk|dhcp_agent|l3_agent",
    ),
    Case(
        "nova",
        frozenset({"nova", "nova_api", "nova_cell0", "8774"}),
        frozenset(ANY | API | {"queues", "exchanges"}),
        along=("compute",),
        queues="|".join(NOVA),
    ),
    Case(
        "placement",
        frozenset({"placement", "8778"}),
        frozenset(ANY | API),
        along=("nova", "compute"),
        queues="|".join(NOVA),
    ),
    Case(
        "compute",
        kinds=frozenset(ANY | {"agents", "compute services", "queues", "volumes"}),
        queues=r"compute|.*\.compute1",
    ),
    Case("glance", frozenset({"glance", "9292"}), frozenset(ANY | API | {"volumes"})),
    Case("dashboard", frozenset({"dashboard"}), frozenset(ANY | {"backends"})),
    Case("memcached", along=("dashboard",)),
    Case("tempest"),
]


def traces(lab: Lab, case: Case, addresses: Mapping[str, str]) -> dict[str, list[str]]:
    """Return what there is of containers by kind, all of it asked of those who would know."""
    domain = lab.settings()["config"]["dockstack:common"]["domain"]
    dns, server, proxy, galera = (lab.of_role(role) for role in ("dnsmasq", "puppet", "haproxy", "galera"))

    def sql(query: str) -> list[str]:
        return inside(galera, "mariadb", "--batch", "--skip-column-names", "--execute", query).split()

    def broker(things: str) -> list[str]:
        names = inside(lab.of_role("rabbitmq"), "rabbitmqctl", "--quiet", "list_" + things, "name").split()
        return sorted({re.sub("_fanout_[0-9a-f]{32}$", "_fanout", each) for each in names})

    cloud = clouds.connect(lab.openrc)
    at = f"@{lab.addresses[dns]}"
    found = {
        "containers": run("docker", "ps", "--all", "--format", "{{.Names}}").stdout.split(),
        "volumes": run("docker", "volume", "ls", "--quiet").stdout.split(),
        "ports": run("ovs-vsctl", "--bare", "--columns=external_ids", "list", "interface")
        .stdout.replace("=", " ")
        .split(),
        "names": [name for name in addresses if inside(dns, "dig", "+short", at, f"{name}.{domain}").strip()],
        "addresses": [
            word
            for address in addresses.values()
            for word in inside(dns, "dig", "+short", at, "-x", address).replace(".", " ").split()
        ],
        "certificates": inside(server, "ls", "/var/lib/puppet/ca/signed").replace(".", " ").split(),
        "node data": [name for name in addresses if inside(server, "find", "/etc/dockstack", "-name", f"{name}.*")],
        "backends": inside(proxy, "sh", "-c", "echo 'show servers state' | nc -U -N /run/haproxy.sock").split(),
        "databases": sql("SHOW DATABASES"),
        "database users": sql("SELECT user FROM mysql.user"),
        "users": [user.name for user in cloud.identity.users()],
        "services": [service.name for service in cloud.identity.services()],
        "endpoints": [
            str(endpoint.url).rpartition(":")[2].partition("/")[0] for endpoint in cloud.identity.endpoints()
        ],
        "agents": [agent.host for agent in cloud.network.agents()] if clouds.has(cloud, "network") else [],
        "compute services": [each.host for each in cloud.compute.services()] if clouds.has(cloud, "compute") else [],
        "exchanges": broker("exchanges"),
        "queues": broker("queues"),
    }
    own = {*addresses, *(f"{name}.{domain}" for name in addresses), *case.words}
    volumes = tuple(f"{name}-" for name in addresses)
    of_it = {
        kind: sorted(word for word in set(words) if word in own or word.startswith(volumes))
        for kind, words in found.items()
    }
    of_it["queues"] = [each for each in found["queues"] if case.queues and re.match(case.queues, each)]
    return {kind: words for kind, words in of_it.items() if words}


@contextmanager
def removed(
    lab: Lab, directory: Path, case: Case, settings: dict[str, Any], extra: Sequence[str] = ()
) -> Iterator[None]:
    """Take a service out of a configuration and update to it, see that it leaves nothing, and that it comes back.

    Args:
        lab: the lab.
        directory: where to put the configuration.
        case: the service.
        settings: the configuration.
        extra: containers that it has besides, which go when the service comes back.
    """
    name = lab.of_role(case.role)
    gone = {name, *(lab.of_role(role) for role in case.along)}
    addresses = {each: lab.addresses[each] for each in gone}
    known = traces(lab, case, addresses)
    assert case.kinds <= set(known)
    before = started_at(lab.stack)

    for each in gone:
        del settings["config"]["dockstack:containers"][each]
    settings["config"]["dockstack:common"]["mayLose"] = sorted(gone)
    # Its guest's image is Glance's.
    settings["config"]["dockstack:demo"] = case.role != "glance"
    with lab.changed(settings, directory, loses=extra) as said:
        assert traces(lab, case, addresses) == {}
        # Its own resources go, others are told, and no other container is replaced or restarted.
        assert f"- docker:index:Container {name} delete" in said
        for role in ("keystone", "galera", "haproxy") if case.kinds >= API else ():
            assert f"~ command:local:Command {lab.of_role(role)}-provisioning update" in said
        after = started_at(lab.stack)
        others = {other: when for other, when in before.items() if other not in gone}
        assert {other: after.get(other) for other in others} == others
        assert not gone & after.keys()
        yield

    lab.await_healthy()
    # A queue is there from when its program first hears it.
    eventually("all is there that was", lambda: traces(lab, case, addresses) == known, interval=2)
    assert {other: when for other, when in started_at(lab.stack).items() if other not in gone} == others


def test_cinder_goes_while_a_compute_comes_and_both_are_taken_back(lab: Lab, tmp_path: Path) -> None:
    lab.await_healthy()
    settings = lab.settings()
    extra = one_more_compute.add_to(settings, lab)
    # A guest is there by then.
    with removed(lab, tmp_path, CINDER, settings, [extra.name]):
        cloud = clouds.connect(lab.openrc)
        server = one_more_compute.takes_a_guest(lab, cloud, extra)
    cloud = clouds.connect(lab.openrc)
    one_more_compute.has_left_nothing(lab, cloud, extra, server)
    with clouds.volume(cloud, "test-after-return") as disk:
        assert disk.name == "test-after-return"


@long_drill
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.role)
def test_a_removed_service_leaves_nothing_and_comes_back(lab: Lab, tmp_path: Path, case: Case) -> None:
    lab.await_healthy()
    with removed(lab, tmp_path, case, lab.settings()):
        pass


CHURN = """
Own = fun(N) -> rabbit_misc:r(<<"/">>, queue, <<"test-churn-", (integer_to_binary(N))/binary>>) end,
Life = fun(N) ->
    rabbit_amqqueue:declare(Own(N), false, false, [], none, <<"test">>),
    rabbit_amqqueue:with(Own(N), fun(Queue) -> rabbit_amqqueue:delete(Queue, false, false, <<"test">>) end)
end,
[Life(N) || N <- lists:seq(1, 2000)], ok.
"""


def test_queues_that_come_and_go_meanwhile_are_no_hindrance(lab: Lab) -> None:
    """Where several services leave at the same moment, each lists queues that another takes along."""
    broker = lab.of_role("rabbitmq")
    home, script = "HOME=/var/lib/rabbitmq", 'exec erl_call -sname "rabbit@$(hostname)" -h test-churn -e'
    churn = ["docker", "exec", "-i", "-e", home, broker, "sh", "-c", script]
    with subprocess.Popen(churn, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stdin
        process.stdin.write(CHURN)
        process.stdin.close()
        for _ in range(5):
            inside(broker, "/etc/dockstack/bin/remove-queues", "no-such-host")
            assert process.poll() is None, "all queues had gone before the removal"
        process.wait(120)
    listed = inside(broker, "env", home, "rabbitmqctl", "list_queues", "--silent", "name")
    assert "test-churn" not in listed
