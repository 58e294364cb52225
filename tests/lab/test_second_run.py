"""Puppet's second run in every container changes nothing, and has no secret where others could read it."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.conftest import Lab
from tests.lab.harness import puppet_runs
from tests.lab.secrets_of_lab import all_secrets, leaked

pytestmark = pytest.mark.lab


@dataclass(frozen=True)
class Seen:
    """How the runs ended, by container, and every command line that there was on the host meanwhile."""

    ended: dict[str, subprocess.CompletedProcess[str]]
    command_lines: frozenset[str]


@pytest.fixture(scope="module")
def seen(lab: Lab) -> Seen:
    """Run Puppet in all containers, and watch."""
    command_lines: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    command_lines.add(path.read_bytes().decode(errors="replace"))
                except OSError:
                    continue
            over.wait(0.01)

    lab.await_healthy()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        ended = puppet_runs(lab.services, "--detailed-exitcodes", "--logdest", "console")
    finally:
        over.set()
        watcher.join()
    return Seen(ended, frozenset(command_lines))


def test_it_changes_nothing(seen: Seen) -> None:
    assert {name: run.stdout + run.stderr for name, run in seen.ended.items() if run.returncode} == {}


def test_no_secret_is_among_the_arguments_of_any_process_meanwhile(lab: Lab, seen: Seen) -> None:
    secrets = all_secrets(lab.stack, list(lab.services))
    assert any("puppet" in line for line in seen.command_lines)
    assert {name for line in seen.command_lines for name in leaked(secrets, line)} == set()
