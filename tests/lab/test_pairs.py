"""A change of anything that the configuration can say ends where a fresh `up` would have ended.

PAIRS says how many random pairs of configurations, and SEED with which one they begin.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest

from hostside import ports
from tests.lab.harness import HOME, Make, eventually, interface, inventory, listing, run

pytestmark = [pytest.mark.lab, pytest.mark.drill]

STACK = "t170"
PAIRS = int(os.environ.get("PAIRS", "40"))
USUAL = PAIRS if "PAIRS" in os.environ else 2
"""How many run without DRILLS=all."""
SEED = int(os.environ.get("SEED", "1"))
KEEPER_SECONDS = 2
"""Longer than the keeper gathers what has started and what has ended."""
SUBNETS = ("10.86.170.0/25", "10.86.170.0/24", "10.86.170.128/25", "10.86.171.0/24", "10.86.170.0/23")
"""Some lie in others."""
APART = "10.86.172"
BRIDGES = ("br-t170", "br-t170x", "br-t170y")


def configuration(chance: random.Random) -> dict[str, Any]:
    """Return any lab of plain containers: each thing that they have to say, said in some way."""
    subnet = chance.choice(SUBNETS)
    start, _, prefix = subnet.partition("/")
    network, first = start.rpartition(".")[0], int(start.rpartition(".")[2])
    first_bridge, second_bridge = chance.sample(BRIDGES, 2)
    hosts = chance.sample(range(first + 4, first + 120), 5)
    # Sometimes the two bridges exchange what they carry.
    apart = {"gateway": f"{APART}.1", "mask": 24, "bridge": second_bridge}
    containers: dict[str, dict[str, Any]] = {
        f"{STACK}-p{number}": {"role": "plain", "address": f"{network}.{host}"}
        for number, host in enumerate(hosts[: chance.randint(1, 3)], 1)
    }
    if chance.random() < 0.5:
        containers[f"{STACK}-p{chance.randint(3, 4)}"] = {"role": "plain", "address": f"{APART}.{hosts[3]}", **apart}
    for container in containers.values():
        if chance.random() < 0.3:
            container["mtu"] = chance.choice([1400, 1500, 9000])
        if chance.random() < 0.2:
            container["volumes"] = [f"/srv:/srv{chance.choice(['', ':ro'])}"]
        if chance.random() < 0.2:
            container["domain"] = f"below.{STACK}.lab"
    return {
        "common": {"domain": f"{STACK}.lab", "vip": f"{network}.{hosts[4]}"},
        "containerDefaults": {
            "mask": int(prefix),
            "gateway": f"{network}.{first + chance.choice([1, 2, 3])}",
            "bridge": first_bridge,
            "mtu": chance.choice([1500, 1500, 1400, 9000]),
        },
        "containers": containers,
    }


def portrait(names: list[str]) -> dict[str, Any]:
    """Return what a look from outside tells of the stack."""
    found = json.loads(run("docker", "inspect", *names).stdout)
    kept = ("Labels", "Hostname", "Domainname", "Image")
    bridges = json.loads(
        run("ovs-vsctl", "--format=json", "--columns=name,external_ids", "find", "bridge",
            f"external_ids:dockstack-stack={STACK}").stdout
    )["data"]  # fmt: skip
    links = {link["ifname"]: link for link in json.loads(run("ip", "-j", "address").stdout)}
    mtus = {
        port: links[port]["mtu"]
        for bridge, _ in bridges
        for port in run("ovs-vsctl", "list-ports", bridge).stdout.split()
    }
    records = HOME / "stacks" / STACK / "records"
    return {
        "containers": {
            each["Name"]: [each["Config"][key] for key in kept] + [each["HostConfig"]["Binds"]]
            for each in found
            if not each["Name"].endswith("-keeper")
        },
        "interfaces": {name: interface(name) for name in names if not name.endswith("-keeper")},
        "records": {path.name: path.read_text() for path in records.iterdir()},
        "bridges": sorted(bridges),
        "ports": mtus,
        "held": {
            bridge: (links[bridge]["mtu"], [a["local"] for a in links[bridge]["addr_info"] if a["family"] == "inet"])
            for bridge, _ in bridges
        },
        "routes": [line for line in inventory()["routes"] if "10.86.17" in line],
    }


def steady(names: list[str]) -> dict[str, Any]:
    """Return the portrait once it stays as it is: the keeper publishes and clears some moments after an `up`."""
    seen: dict[str, Any] = {}

    def stays() -> bool:
        nonlocal seen
        before = seen
        try:
            seen = portrait(names)
        except KeyError:
            # A port whose link is gone is about to go.
            seen = {}
        return bool(seen) and seen == before

    eventually("nothing changes any more", stays, interval=KEEPER_SECONDS)
    return seen


def reached(names: list[str]) -> bool:
    """Say whether the host reaches each container with packets as large as its interface takes."""
    for name in names:
        found = interface(name)
        if found is None:
            return False
        size = str(found[2] - 28)
        ping = ("ping", "-c", "1", "-W", "1", "-M", "do", "-s", size, found[0].partition("/")[0])
        if run(*ping, check=False).returncode:
            return False
    return True


def traces() -> dict[str, list[str]]:
    """Return what there is of the stack on the host, besides its directory and its backend's."""
    marks = (STACK, "10.86.17", ports.link_prefix(STACK))
    found = {kind: [item for item in items if any(m in item for m in marks)] for kind, items in inventory().items()}
    return {kind: items for kind, items in found.items() if items and kind != "processes"}


@pytest.mark.parametrize(
    "number", [n if n < USUAL else pytest.param(n, marks=pytest.mark.long_drill) for n in range(PAIRS)]
)
def test_a_changed_lab_is_what_a_fresh_one_would_be(number: int, stack: Make) -> None:
    chance = random.Random(SEED + number)
    assert traces() == {}
    first, second = configuration(chance), configuration(chance)
    told = f"SEED={SEED + number}: {json.dumps(first)} -> {json.dumps(second)}"
    made = stack(STACK, first)
    made.up()
    made.configure(second)
    made.up()
    names = sorted(run(*listing(STACK)).stdout.split())
    assert names == sorted([*second["containers"], f"{STACK}-keeper"]), told
    eventually(f"{told}: all are reached", lambda: reached(list(second["containers"])))
    changed = steady(names)
    made.preview("--expect-no-changes")
    made.destroy()
    assert traces() == {}, told
    made.up()
    eventually("all are reached", lambda: reached(list(second["containers"])))
    assert steady(names) == changed, told
