"""Which plugins a run has left behind, with real processes under the plugins' names."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from components import paths
from hostside import runs

Start = Callable[..., int]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a program whose parent is gone; it takes its name, its run and what starts it."""
    started: list[int] = []

    def start(name: str = "pulumi-resource-docker", run: str | None = None, within: str = "{}") -> int:
        program = tmp_path / name
        if not program.exists():
            shutil.copy(str(shutil.which("sleep")), program)
        environment = {key: value for key, value in os.environ.items() if key != runs.VARIABLE}
        told = tmp_path / f"pid-{len(started)}"
        # The shell in the middle ends at once.
        script = f"{within.format(f'{program} 300')} & echo $! >{told}"
        subprocess.run(["sh", "-c", script], env=environment | ({runs.VARIABLE: run} if run else {}), check=True)
        pid = _program_below(int(told.read_text()), name)
        started.append(pid)
        return pid

    yield start
    for pid in started:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _program_below(pid: int, name: str) -> int:
    """Return the number of the program: the process itself, or one that it started."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        family = [pid]
        for each in family:
            if Path(f"/proc/{each}/cmdline").read_bytes().split(b"\0")[0].endswith(f"/{name}".encode()):
                return each
            family += map(int, Path(f"/proc/{each}/task/{each}/children").read_text().split())
        time.sleep(0.01)
    raise AssertionError(f"{name} did not start")


def _ended(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not _runs(pid)


@pytest.mark.parametrize("name", runs.PLUGINS)
@pytest.mark.parametrize("within", ["{}", "unshare --net {}", "unshare --pid --fork sh -c '{} & wait'"])
def test_what_a_run_of_the_stack_left_is_ended(tmp_path: Path, orphan: Start, name: str, within: str) -> None:
    if "unshare" in within and os.geteuid() != 0:
        pytest.skip("only root makes namespaces")
    pid = orphan(name, str(tmp_path), within)
    assert runs.end_orphans(tmp_path) == [pid]
    assert _ended(pid)


def test_all_plugins_of_a_run_are_ended(tmp_path: Path, orphan: Start) -> None:
    left = [orphan(name, str(tmp_path)) for name in (*runs.PLUGINS, *runs.PLUGINS)]
    assert sorted(runs.end_orphans(tmp_path)) == sorted(left)
    assert all(map(_ended, left))


def test_plugins_of_other_stacks_and_of_pulumis_without_a_stack_stay(tmp_path: Path, orphan: Start) -> None:
    strangers = [orphan(run=f"{tmp_path}2"), orphan(), orphan("somebody-elses", str(tmp_path))]
    assert runs.end_orphans(tmp_path) == []
    assert all(map(_runs, strangers))


def test_plugins_whose_engine_lives_stay(tmp_path: Path) -> None:
    for name, program in ((runs.ENGINE, "bash"), ("pulumi-resource-docker", "sleep")):
        shutil.copy(str(shutil.which(program)), tmp_path / name)
    # What follows keeps the shell from becoming the plugin itself.
    command = [str(tmp_path / runs.ENGINE), "-c", f"{tmp_path}/pulumi-resource-docker 300; true"]
    with subprocess.Popen(command, env={**os.environ, runs.VARIABLE: str(tmp_path)}) as engine:
        plugin = _program_below(engine.pid, "pulumi-resource-docker")
        assert runs.end_orphans(tmp_path) == []
        assert _runs(plugin)
        engine.kill()
        engine.wait()
        assert runs.end_orphans(tmp_path) == [plugin]
        assert _ended(plugin)


def told(tmp_path: Path, *arguments: str) -> str:
    """Return the stack's directory that a Pulumi of this checkout is given."""
    fake = tmp_path / "pulumi"
    fake.write_text(f"#!/bin/sh\necho ${runs.VARIABLE}\n")
    fake.chmod(0o755)
    wrapper = paths.PROJECT / "prepare/bin/pulumi"
    environment = {
        **os.environ,
        "DOCKSTACK_HOME": str(tmp_path),
        "DOCKSTACK_PULUMI": str(fake),
        runs.VARIABLE: "of-a-pulumi-around-it",
    }
    done = subprocess.run(
        [wrapper, *arguments], env=environment, cwd=paths.PROJECT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("command", ["up", "preview", "destroy", "refresh"])
def test_each_pulumi_that_runs_the_program_has_the_stacks_directory(tmp_path: Path, command: str) -> None:
    directory = str(paths.stack_directory("other", PurePosixPath(tmp_path)))
    assert (
        told(tmp_path, command, "--stack", "other")
        == told(tmp_path, "-s", "organization/p/other", command)
        == directory
    )


def test_a_pulumi_that_starts_no_plugins_has_none(tmp_path: Path) -> None:
    assert told(tmp_path, "stack", "ls") == ""
