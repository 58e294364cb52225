"""An `up` that was cut off is finished by the next one, and a half-made lab is destroyed cleanly."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.lab.harness import Stack, eventually, interface, inventory, kill_all, kill_engine, left_since, plain, run

pytestmark = pytest.mark.lab

Make = Callable[[str, Mapping[str, Any]], Stack]
Kill = Callable[[subprocess.Popen[str]], None]
COUNT = 12


def made_so_far(name: str) -> int:
    return len(run("docker", "ps", "-aq", "--filter", f"label=dockstack.stack={name}").stdout.split())


def cut_off(made: Stack, containers: int, kill: Kill = kill_engine) -> None:
    """Start an `up` and kill it when so many containers are there."""
    process = made.start_up()
    eventually("containers appear", lambda: made_so_far(made.name) >= containers, 120, 0.01)
    kill(process)
    # The file backend's lock is the one thing that a person has to release, as its message says.
    made.pulumi("cancel", "--yes")


@pytest.mark.parametrize("containers", [1, 4, 9])
def test_an_up_killed_on_the_way_is_finished_by_the_next(stack: Make, containers: int) -> None:
    made = stack("t9", plain(9, COUNT))
    cut_off(made, containers)
    made.up()
    for number in range(1, COUNT + 1):
        assert interface(f"t9-p{number}") == (f"10.86.9.{9 + number}/24", "10.86.9.1", 1500)
    made.preview("--expect-no-changes")


def test_a_half_made_lab_is_destroyed_cleanly(stack: Make) -> None:
    before = inventory()
    made = stack("t10", plain(10, COUNT))
    cut_off(made, 5)
    # What the engine had made and not yet recorded is known to the next command only after a look at the host.
    made.up()
    made.destroy()
    assert left_since(before) == {}


def test_a_destroy_right_after_the_kill_leaves_nothing(stack: Make) -> None:
    before = inventory()
    made = stack("t11", plain(11, COUNT))
    cut_off(made, 5, kill_all)
    made.destroy()
    assert left_since(before) == {}
