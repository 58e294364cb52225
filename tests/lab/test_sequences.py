"""Random lives of small labs: added, removed, changed, broken or killed, `up` brings them to where nothing is to do.

SEQUENCES says how many lives, and SEED with which one they begin: the same unless said otherwise, so that a failure
comes from a change of the code. `SEQUENCES=200 SEED=$RANDOM pytest -s tests/lab/test_sequences.py` looks for more.
"""

from __future__ import annotations

import os
import random
import time
from typing import Any

import pytest

from tests.lab.harness import (
    Make,
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

    def __init__(self, stack: Stack, chance: random.Random, containers: dict[str, dict[str, Any]]) -> None:
        self.stack = stack
        self.chance = chance
        self.containers = containers
        self.said: list[str] = []

    def happen(self) -> None:
        """Let one thing happen, and bring the stack up after it."""
        name = self.chance.choice(sorted(self.containers))
        what = self.chance.choice(
            [
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
        )
        self.said.append(f"{what.__name__} {name}")
        what(name)
        self.stack.configure(config(NUMBER, self.containers))
        self.stack.pulumi("up", "--yes", "--skip-preview", "--refresh")
        self.check()

    def check(self) -> None:
        """Each container has the address that the configuration gives it, and there are no others."""
        shown = run(*listing(f"t{NUMBER}"), "--all")
        assert set(shown.stdout.split()) == {*self.containers, f"t{NUMBER}-keeper"}
        for name, container in self.containers.items():
            wanted = (f"{container['address']}/24", f"10.86.{NUMBER}.1", 1500)
            eventually(f"{name} has {wanted}", lambda name=name, wanted=wanted: interface(name) == wanted, 30)  # type: ignore[misc]
            ping = ("ping", "-c", "1", "-W", "2", container["address"])
            # A port that was taken off the bridge is the keeper's to put back, when it looks next.
            eventually(f"{name} answers", lambda ping=ping: run(*ping, check=False).returncode == 0, 30)  # type: ignore[misc]

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
        run("docker", "stop", "--time", "1", name)

    def lose(self, name: str) -> None:
        run("docker", "rm", "--force", name)

    def detach(self, name: str) -> None:
        ports = run("ovs-vsctl", "--bare", "--columns=name", "find", "interface", f"external_ids:container_id={name}")
        run("ovs-vsctl", "del-port", ports.stdout.strip())

    def misaddress(self, name: str) -> None:
        run(*network_of(name), "ip", "address", "flush", "dev", "eth0")

    def unbridge(self, _name: str) -> None:
        run("ovs-vsctl", "del-br", f"br-t{NUMBER}")

    def kill(self, name: str) -> None:
        run("docker", "kill", name)

    def cut(self, name: str) -> None:
        """Kill an `up` that has something to do, somewhere on its way."""
        self.move(name)
        self.add(name)
        self.stack.configure(config(NUMBER, self.containers))
        process = self.stack.start_up()
        time.sleep(self.chance.uniform(0.5, 5))
        self.chance.choice([kill_engine, kill_all])(process)
        self.stack.pulumi("cancel", "--yes", check=False)


@pytest.mark.parametrize("seed", [s if s in USUAL else pytest.param(s, marks=long_drill) for s in SEEDS])
def test_whatever_happens_up_comes_to_rest_and_destroy_leaves_nothing(seed: int, stack: Make) -> None:
    chance = random.Random(seed)
    before = inventory()
    first = {f"t{NUMBER}-p{i}": {"role": "plain", "address": f"10.86.{NUMBER}.{i + 1}"} for i in range(1, 4)}
    life = Life(stack(f"t{NUMBER}", config(NUMBER, first)), chance, first)
    try:
        life.stack.up()
        life.check()
        for _ in range(STEPS):
            life.happen()
        life.stack.preview("--expect-no-changes")
        life.stack.destroy()
        assert left_since(before) == {}
    finally:
        print(f"SEED={seed}: {', '.join(life.said)}")
