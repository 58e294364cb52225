"""Tests that run at the same time keep out of each other's way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

import pytest

from tests import turns

SECONDS = 10


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LOCKS", tmp_path)


@pytest.fixture
def others() -> Iterator[ThreadPoolExecutor]:
    """What stands for other processes."""
    with ThreadPoolExecutor() as pool:
        yield pool


def come(others: ThreadPoolExecutor, *, alone: bool) -> Future[TextIO]:
    """Let somebody come; he may have to wait."""
    return others.submit(turns.take, "host", alone=alone)


def await_somebody_in_the_door() -> None:
    deadline = time.monotonic() + SECONDS
    while held := turns.take_name("host-door", wait=False):
        held.close()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_those_who_share_are_inside_at_the_same_time(others: ThreadPoolExecutor) -> None:
    with turns.take("host", alone=False), come(others, alone=False).result(SECONDS):
        pass


def test_who_wants_all_waits_for_those_inside_and_keeps_others_out(others: ThreadPoolExecutor) -> None:
    with turns.take("host", alone=False):
        first = come(others, alone=True)
        await_somebody_in_the_door()
        # Where he waits; somebody who would share doesn't overtake him.
        second = come(others, alone=False)
        with pytest.raises(TimeoutError):
            second.result(0.1)
    with first.result(SECONDS), pytest.raises(TimeoutError):
        second.result(0.1)
    second.result(SECONDS).close()


def test_the_name_of_a_stack_is_one_users_at_a_time() -> None:
    held = turns.take_name("t1", wait=False)
    assert held
    assert turns.take_name("t1", wait=False) is None
    with turns.take_name("t2", wait=False) or pytest.fail("t2 is free"):
        pass
    held.close()
    again = turns.take_name("t1", wait=True)
    assert again
    again.close()


def test_what_is_done_once_a_run_is_the_first_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for run in ("one", "another"):
        monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", run)
        assert [turns.is_first("made") for _ in range(3)] == [True, False, False]


def test_no_file_has_a_fixture_that_is_called_as_the_whole_lab() -> None:
    """Its tests would be taken for the whole lab's, and run beside those that compare all that is on the host."""
    files = Path(turns.__file__).parent.glob("lab/test_*.py")
    assert [path.name for path in files if "\ndef lab(" in path.read_text()] == []
