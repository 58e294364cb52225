"""Which plugins a run has left behind, with real processes under the plugins' names."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hostside import cli, runs

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


@pytest.fixture
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the number of a run of the stack that is over."""
    number = str(uuid.uuid4())
    monkeypatch.setenv(runs.VARIABLE, number)
    runs.note(tmp_path)
    monkeypatch.setenv(runs.VARIABLE, str(uuid.uuid4()))
    runs.note(tmp_path)
    return number


@pytest.mark.parametrize("name", runs.PLUGINS)
@pytest.mark.parametrize("within", ["{}", "unshare --net {}", "unshare --pid --fork sh -c '{} & wait'"])
def test_what_a_run_of_the_stack_left_is_ended(
    tmp_path: Path, orphan: Start, noted: str, name: str, within: str
) -> None:
    if "unshare" in within and os.geteuid() != 0:
        pytest.skip("only root makes namespaces")
    pid = orphan(name, noted, within)
    assert runs.end_orphans(tmp_path) == [pid]
    assert _ended(pid)


def test_all_plugins_of_a_run_are_ended(tmp_path: Path, orphan: Start, noted: str) -> None:
    left = [orphan(name, noted) for name in (*runs.PLUGINS, *runs.PLUGINS)]
    assert sorted(runs.end_orphans(tmp_path)) == sorted(left)
    assert all(map(_ended, left))


def test_plugins_of_other_stacks_and_of_pulumis_without_a_number_stay(
    tmp_path: Path, orphan: Start, noted: str
) -> None:
    strangers = [orphan(run=str(uuid.uuid4())), orphan(), orphan("somebody-elses", noted)]
    assert runs.end_orphans(tmp_path) == []
    assert all(map(_runs, strangers))


def test_plugins_whose_engine_lives_stay(tmp_path: Path, noted: str) -> None:
    for name, program in ((runs.ENGINE, "bash"), ("pulumi-resource-docker", "sleep")):
        shutil.copy(str(shutil.which(program)), tmp_path / name)
    # What follows keeps the shell from becoming the plugin itself.
    command = [str(tmp_path / runs.ENGINE), "-c", f"{tmp_path}/pulumi-resource-docker 300; true"]
    with subprocess.Popen(command, env={**os.environ, runs.VARIABLE: noted}) as engine:
        plugin = _program_below(engine.pid, "pulumi-resource-docker")
        assert runs.end_orphans(tmp_path) == []
        assert _runs(plugin)
        engine.kill()
        engine.wait()
        assert runs.end_orphans(tmp_path) == [plugin]
        assert _ended(plugin)


def test_a_run_is_forgotten_when_nothing_of_it_is_left(tmp_path: Path, orphan: Start, noted: str) -> None:
    pid = orphan(run=noted)
    own = os.environ[runs.VARIABLE]
    runs.end_orphans(tmp_path)
    assert {path.name for path in (tmp_path / runs.DIRECTORY).iterdir()} == {noted, own}
    assert _ended(pid)
    runs.end_orphans(tmp_path)
    assert {path.name for path in (tmp_path / runs.DIRECTORY).iterdir()} == {own}


@pytest.mark.parametrize("number", ["", "../elsewhere", "x" * 36])
def test_only_a_runs_number_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    monkeypatch.setenv(runs.VARIABLE, number)
    runs.note(tmp_path)
    assert not (tmp_path / runs.DIRECTORY).exists()


def test_every_command_notes_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number = str(uuid.uuid4())
    monkeypatch.setenv(runs.VARIABLE, number)
    monkeypatch.setattr(cli, "SERVICES", {"sweep": lambda _directory, _stack: None})
    assert cli.main(["sweep", "lab"], tmp_path) == 0
    assert (tmp_path / runs.DIRECTORY / number).exists()


def test_each_pulumi_of_this_checkout_has_a_number_of_its_own(tmp_path: Path) -> None:
    fake = tmp_path / "pulumi"
    fake.write_text(f"#!/bin/sh\necho ${runs.VARIABLE}\n")
    fake.chmod(0o755)
    wrapper = Path(__file__).resolve().parents[2] / "prepare/bin/pulumi"
    environment = {**os.environ, "DOCKSTACK_PULUMI": str(fake), runs.VARIABLE: "of-a-pulumi-around-it"}
    told = {
        subprocess.run([wrapper, "version"], env=environment, capture_output=True, text=True, check=True).stdout.strip()
        for _ in range(2)
    }
    assert len(told) == 2 and all(uuid.UUID(number) for number in told)
