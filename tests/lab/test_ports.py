"""A port attached in a batch is the one that `ovs-docker add-port` makes, and `ovs-docker del-port` takes it away."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from hostside import batch
from tests.lab.harness import HOME, Make, inspect, network_of, plain, run

pytestmark = pytest.mark.lab

NUMBER = 144
NAMES = [f"t{NUMBER}-p{number}" for number in (1, 2)]
OF_EACH = {
    "Interface": {"_uuid", "name", "ofport", "ifindex", "mac_in_use", "statistics", "link_resets"},
    "Port": {"_uuid", "name", "interfaces", "statistics"},
}
"""Columns that differ between any two ports."""


def ports(container: str) -> list[str]:
    found = run("ovs-vsctl", "--bare", "--columns=name", "find", "interface", f"external_ids:container_id={container}")
    return found.stdout.split()


def rows(port: str) -> dict[str, dict[str, Any]]:
    """Return what Open vSwitch has of a port, without what differs between any two."""
    found = {}
    for table, columns in OF_EACH.items():
        told = json.loads(run("ovs-vsctl", "--format=json", "list", table, port).stdout)
        (row,) = told["data"]
        found[table] = {name: value for name, value in zip(told["headings"], row, strict=True) if name not in columns}
    return found


def end_inside(container: str) -> tuple[Any, Any]:
    """Return link and routes of a container's eth0, without the numbers and the times that each link has of its own."""
    ip = [*network_of(container), "ip", "-j"]
    (link,) = json.loads(run(*ip, "-4", "address", "show", "dev", "eth0").stdout)
    kept = {key: link[key] for key in ("ifname", "flags", "mtu", "operstate", "addr_info")}
    (alike,) = json.loads(run(*ip, "link", "show", "dev", "eth0").stdout)
    return {**kept, "address": alike["address"]}, json.loads(run(*ip, "route").stdout)


def test_a_port_of_a_batch_is_what_ovs_docker_makes(stack: Make) -> None:
    made = stack(f"t{NUMBER}", plain(NUMBER, len(NAMES)))
    made.up()
    # It would put the ports back that are taken away here.
    run("docker", "stop", "--time", "20", f"t{NUMBER}-keeper")
    bridge, locks = f"br-t{NUMBER}", HOME / "stacks" / made.name / "locks"
    for name in NAMES:
        run("ovs-docker", "del-ports", bridge, name)

    assert batch.attach(NAMES, locks) == dict.fromkeys(NAMES, "attached")
    assert batch.attach(NAMES, locks) == dict.fromkeys(NAMES, "present")
    name = NAMES[0]
    (port,) = ports(name)
    ours, inside = rows(port), end_inside(name)
    run(*network_of(NAMES[1]), "ping", "-c", "3", "-W", "2", f"10.86.{NUMBER}.10")

    run("ovs-docker", "del-port", bridge, "eth0", name)
    assert ports(name) == []
    assert port not in run("ip", "-o", "link").stdout
    labels = inspect(name)["Config"]["Labels"]
    run(
        "ovs-docker", "add-port", bridge, "eth0", name, f"--ipaddress={labels['dockstack.address']}",
        f"--gateway={labels['dockstack.gateway']}", f"--macaddress={labels['dockstack.mac']}",
    )  # fmt: skip
    (theirs,) = ports(name)
    assert re.fullmatch("[0-9a-f]{13}_l", port)
    assert re.fullmatch("[0-9a-f]{13}_l", theirs)
    assert rows(theirs) == ours
    assert end_inside(name) == inside
