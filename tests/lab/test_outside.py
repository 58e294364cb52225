"""A neighbour of the host, whose packets the host would forward, reaches nothing of the lab."""

from __future__ import annotations

import socket

import pytest

from tests.lab.conftest import Lab
from tests.lab.harness import STACK
from tests.lab.neighbour import neighbour

pytestmark = [pytest.mark.lab, pytest.mark.shares]

HOST, NEIGHBOUR = "10.86.40.1", "10.86.40.2"
PORTS = {
    "dnsmasq": 53, "puppet": 8140, "galera": 3306, "rabbitmq": 5672, "memcached": 11211, "keystone": 5000,
    "ceph": 3300, "nova": 8774, "neutron": 9696, "glance": 9292, "redis": 6379, "cassandra": 9042,
    "config": 8082, "analytics": 8081, "control": 8083, "webui": 8143,
}  # fmt: skip


def test_a_neighbour_of_the_host_reaches_no_service(lab: Lab) -> None:
    services = lab.services.items()
    targets = [(lab.addresses[name], PORTS[service["role"]]) for name, service in services if service["role"] in PORTS]
    targets.append((lab.settings()["config"]["dockstack:common"]["vip"], PORTS["keystone"]))
    for target in targets:
        socket.create_connection(target, timeout=5).close()
    with neighbour(f"{STACK}-neighbour", HOST, NEIGHBOUR) as other:
        assert other.reached(targets) == []
