"""The whole OpenStack with no single member to fail, as examples/Pulumi.ha.yaml has it, and each of its losses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import drill, drills, loss_table
from tests.bench import memory
from tests.lab import cloud as clouds
from tests.lab.harness import (
    OF_LABS,
    Stack,
    brought_up,
    eventually,
    example,
    left_since,
    long_drill,
    puppet_runs,
    started_at,
)

pytestmark = [pytest.mark.lab, pytest.mark.drill, long_drill]

STACK = "t182"
MOST_MIB = 22 * 1024
AWAY_SECONDS = 10.0
"""What no API may be away for when one of several members is lost."""


def given() -> dict[str, Any]:
    """Return the example's configuration, under names of the test's own."""
    networks = (("10.88.2.", "10.86.182."), ("10.88.3.", "10.86.183."))
    names = (("br-trio", f"br-{STACK}"), ("trio.lab", f"{STACK}.lab"), (" trio-", f" {STACK}-"))
    return example("examples/Pulumi.ha.yaml", *networks, *names)


def members() -> dict[str, list[str]]:
    """Return the containers of each role."""
    found: dict[str, list[str]] = {}
    for name, container in given()["containers"].items():
        found.setdefault(container["role"], []).append(name)
    return found


SEVERAL = {role: names for role, names in members().items() if len(names) > 1}
LOST = [
    *(f"kill-{name}" for names in members().values() for name in names),
    *(f"{fault}-{role}" for fault in ("stop", "freeze", "cut") for role in SEVERAL),
]
"""Each member killed, and of each role with several members one stopped, frozen and cut off."""


@pytest.fixture(scope="module")
def made(before: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Bring it up; nothing is left of it at the end."""
    with brought_up(STACK, tmp_path_factory.mktemp("stacks"), given()) as made:
        yield made
    assert left_since(before, OF_LABS) == {}


@pytest.fixture(scope="module")
def trio(made: Stack) -> drill.Lab:
    """The stack as `make drill` sees it."""
    return drill.Lab(STACK, made.outputs())


def lose(trio: drill.Lab, name: str) -> tuple[drills.Drill, loss_table.Result]:
    """Lose something once all works, and return what became of it."""
    eventually("all works", lambda: not trio.faults(), interval=1)
    (found,) = drills.chosen(name, STACK, trio.outputs)
    result = drill.run(trio, found)
    print(f"\n{loss_table.line(result.cells())}", flush=True)
    return found, result


def test_nothing_is_left_to_do(made: Stack) -> None:
    before = started_at(STACK)
    made.preview("--expect-no-changes")
    made.make("status")
    ended = puppet_runs([names[-1] for names in members().values()], "--test")
    assert {name: done.stdout + done.stderr for name, done in ended.items() if done.returncode} == {}
    assert started_at(STACK) == before


def test_a_guest_is_reached_and_all_fits_into_the_machine(made: Stack, tmp_path: Path) -> None:
    cloud = clouds.connect(made.outputs()["openrc"])
    with clouds.guest(cloud, "trio-guest", tmp_path, floating=True) as guest:
        guest.await_ssh()
        held = memory.measure(STACK)
        print(f"\nwith a guest: {sum(held.values()) / 1024:.1f} GiB")
        assert sum(held.values()) < MOST_MIB
    assert all(router.is_ha for router in cloud.network.routers())


@pytest.mark.parametrize("name", LOST)
def test_what_is_lost_is_missed_by_nobody_for_long(trio: drill.Lab, name: str) -> None:
    lost, result = lose(trio, name)
    assert result.well
    if trio.outputs["services"][lost.victim]["role"] in SEVERAL:
        slow = {each.target: each.away for each in result.outcomes if each.away > AWAY_SECONDS}
        assert slow == {}, name


def test_all_that_are_killed_at_once_come_back_without_a_hand(trio: drill.Lab) -> None:
    _, result = lose(trio, drills.POWER_CUT)
    assert result.well
