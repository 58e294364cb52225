"""Random lives of small labs: added, removed, changed, broken or killed, `up` brings them to where nothing is to do.

A lab lives on this machine, or on this machine and a second host.

SEQUENCES says how many lives, and SEED with which one they begin: the same unless said otherwise, so that a failure
comes from a change of the code. `SEQUENCES=200 SEED=$RANDOM pytest -s tests/lab/test_sequences.py` looks for more.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.lab.harness import (
    Make,
    Runs,
    Stack,
    config,
    eventually,
    interface,
    inventory,
    kill_all,
    kill_engine,
    left_since,
    listing,
    long_drill,
    network_of,
    run,
)
from tests.lab.hosts import Host, hosts, over_hosts

pytestmark = [pytest.mark.lab, pytest.mark.drill]

NUMBER = 22
STEPS = 3
SEQUENCES = int(os.environ.get("SEQUENCES", "20"))
SEED = int(os.environ.get("SEED", "1"))
SEEDS = range(SEED, SEED + SEQUENCES)
USUAL = SEEDS if {"SEQUENCES", "SEED"} & os.environ.keys() else (6, 10, 12, 17)
"""Lives in which between them everything happens; the others run with DRILLS=all, or when they are asked for."""


class Life:
    """A stack of plain containers, and what may happen to it."""

    mtu = 1500

    def __init__(self, stack: Stack, chance: random.Random, containers: dict[str, dict[str, Any]]) -> None:
        self.stack = stack
        self.chance = chance
        self.containers = containers
        self.said: list[str] = []

    def happen(self) -> None:
        """Let one thing happen, and bring the stack up after it."""
        name = self.chance.choice(sorted(self.containers))
        what = self.chance.choice(self.possible())
        self.said.append(f"{what.__name__} {name}")
        what(name)
        self.stack.configure(self.configured())
        self.stack.pulumi("up", "--yes", "--skip-preview", "--refresh")
        self.check()

    def live(self) -> None:
        """Come up, let some things happen, and leave."""
        self.stack.up()
        self.check()
        for _ in range(STEPS):
            self.happen()
        self.stack.preview("--expect-no-changes")
        self.stack.destroy()

    def possible(self) -> list[Callable[[str], None]]:
        """Return what may happen."""
        return [
            self.add,
            self.remove,
            self.move,
            self.stop,
            self.lose,
            self.detach,
            self.misaddress,
            self.kill,
            self.cut,
            self.unbridge,
        ]

    def configured(self) -> dict[str, Any]:
        """Return the stack's configuration."""
        return config(NUMBER, self.containers)

    def on(self, _name: str) -> Runs:
        """Return what runs a command where a container is."""
        return run

    def listed(self) -> list[str]:
        """Return the stack's containers, wherever they are."""
        return run(*listing(f"t{NUMBER}"), "--all").stdout.split()

    def check(self) -> None:
        """Each container has the address that the configuration gives it, and there are no others."""
        assert sorted(name for name in self.listed() if name != f"t{NUMBER}-keeper") == sorted(self.containers)
        for name, container in self.containers.items():
            wanted = (f"{container['address']}/24", f"10.86.{NUMBER}.1", self.mtu)
            on = self.on(name)
            eventually(f"{name} has {wanted}", lambda: interface(name, on) == wanted)  # noqa: B023
            ping = ("ping", "-c", "1", "-W", "2", container["address"])
            # A port that was taken off the bridge is the keeper's to put back, when it looks next.
            eventually(f"{name} answers", lambda ping=ping: run(*ping, check=False).returncode == 0)  # type: ignore[misc]

    def fresh(self) -> str:
        """Return an address that nobody has."""
        taken = {container["address"] for container in self.containers.values()}
        return next(a for a in (f"10.86.{NUMBER}.{self.chance.randint(10, 200)}" for _ in range(999)) if a not in taken)

    def add(self, _name: str) -> None:
        free = next(n for i in range(1, 99) if (n := f"t{NUMBER}-p{i}") not in self.containers)
        self.containers[free] = {"role": "plain", "address": self.fresh()}

    def remove(self, name: str) -> None:
        if len(self.containers) > 1:
            del self.containers[name]

    def move(self, name: str) -> None:
        self.containers[name]["address"] = self.fresh()

    def stop(self, name: str) -> None:
        self.on(name)("docker", "stop", "--time", "1", name)

    def lose(self, name: str) -> None:
        self.on(name)("docker", "rm", "--force", name)

    def detach(self, name: str) -> None:
        on, wanted = self.on(name), f"external_ids:container_id={name}"
        ports = on("ovs-vsctl", "--bare", "--columns=name", "find", "interface", wanted)
        on("ovs-vsctl", "del-port", ports.stdout.strip())

    def misaddress(self, name: str) -> None:
        on = self.on(name)
        on(*network_of(name, on), "ip", "address", "flush", "dev", "eth0")

    def unbridge(self, name: str) -> None:
        self.on(name)("ovs-vsctl", "del-br", f"br-t{NUMBER}")

    def kill(self, name: str) -> None:
        self.on(name)("docker", "kill", name)

    def cut(self, name: str) -> None:
        """Kill an `up` that has something to do, somewhere on its way."""
        self.move(name)
        self.add(name)
        self.stack.configure(self.configured())
        process = self.stack.start_up()
        time.sleep(self.chance.uniform(0.5, 5))
        self.chance.choice([kill_engine, kill_all])(process)
        self.stack.pulumi("cancel", "--yes", check=False)


class LifeOnTwoHosts(Life):
    """A stack on this machine and a second host."""

    mtu = 1450

    def __init__(self, stack: Stack, chance: random.Random, containers: dict[str, dict[str, Any]], far: Host) -> None:
        super().__init__(stack, chance, containers)
        self.far = far

    def possible(self) -> list[Callable[[str], None]]:
        """Return what may happen to a host besides."""
        return [*super().possible(), self.rehost, self.power, self.unplug]

    def configured(self) -> dict[str, Any]:
        """Return the stack's configuration: both hosts are in it, whether or not they have containers."""
        return on_two_hosts(self.far, self.containers)

    def on(self, name: str) -> Runs:
        """Return what runs a command where a container is."""
        return run if self.containers[name]["host"] == "local" else self.far.command

    def listed(self) -> list[str]:
        """Return the stack's containers on both hosts."""
        return super().listed() + self.far.command(*listing(f"t{NUMBER}"), "--all").stdout.split()

    def add(self, name: str) -> None:
        before = set(self.containers)
        super().add(name)
        for new in set(self.containers) - before:
            self.containers[new]["host"] = self.chance.choice(["local", "far"])

    def rehost(self, name: str) -> None:
        container = self.containers[name]
        container["host"] = "far" if container["host"] == "local" else "local"

    def power(self, _name: str) -> None:
        self.far.cut_power()
        self.far.switch_on()

    def unplug(self, _name: str) -> None:
        """Take the second host's cable out for a while, in which an `up` fails or has nothing to do there."""
        self.far.unplug()
        try:
            self.stack.up(check=False)
        finally:
            self.far.plug_in()


def on_two_hosts(far: Host, containers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the configuration of a stack on this machine and a second host."""
    given = over_hosts(NUMBER, containers, far=far)
    # As it is where there are tunnels, which come and go with the second host's containers.
    given["containerDefaults"]["mtu"] = LifeOnTwoHosts.mtu
    return given


@pytest.mark.parametrize("seed", [s if s in USUAL else pytest.param(s, marks=long_drill) for s in SEEDS])
def test_whatever_happens_up_comes_to_rest_and_destroy_leaves_nothing(seed: int, stack: Make) -> None:
    chance = random.Random(seed)
    before = inventory()
    first = {f"t{NUMBER}-p{i}": {"role": "plain", "address": f"10.86.{NUMBER}.{i + 1}"} for i in range(1, 4)}
    life = Life(stack(f"t{NUMBER}", config(NUMBER, first)), chance, first)
    try:
        life.live()
        assert left_since(before) == {}
    finally:
        print(f"SEED={seed}: {', '.join(life.said)}")


@long_drill
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_on_two_hosts_up_comes_to_rest_and_destroy_leaves_nothing(
    seed: int, stack: Make, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    with hosts(tmp_path, "dsh-far") as (far,):
        before, there = inventory(), far.inventory()
        first = {
            f"t{NUMBER}-p{i}": {"role": "plain", "address": f"10.86.{NUMBER}.{i + 1}", "host": host}
            for i, host in enumerate(("local", "local", "far", "far"), 1)
        }
        life = LifeOnTwoHosts(stack(f"t{NUMBER}", on_two_hosts(far, first)), chance, first, far)
        try:
            life.live()
            assert left_since(before) == {}
            assert far.inventory() == there
        finally:
            print(f"SEED={seed}: {', '.join(life.said)}")
