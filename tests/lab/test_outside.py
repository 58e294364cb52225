"""A neighbour of the host, whose packets the host would forward, reaches nothing of the lab."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab.conftest import Lab
from tests.lab.harness import STACK, run

pytestmark = [pytest.mark.lab, pytest.mark.shares]

HOST, NEIGHBOUR = "10.86.40.1", "10.86.40.2"
SPACE, LINK = f"{STACK}-neighbour", f"{STACK}-neighbour"[:15]
PORTS = {
    "dnsmasq": 53, "puppet": 8140, "galera": 3306, "rabbitmq": 5672, "memcached": 11211, "keystone": 5000,
    "ceph": 3300, "nova": 8774, "neutron": 9696, "glance": 9292,
}  # fmt: skip


@pytest.fixture
def neighbour() -> Iterator[None]:
    """Put a network namespace beside the host, with the host as its router."""
    within = ("ip", "-n", SPACE)
    run("ip", "netns", "add", SPACE)
    try:
        run("ip", "link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", SPACE)
        run("ip", "address", "add", f"{HOST}/24", "dev", LINK)
        run("ip", "link", "set", LINK, "up")
        run(*within, "address", "add", f"{NEIGHBOUR}/24", "dev", "eth0")
        run(*within, "link", "set", "eth0", "up")
        run(*within, "route", "add", "default", "via", HOST)
        yield
    finally:
        run("ip", "netns", "delete", SPACE)


def reached_from_outside(address: str, port: int) -> bool:
    seek = ("timeout", "3", "bash", "-c", f"</dev/tcp/{address}/{port}")
    return run("ip", "netns", "exec", SPACE, *seek, check=False).returncode == 0


@pytest.mark.usefixtures("neighbour")
def test_a_neighbour_of_the_host_reaches_no_service(lab: Lab) -> None:
    # Or it would reach nothing at all.
    with socket.create_server((HOST, 0)) as server:
        assert reached_from_outside(*server.getsockname())
    services = lab.services.items()
    targets = [(lab.addresses[name], PORTS[service["role"]]) for name, service in services if service["role"] in PORTS]
    targets.append((lab.settings()["config"]["dockstack:common"]["vip"], PORTS["keystone"]))
    for target in targets:
        socket.create_connection(target, timeout=5).close()
    with ThreadPoolExecutor(len(targets)) as pool:
        reached = pool.map(lambda target: reached_from_outside(*target), targets)
        assert [target for target, was in zip(targets, reached, strict=True) if was] == []
