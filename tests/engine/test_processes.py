"""Live output, cancelling and the death of the engine: what happens while commands run."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.harness import Project, Resource, assert_ended, read_pids

pytestmark = pytest.mark.engine

# The shell and a child of it, both told by number; the child would outlive a shell that is killed alone.
FAMILY = "sleep 300 & echo $! >{0}; echo $$ >>{0}; wait"


def test_log_lines_come_while_the_command_runs(new_project: Callable[[str], Project]) -> None:
    running = new_project("live").start_up(Resource("slow", {"create": "echo early-line; sleep 4; echo late-line"}))
    assert running.stdout is not None
    seen: dict[str, float] = {}
    for line in running.stdout:
        for word in ("early-line", "late-line"):
            if line.rstrip().endswith(word):
                seen.setdefault(word, time.monotonic())
    assert running.wait() == 0
    assert seen["late-line"] - seen["early-line"] > 2


def test_cancel_ends_the_command(new_project: Callable[[str], Project], notes: Path) -> None:
    pids = notes / "cancelled"
    project = new_project("cancel")
    running = project.start_up(Resource("slow", {"create": f"echo $$ >{pids}; exec sleep 300"}))
    (pid,) = read_pids(pids, 1)
    running.send_signal(signal.SIGINT)
    assert_ended([pid], 5)
    assert finish(running) != 0
    assert "slow" not in project.outputs()


@pytest.mark.usefixtures("own_command")
@pytest.mark.parametrize("ignored", ["", "INT", "INT TERM"])
def test_cancel_ends_the_children_too(new_project: Callable[[str], Project], notes: Path, ignored: str) -> None:
    pids = notes / f"family{len(ignored)}"
    trap = f"trap '' {ignored}; " if ignored else ""
    running = new_project("cancel-family").start_up(Resource("slow", {"create": trap + FAMILY.format(pids)}))
    family = read_pids(pids, 2)
    running.send_signal(signal.SIGINT)
    assert_ended(family, 10)
    assert finish(running) != 0


@pytest.mark.usefixtures("own_command")
def test_two_interrupts_leave_nothing_running(new_project: Callable[[str], Project], notes: Path) -> None:
    """The second interrupt makes the engine kill its plugins at once."""
    pids = notes / "impatient"
    running = new_project("impatient").start_up(
        Resource("slow", {"create": "trap '' INT TERM; " + FAMILY.format(pids)})
    )
    family = read_pids(pids, 2)
    running.send_signal(signal.SIGINT)
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    assert_ended(family, 10)
    assert finish(running) != 0


@pytest.mark.usefixtures("own_command")
def test_a_killed_engine_takes_plugin_and_commands_with_it(new_project: Callable[[str], Project], notes: Path) -> None:
    pids = notes / "orphaned"
    running = new_project("killed").start_up(Resource("slow", {"create": FAMILY.format(pids)}))
    family = read_pids(pids, 2)
    plugin = parent_of(family[1])
    os.kill(running.pid, signal.SIGKILL)
    finish(running)
    assert_ended([plugin, *family], 5)


def parent_of(pid: int) -> int:
    """Return the number of the parent process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def finish(running: "subprocess.Popen[str]") -> int:
    """Wait for `pulumi` and return its exit status."""
    try:
        running.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        running.kill()
        raise
    return running.returncode
