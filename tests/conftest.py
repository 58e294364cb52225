"""How the tests run: which beside which, in what order, what is left out, and where the time went.

`make test` runs them in two processes, `pytest` by itself one after the other. Each file is run by one process. What
runs at the same time follows from the fixtures and marks of the tests:

of the whole lab
    those with the fixture ``lab`` from tests/lab. One process has them all, and one comes after the other.
``shares``
    files of the whole lab's that use it and disturb nothing of it. They come first, in both processes; a test that is
    not among them waits for the end of the other process's file.
all others
    run beside the whole lab: throwaway stacks, contract tests of the engine, unit tests. Of the files of the first two
    kinds one runs at a time, since some compare all that is on the host before and after.
``alone``
    tests that end what every lab on the host needs, such as the Docker engine. Nothing else of an engine or a lab runs
    beside them, and no other file is in the midst of its tests.
``drill``
    loses or changes much of a lab, and takes minutes. Drills come last, and none begins after DRILLS_UNTIL.
``long_drill``
    a drill that runs with DRILLS=all only.

A test that is left out is skipped, and the summary says why.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO

import pytest

from tests.lab.harness import ALL_DRILLS, DRILLS_UNTIL
from tests.turns import RUNNING, take

LAB = "lab"
"""The group of the whole lab's tests."""
SLOWEST = 7
"""How many files the summary names."""
_of_file: list[TextIO] = []
"""Holds for the file that is run a share of the lab, or the right to have throwaway stacks, if it has one of them."""


def has(item: pytest.Item, *marks: str) -> bool:
    """Say whether a test has one of some marks."""
    return any(item.get_closest_marker(mark) for mark in marks)


def is_of_the_lab(item: pytest.Item) -> bool:
    """Say whether a test uses the whole lab; unit tests have a fixture of that name too, of another lab."""
    return has(item, "lab") and "lab" in getattr(item, "fixturenames", ())


def group(item: pytest.Item) -> str:
    """Return the name that those tests have in common which one process has to run."""
    return LAB if is_of_the_lab(item) and not has(item, "shares") else item.path.stem


def place(item: pytest.Item) -> int:
    """Return when a test is handed out to a process: what nothing can run beside early, what is short late."""
    if has(item, "shares"):
        return 0
    if is_of_the_lab(item):
        return 1
    return 2 if has(item, "lab") else 3 if has(item, "engine") else 4


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Say which tests stay together, and put them in order."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))
    yield
    # Now, since pytest has brought together what shares a fixture, and xdist has read the groups.
    two_processes = "PYTEST_XDIST_WORKER" in os.environ
    # What waits until nothing else runs comes last, with the rest of its file, whose fixtures take long.
    late = {item.path for item in items if has(item, "alone") and is_asked_for(item)}
    items.sort(
        key=lambda item: (
            two_processes and place(item),
            has(item, "drill", "long_drill"),
            str(item.path) if item.path in late else "",
            has(item, "alone"),
        )
    )


def is_asked_for(item: pytest.Item) -> bool:
    """Say whether a test belongs to what is to be run."""
    return ALL_DRILLS or not has(item, "long_drill")


def left_out(item: pytest.Item) -> str:
    """Return why a test does not run; nothing when it does."""
    if not is_asked_for(item):
        return "runs with DRILLS=all"
    if has(item, "drill", "long_drill") and time.time() > DRILLS_UNTIL:
        return "no time was left for it (DRILLS_UNTIL)"
    return ""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what is not asked for, and what there is no time for."""
    if reason := left_out(item):
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, Any, Any]:
    """Run a test of an engine or a lab when it is its turn."""
    try:
        if not has(item, "engine", "lab") or left_out(item):
            return (yield)
        with turn(item):
            return (yield)
    finally:
        if _of_file and (nextitem is None or nextitem.path != item.path):
            _of_file.pop().close()


@contextmanager
def turn(item: pytest.Item) -> Iterator[None]:
    """Wait until a test may run, and keep away meanwhile what may not run beside it."""
    with ExitStack() as held:
        # Always in this order, or two processes could wait for each other.
        if has(item, "shares"):
            _of_file.extend([] if _of_file else [take("lab", alone=False)])
        elif is_of_the_lab(item):
            held.enter_context(take("lab", alone=True))
            if has(item, "alone") and not _of_file:
                # Another file has its stacks between its tests as well.
                held.enter_context(take("stacks", alone=True))
        else:
            _of_file.extend([] if _of_file else [take("stacks", alone=True)])
        held.enter_context(take("host", alone=has(item, "alone")))
        RUNNING.write_text(f"{item.nodeid.partition('@')[0]}\n")
        held.callback(RUNNING.unlink, missing_ok=True)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell which files took longest; .ci/run repeats these lines."""
    seconds: dict[str, float] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                file = report.nodeid.split("::")[0]
                seconds[file] = seconds.get(file, 0) + report.duration
    if len(seconds) > 1:
        terminalreporter.section("slowest test files")
        for file in sorted(seconds, key=lambda file: -seconds[file])[:SLOWEST]:
            terminalreporter.write_line(f"{seconds[file]:6.0f} s  {file}")
