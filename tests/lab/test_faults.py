"""Faults that only a look at the host can show; each stops the lab before its first resource."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.services import ROLES
from tests.lab.harness import Make, Stack, config, inventory, left_since, plain, run

pytestmark = pytest.mark.lab


def refused(made: Stack) -> str:
    """Bring a stack up, which must fail and must leave nothing; return what it said."""
    before = inventory()
    done = made.up(check=False)
    assert done.returncode != 0
    assert left_since(before, ("containers", "volumes", "bridges", "ports", "routes")) == {}
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    return said


def test_all_faults_come_at_once_with_key_reason_and_fix(stack: Make) -> None:
    given = config(1, {"t1-a": {"role": "plane"}, "t1-b": {"role": "plain", "address": "10.99.1.1"}}, vipp="10.86.1.9")
    said = refused(stack("t1", given))
    assert "dockstack:common.vipp: unknown key. Fix: Did you mean `vip`?" in said
    assert "dockstack:containers.t1-a.role: unknown role `plane`. Fix: Did you mean `plain`?" in said
    assert "dockstack:containers.t1-b.address: 10.99.1.1 is outside 10.86.1.0/24" in said


@pytest.fixture
def taken() -> Iterator[None]:
    """Have others use a part of the subnet, the bridge's name and a container's."""
    image = run("docker", "image", "ls", "-q", "dockstack/base").stdout.split()[0]
    run("ip", "route", "add", "blackhole", "10.86.2.128/25", "metric", "77")
    run("ip", "link", "add", "br-t2", "type", "bridge")
    run("docker", "create", "--name", "t2-p1", image)
    yield
    run("docker", "rm", "-f", "t2-p1")
    run("ip", "link", "delete", "br-t2")
    run("ip", "route", "delete", "blackhole", "10.86.2.128/25", "metric", "77")


@pytest.mark.usefixtures("taken")
def test_what_is_taken_or_not_there_on_the_host(stack: Make) -> None:
    given = plain(2, 1)
    given["containers"]["t2-p1"]["volumes"] = ["/srv/nowhere:/mnt"]
    said = refused(stack("t2", given))
    assert "10.86.2.0/24 overlaps the route blackhole 10.86.2.128/25 of host local" in said
    assert "host local has an interface br-t2 that is no Open vSwitch bridge" in said
    assert "host local has a container of this name" in said
    assert "host local has no `/srv/nowhere`" in said


def test_a_bridge_of_another_stack(stack: Make) -> None:
    stack("t5", plain(5, 1)).up()
    other = plain(6, 1)
    other["containerDefaults"]["bridge"] = "br-t5"
    assert "bridge br-t5 of host local is in use by stack t5" in refused(stack("t6", other))


def test_too_little_memory(stack: Make) -> None:
    total = int(Path("/proc/meminfo").read_text().split()[1]) // 1024
    given = config(8, {"t8-dns": {"role": "dnsmasq"}, "t8-puppet": {"role": "puppet"}})
    given["containerDefaults"] |= {"mask": 20, "gateway": "10.86.192.1"}
    given["common"]["vip"] = "10.86.207.250"
    roles = ["dnsmasq", "puppet", *["galera"] * (total // ROLES["galera"].memory_mib + 1)]
    given["containers"] = {
        f"t8-{role[:2]}{i}": {"role": role, "address": f"10.86.{192 + i // 250}.{2 + i % 250}"}
        for i, role in enumerate(roles)
    }
    assert "MiB of memory, and" in refused(stack("t8", given))
