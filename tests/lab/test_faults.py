"""Faults that only a look at the host can show; each stops the lab before its first resource."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from components.services import ROLES
from hostside.ports import link_name
from tests.lab.harness import HOME, Make, Stack, config, inventory, left_since, plain, run

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
    assert "host local has a container t2-p1, in use by something that is not Dockstack" in said
    assert "host local has no `/srv/nowhere`" in said


@pytest.fixture
def foreign_things() -> Iterator[dict[str, Callable[[], bool]]]:
    """Make things under names that stack t160 wants; return for each whether it still is as it was."""
    link = f"{link_name('t160', 't160-p1', 'eth0')}_l"
    route = ["blackhole", "10.86.160.0/24", "metric", "4096"]
    directory = HOME / "stacks" / "t160"
    run("docker", "volume", "create", "t160-pup-ca")
    file = Path(run("docker", "volume", "inspect", "-f", "{{.Mountpoint}}", "t160-pup-ca").stdout.strip(), "file")
    file.write_text("precious")
    run("ip", "link", "add", link, "type", "veth", "peer", "name", "t160-foreign")
    run("ip", "route", "add", *route)
    yield {
        "volume t160-pup-ca, in use by something": lambda: file.exists() and file.read_text() == "precious",
        f"interface {link}": Path("/sys/class/net", link).exists,
        "overlaps the route blackhole 10.86.160.0/24": lambda: bool(
            run("ip", "route", "show", "type", *route[:2]).stdout
        ),
        f"something in {directory}": (directory / "openrc").exists,
    }
    run("docker", "volume", "rm", "t160-pup-ca")
    run("ip", "link", "delete", link)
    run("ip", "route", "delete", *route)
    shutil.rmtree(directory)


def test_nothing_is_touched_that_is_not_the_stacks(
    stack: Make, foreign_things: Mapping[str, Callable[[], bool]]
) -> None:
    made = stack("t160", config(160, {"t160-pup": {"role": "puppet"}, "t160-p1": {"role": "plain"}}))
    (HOME / "stacks" / "t160").mkdir()
    (HOME / "stacks" / "t160" / "openrc").write_text("precious")
    said = refused(made)
    assert [name for name in foreign_things if name not in said] == []
    made.destroy()
    run("python3", "-m", "commands.cleanup", "after", "t160", env=made.env)
    run("python3", "-m", "commands.cleanup", "clear", "t160", env=made.env)
    assert [name for name, is_as_it_was in foreign_things.items() if not is_as_it_was()] == []


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
