"""What a power cut ends, in the middle of a Puppet run, of a destroy, or of everything, the next command finishes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.lab.acknowledged import Acknowledged
from tests.lab.conftest import Lab
from tests.lab.harness import (
    ALL_DRILLS,
    HOME,
    Make,
    Stack,
    config,
    eventually,
    inside,
    interface,
    inventory,
    kill,
    kill_all,
    kill_containers,
    kill_host,
    left_since,
    long_drill,
    made_so_far,
    run,
)

pytestmark = [pytest.mark.lab, pytest.mark.drill]

RUN_SECONDS = 600


def small(number: int) -> dict[str, Any]:
    """Return the configuration of the smallest lab with a Puppet run."""
    roles = {"dns": "dnsmasq", "puppet": "puppet", "cache": "memcached"}
    return config(number, {f"t{number}-{name}": {"role": role} for name, role in roles.items()})


def cut_power(made: Stack, process: subprocess.Popen[str]) -> None:
    """End the engine, all that it started, and all that runs in the stack's containers."""
    kill_all(process)
    kill_containers(made.name)
    # The file backend's lock is the one thing that a person has to release, as its message says.
    made.pulumi("cancel", "--yes")


def is_running_puppet(container: str) -> bool:
    return run("docker", "exec", container, "pgrep", "-f", "puppet agent --onetime", check=False).returncode == 0


def has_changed_something(container: str) -> bool:
    log = HOME / "stacks" / container.split("-")[0] / "logs" / f"{container}.puppet.log"
    return log.exists() and "/Stage[main]/" in log.read_text()


@pytest.mark.parametrize("moment", [has_changed_something, *([is_running_puppet] if ALL_DRILLS else [])])
def test_a_puppet_run_that_lost_its_power_is_finished_by_the_next_up(
    stack: Make, moment: Callable[[str], bool]
) -> None:
    made = stack("t30", small(30))
    process = made.start_up()
    eventually("the Puppet run is there", lambda: moment("t30-cache"), RUN_SECONDS, 0.05)
    cut_power(made, process)
    since = time.monotonic()
    made.up()
    print(f"power cut when a Puppet run {moment.__name__}: up took {time.monotonic() - since:.1f} s")
    made.preview("--expect-no-changes")
    assert "STAT pid" in inside("t30-dns", "sh", "-c", "printf 'stats\\nquit\\n' | nc -w 5 t30-cache 11211")


@long_drill
@pytest.mark.parametrize("gone", [0, 1, 3])
def test_a_destroy_that_lost_its_power_is_finished_by_the_next(stack: Make, gone: int) -> None:
    before = inventory()
    made = stack("t31", small(31))
    made.up()
    count = made_so_far(made.name)
    process = made.start_destroy()
    assert process.stdout
    assert any("deleting" in line for line in process.stdout)
    eventually("containers go", lambda: made_so_far(made.name) <= count - gone, 120, 0.01)
    cut_power(made, process)
    since = time.monotonic()
    made.destroy()
    print(f"power cut in destroy with {gone} containers gone: destroy took {time.monotonic() - since:.1f} s")
    assert left_since(before) == {}


def test_the_lab_returns_after_the_host_lost_its_power(lab: Lab, acknowledged: Acknowledged) -> None:
    """Docker, Open vSwitch and all that runs in containers is killed; what the kernel itself holds stays."""
    ports = ports_of(lab)
    kill_host()
    return_by_make_lab(lab, ports, acknowledged, "all processes of Docker and Open vSwitch")


@long_drill
def test_the_lab_returns_after_the_switchs_database_was_killed(lab: Lab, acknowledged: Acknowledged) -> None:
    """Nobody looks after Open vSwitch where there is no systemd; `make lab` starts again what doesn't run."""
    ports = ports_of(lab)
    kill([int(Path("/var/run/openvswitch/ovsdb-server.pid").read_text())])
    return_by_make_lab(lab, ports, acknowledged, "ovsdb-server")
    # The keeper reaches the new one.
    name = lab.of_role("memcached")
    run("docker", "restart", "--time", "10", name)
    eventually(f"{name} has its port", lambda: interface(name) == ports[name], 30)


@long_drill
def test_the_lab_returns_after_the_switch_was_killed(lab: Lab, acknowledged: Acknowledged) -> None:
    """With the userspace datapath the traffic and the bridges' own interfaces end with it."""
    ports = ports_of(lab)
    kill([int(Path("/var/run/openvswitch/ovs-vswitchd.pid").read_text())])
    return_by_make_lab(lab, ports, acknowledged, "ovs-vswitchd")


def ports_of(lab: Lab) -> dict[str, tuple[str, str, int]]:
    """Return what each container's port is like; all have one."""
    found = {name: interface(name) for name in lab.addresses}
    ports = {name: port for name, port in found.items() if port}
    assert ports.keys() == found.keys()
    return ports


def return_by_make_lab(
    lab: Lab, ports: Mapping[str, tuple[str, str, int]], acknowledged: Acknowledged, lost: str
) -> None:
    """Run `make lab`, and look whether all is as it was; print the seconds."""
    since = time.monotonic()
    run("make", "lab", f"STACK={lab.stack}", timeout=RUN_SECONDS * 2)
    print(f"killed {lost}: `make lab` took {time.monotonic() - since:.1f} s")
    lab.settled()
    for name, port in ports.items():
        eventually(f"{name} has its port", lambda name=name, port=port: interface(name) == port, 30)  # type: ignore[misc]
    acknowledged.await_all()
    print(f"killed {lost}: all is back after {time.monotonic() - since:.1f} s")
