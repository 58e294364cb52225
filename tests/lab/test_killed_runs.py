"""An `up` or a `destroy` that is killed with all that it started, at any moment: the next command ends well.

MOMENTS says at how many moments of each, and SEED with which it begins: `MOMENTS=200 SEED=$RANDOM` looks for more.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from hostside.ports import link_prefix
from tests.lab.harness import (
    ALL_DRILLS,
    HOME,
    Make,
    Stack,
    config,
    eventually,
    inside,
    interface,
    kill_all,
    kill_containers,
    listing,
    run,
)

pytestmark = [pytest.mark.lab, pytest.mark.drill]

MOMENTS = int(os.environ.get("MOMENTS", "30" if ALL_DRILLS else "3"))
SEED = int(os.environ.get("SEED", "1"))
SECONDS = {"up": 8.0, "destroy": 5.0}
"""How long a run takes until one has been measured."""
WORDS = "acknowledged"


class Life:
    """A stack of plain containers, one of them with data, whose runs are killed."""

    def __init__(self, stack: Stack, number: int, data: Path, chance: random.Random) -> None:
        self.stack, self.number, self.chance = stack, number, chance
        self.seconds = dict(SECONDS)
        self.said: list[str] = []
        self.containers: dict[str, dict[str, Any]] = {
            self.name(1): {"role": "plain", "address": self.fresh({}), "volumes": [f"{data}:/data"]}
        }
        self.add(self.containers)

    def name(self, number: int) -> str:
        return f"t{self.number}-p{number}"

    def fresh(self, containers: dict[str, dict[str, Any]]) -> str:
        """Return an address that nobody has."""
        taken = {container["address"] for container in containers.values()}
        pool = [a for n in range(10, 100) if (a := f"10.86.{self.number}.{n}") not in taken]
        return self.chance.choice(pool)

    def add(self, containers: dict[str, dict[str, Any]]) -> None:
        free = next(name for n in range(2, 99) if (name := self.name(n)) not in containers)
        containers[free] = {"role": "plain", "address": self.fresh(containers)}

    def changed(self) -> dict[str, dict[str, Any]]:
        """Return another configuration: the one with data replaced, one gone, one or two new."""
        after = {name: dict(container) for name, container in self.containers.items()}
        for gone in self.chance.sample(sorted(after)[1:], k=min(1, len(after) - 1)):
            del after[gone]
        after[self.name(1)]["address"] = self.fresh(after)
        for _ in range(self.chance.randint(1, 2)):
            self.add(after)
        return after

    def configure(self, containers: dict[str, dict[str, Any]]) -> None:
        self.containers = containers
        self.stack.configure(config(self.number, containers))

    def up(self) -> None:
        """Bring it up; all is as the configuration says, and nothing is left to do."""
        since = time.monotonic()
        self.stack.up()
        self.seconds["up"] = time.monotonic() - since
        assert set(run(*listing(self.stack.name)).stdout.split()) == {*self.containers, f"{self.stack.name}-keeper"}
        for name, container in self.containers.items():
            wanted = (f"{container['address']}/24", f"10.86.{self.number}.1", 1500)
            eventually(f"{name} has {wanted}", lambda name=name, wanted=wanted: interface(name) == wanted)  # type: ignore[misc]
        holder = self.name(1)
        if not self.said:
            inside(holder, "sh", "-c", f"echo {WORDS} >/data/words")
        assert inside(holder, "cat", "/data/words").strip() == WORDS
        self.stack.preview("--expect-no-changes")

    def destroy(self) -> None:
        """Take it down; nothing of it is left."""
        since = time.monotonic()
        self.stack.destroy()
        self.seconds["destroy"] = time.monotonic() - since
        eventually(f"nothing is left of {self.stack.name}", lambda: not self.left())

    def left(self) -> list[str]:
        """Return what carries the stack's name, or has its subnet."""
        interfaces = ("ovs-vsctl", "--bare", "--columns=name,external_ids", "list", "interface")
        owned = (self.stack.name + "-", f"br-{self.stack.name}", link_prefix(self.stack.name), f"10.86.{self.number}.")
        told = [
            *run(*listing(self.stack.name), "--all").stdout.splitlines(),
            *run(*interfaces).stdout.splitlines(),
            *run("ip", "-o", "link").stdout.splitlines(),
            *run("ip", "-4", "route", "show", "table", "all").stdout.splitlines(),
        ]
        directory = HOME / "stacks" / self.stack.name
        return [line for line in told if any(word in line for word in owned)] + [str(directory)] * directory.exists()

    def kill(self, what: str, process: subprocess.Popen[str]) -> None:
        """Kill a run, at times with all that runs in the stack's containers."""
        moment = self.chance.uniform(0, self.seconds[what])
        time.sleep(moment)
        kill_all(process)
        power = self.chance.random() < 0.25
        if power:
            kill_containers(self.stack.name)
        self.said.append(f"{what} killed after {moment:.2f} s{', its containers too' if power else ''}")
        # The file backend's lock is the one thing that a person has to release, as its message says.
        self.stack.pulumi("cancel", "--yes", check=False)

    def live(self, what: str) -> None:
        """Have one run killed, and the next command end well."""
        former = self.containers
        if what == "up":
            self.configure(self.changed())
            self.kill(what, self.stack.start_up())
        else:
            self.kill(what, self.stack.start_destroy())
        then = self.chance.choice(["up", "up as before", "destroy"])
        self.said.append(then)
        if then == "up as before":
            self.configure(former)
        if then == "destroy":
            self.destroy()
        else:
            self.up()


@pytest.mark.parametrize(("what", "number"), [("up", 142), ("destroy", 143)])
def test_after_a_run_that_was_killed_the_next_command_ends_well(
    stack: Make, tmp_path: Path, what: str, number: int
) -> None:
    (tmp_path / "data").mkdir()
    life = Life(stack(f"t{number}", config(number, {})), number, tmp_path / "data", random.Random(SEED))
    life.configure(life.containers)
    is_up = False
    for _ in range(MOMENTS):
        # Every fourth life or so begins with nothing: the first `up` of a stack is killed as well.
        if not is_up and (what == "destroy" or not life.said or life.chance.random() < 0.5):
            life.up()
        try:
            life.live(what)
        except AssertionError as error:
            raise AssertionError(f"seed {SEED}: {'; '.join(life.said)}\n{error}") from error
        is_up = life.said[-1] != "destroy"
    print(f"{what} killed at {MOMENTS} moments: {'; '.join(life.said)}")
