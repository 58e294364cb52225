"""DNS and DHCP of the lab, asked from other containers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.lab.conftest import Lab
from tests.lab.harness import eventually, inside, network_of, run

pytestmark = pytest.mark.lab

PROBE = "lab-dhcp-probe"


def ask(lab: Lab, *question: str) -> list[str]:
    """Ask the lab's dnsmasq from the container of galera."""
    server = lab.addresses[lab.of_role("dnsmasq")]
    said = inside(lab.of_role("galera"), "dig", "+short", "+time=2", "+tries=2", f"@{server}", *question)
    return said.split()


def test_every_container_and_the_vip_resolve_forward_and_back(lab: Lab) -> None:
    for name, address in {**lab.addresses, "vip": "10.87.0.250"}.items():
        assert ask(lab, f"{name}.dockstack.lab") == [address]
        assert ask(lab, "-x", address) == [f"{name}.dockstack.lab."]


def test_containers_resolve_each_other_by_short_name(lab: Lab) -> None:
    keystone = lab.of_role("keystone")
    assert lab.addresses[keystone] in inside(lab.of_role("galera"), "getent", "hosts", keystone)


def test_a_name_that_nobody_has_is_answered_at_once_and_not_passed_on(lab: Lab) -> None:
    server = lab.addresses[lab.of_role("dnsmasq")]
    said = inside(lab.of_role("galera"), "dig", "+time=2", "+tries=1", f"@{server}", "nobody.dockstack.lab")
    assert "status: NXDOMAIN" in said


ASK = """
import sys, time
import eventlet
eventlet.monkey_patch()
import socket
def known():
    try:
        return bool(socket.getaddrinfo(sys.argv[1], 80))
    except socket.gaierror:
        return False
print(known(), flush=True)
deadline = time.monotonic() + 30
while not known() and time.monotonic() < deadline:
    time.sleep(0.5)
print(known(), flush=True)
"""


def test_a_stopped_container_has_no_record_and_is_found_again_when_it_runs(lab: Lab) -> None:
    """Also by a service that asked for it in between."""
    asking, away = lab.of_role("compute"), lab.of_role("tempest")
    address = lab.addresses[away]
    # As nova-compute would ask: with its environment.
    environ = '"/proc/$(supervisorctl pid nova-compute)/environ"'
    inside(asking, "sh", "-c", "cat > /tmp/ask.py", stdin=ASK)
    command = (
        f"xargs --null --arg-file {environ} sh -c 'exec env -i \"$@\" python3 /tmp/ask.py {away}.dockstack.lab' sh"
    )
    run("docker", "stop", "--time", "1", away)
    try:
        eventually("the record goes", lambda: ask(lab, f"{away}.dockstack.lab") == [])
        assert ask(lab, "-x", address) == []
        with subprocess.Popen(
            ["docker", "exec", asking, "sh", "-c", command], stdout=subprocess.PIPE, text=True
        ) as service:
            assert service.stdout
            assert service.stdout.readline() == "False\n"
            run("docker", "start", away)
            assert service.stdout.readline() == "True\n"
    finally:
        run("docker", "start", away)
        inside(asking, "rm", "/tmp/ask.py")
    assert ask(lab, f"{away}.dockstack.lab") == [address]
    assert ask(lab, "-x", address) == [f"{away}.dockstack.lab."]
    lab.await_healthy()


@pytest.fixture
def probe(lab: Lab) -> Iterator[str]:
    """A container with a port and no address on the lab's bridge."""
    image = json.loads(run("docker", "inspect", lab.of_role("dnsmasq")).stdout)[0]["Image"]
    run("docker", "run", "-d", "--name", PROBE, "--network", "none", "--cap-add", "NET_ADMIN", image, "sleep", "600")
    try:
        run("ovs-docker", "add-port", "br-lab", "eth0", PROBE)
        run(*network_of(PROBE), "ethtool", "-K", "eth0", "tx", "off")
        yield PROBE
    finally:
        run("ovs-docker", "del-ports", "br-lab", PROBE, check=False)
        run("docker", "rm", "-f", PROBE)


def test_a_container_that_asks_gets_a_lease_from_the_pool(lab: Lab, probe: str) -> None:
    assert 200 <= _lease(probe) <= 239


def test_a_container_of_the_lab_is_offered_its_fixed_address(lab: Lab, probe: str) -> None:
    keystone = lab.addresses[lab.of_role("keystone")]
    mac = "02:42:" + ":".join(f"{int(part):02x}" for part in keystone.split("."))
    inside(probe, "ip", "link", "set", "dev", "eth0", "address", mac)
    # Only the offer is asked for: the address is in use.
    assert _lease(probe) == int(keystone.split(".")[3])


def _lease(container: str) -> int:
    """Ask for a lease without using it; return the address's last number.

    The answer is to be broadcast: the switch may send what is for another's Ethernet address to its owner.
    """
    ask = ["udhcpc", "-i", "eth0", "-B", "-n", "-q", "-f", "-t", "5", "-s", "/bin/true"]
    done = run("docker", "exec", container, *ask)
    words = (done.stdout + done.stderr).split("lease of ")[1].split()
    return int(words[0].rstrip(",").split(".")[3])
