"""An `up` that was cut off is finished by the next one, and a half-made lab is destroyed cleanly."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hostside import runs
from tests.lab.harness import (
    HOME,
    PROJECT,
    STACK,
    Make,
    Stack,
    eventually,
    interface,
    inventory,
    kill_all,
    kill_engine,
    left_since,
    long_drill,
    made_so_far,
    plain,
    run,
)

pytestmark = pytest.mark.lab

Kill = Callable[[subprocess.Popen[str]], None]
COUNT = 12


def cut_off(made: Stack, containers: int, kill: Kill = kill_engine) -> None:
    """Start an `up` and kill it when so many containers are there."""
    process = made.start_up()
    eventually("containers appear", lambda: made_so_far(made.name) >= containers, interval=0.01)
    kill(process)
    # The file backend's lock is the one thing that a person has to release, as its message says.
    made.pulumi("cancel", "--yes")


def left_of_runs(stack: str) -> list[int]:
    """Return the processes of a stack's runs."""
    of_the_stack = f"{runs.VARIABLE}={HOME / 'stacks' / stack}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if of_the_stack in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


@pytest.mark.parametrize("containers", [4, *(pytest.param(count, marks=long_drill) for count in (1, 9))])
def test_an_up_killed_on_the_way_is_finished_by_the_next(stack: Make, containers: int) -> None:
    made = stack("t9", plain(9, COUNT))
    cut_off(made, containers)
    made.up()
    eventually("no plugin is left of any run", lambda: not left_of_runs("t9"))
    for number in range(1, COUNT + 1):
        assert interface(f"t9-p{number}") == (f"10.86.9.{9 + number}/24", "10.86.9.1", 1500)
    made.preview("--expect-no-changes")


def test_an_up_ended_by_ctrl_c_is_continued_by_the_next_without_more_ado(stack: Make) -> None:
    made = stack("t26", plain(26, COUNT))
    process = made.start_up()
    eventually("containers appear", lambda: made_so_far(made.name) >= 4, interval=0.01)
    # A terminal tells all processes in its foreground.
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=120)[0]
    assert process.returncode != 0, said
    made.up()
    for number in range(1, COUNT + 1):
        assert interface(f"t26-p{number}") == (f"10.86.26.{9 + number}/24", "10.86.26.1", 1500)
    made.preview("--expect-no-changes")


@long_drill
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


def gone(directory: Path) -> bool:
    """Remove a directory, in which the keeper may write a file meanwhile; say whether all of it is gone."""
    shutil.rmtree(directory, ignore_errors=True)
    return not directory.exists()


def test_make_purge_takes_all_away_whatever_is_broken(stack: Make) -> None:
    before = inventory()
    made = stack("t32", plain(32, 3))
    made.up()
    # A supervisord that finds no files ends, and a container that starts again can't be paused.
    asked = ("docker", "exec", "t32-p1", "supervisorctl", "pid")
    eventually("supervisord has read its files", lambda: run(*asked, check=False).returncode == 0)
    # With its files gone, the engine's plugins can't do what a destroy asks of them.
    eventually("its files are gone", lambda: gone(HOME / "stacks" / "t32"))
    run("docker", "pause", "t32-p1")
    run("docker", "rm", "--force", "t32-p2")
    # Docker makes the directory that the container mounts, and those above it.
    run("docker", "restart", "--time", "1", "t32-p3")
    assert made.destroy(check=False).returncode != 0

    try:
        run("make", "purge", "STACK=t32", cwd=PROJECT, env=made.env)
    finally:
        # It is the checkout's selected stack that goes.
        run("make", "prepare", f"STACK={STACK}", cwd=PROJECT)
    assert left_since(before) == {}
    # The state has gone as well, and so the name is free.
    made.pulumi("stack", "init", "t32")
