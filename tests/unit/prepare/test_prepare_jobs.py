"""The order in which preparation runs its jobs: what waits for what, how many at once, and what a fault leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from components import paths
from prepare.jobs import Board, Interrupted, Job, JobFailed, run

CLOCK = "from time import monotonic, sleep; from sys import argv; from pathlib import Path"
"""For a job that notes its begin and its end in a file of its name."""


def noting(name: str, directory: Path, *needs: str, takes: float = 0.0, seconds: float = 1.0) -> Job:
    code = f"{CLOCK}; b = monotonic(); sleep({takes}); Path(argv[1]).write_text(f'{{b}} {{monotonic()}}')"
    return Job(name, [sys.executable, "-SEc", code, str(directory / name)], needs, seconds)


def shell(name: str, script: str, *needs: str) -> Job:
    return Job(name, ["sh", "-c", script], needs)


def times(directory: Path) -> dict[str, tuple[float, float]]:
    read = {path.name: path.read_text().split() for path in directory.iterdir()}
    return {name: (float(begin), float(end)) for name, (begin, end) in read.items()}


def begun(jobs: Iterable[Job]) -> list[str]:
    """Return the order in which jobs begin where one runs at a time."""
    board, order = Board(jobs), []
    while job := board.begin():
        order.append(job.name)
        board.finish(job)
    return order


def idle(name: str, *needs: str, seconds: float = 1.0) -> Job:
    return Job(name, ["true"], needs, seconds)


def test_the_job_with_the_longest_chain_behind_it_begins_first() -> None:
    jobs = [
        idle("long", seconds=50),
        idle("first", seconds=1),
        idle("second", "first", seconds=30),
        idle("third", "second", seconds=30),
        idle("short", seconds=5),
    ]
    assert begun(jobs) == ["first", "second", "long", "third", "short"]


def test_a_job_that_waits_for_several_is_in_the_chain_of_each() -> None:
    jobs = [idle("a", seconds=1), idle("b", seconds=2), idle("c", seconds=60), idle("both", "a", "b", seconds=100)]
    assert begun(jobs) == ["b", "a", "both", "c"]


def test_a_job_that_comes_later_lengthens_the_chain_of_what_it_needs() -> None:
    board = Board([idle("listing", seconds=20), idle("base", seconds=1), idle("other", seconds=10)])
    listing = board.begin()
    assert listing is not None and listing.name == "listing"
    board.add([idle("image", "base", seconds=40)])
    board.finish(listing)
    following = board.begin()
    assert following is not None and following.name == "base"


@pytest.mark.parametrize(
    ("jobs", "fault"),
    [
        ([idle("a"), idle("a")], "two jobs a"),
        ([idle("a", "b")], "a needs b, which isn't there"),
        ([idle("a", "b"), idle("b", "c"), idle("c", "a")], "wait for each other"),
    ],
)
def test_jobs_that_dont_fit_together_are_refused(jobs: list[Job], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Board(jobs)


def test_a_job_runs_after_all_that_it_needs(tmp_path: Path) -> None:
    run([noting("last", tmp_path, "a", "b"), noting("a", tmp_path, takes=0.2), noting("b", tmp_path)], 4)
    noted = times(tmp_path)
    assert noted["last"][0] >= max(noted["a"][1], noted["b"][1])


def test_as_many_run_at_once_as_are_allowed_and_no_more(tmp_path: Path) -> None:
    run([noting(f"job{number}", tmp_path, takes=0.3) for number in range(6)], 3)
    noted = times(tmp_path)
    together = [sum(begin <= moment < end for begin, end in noted.values()) for moment, _ in noted.values()]
    assert len(noted) == 6
    assert max(together) == 3


def test_what_a_job_finds_out_runs_too_and_gets_its_input(tmp_path: Path) -> None:
    def found(answer: str) -> list[Job]:
        return [Job(name, ["sh", "-c", f"cat > {tmp_path / name}"], stdin=f"for {name}") for name in json.loads(answer)]

    said: list[str] = []
    run([Job("listing", ["sh", "-c", 'echo reading >&2; echo \'["x", "y"]\''], answer=found)], 2, said.append)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"x": "for x", "y": "for y"}
    assert said == ["reading"]


def test_a_jobs_lines_are_passed_on_as_they_come() -> None:
    said: list[tuple[float, str]] = []
    run([shell("slow", "echo begun; sleep 0.5; echo done >&2")], 1, lambda line: said.append((time.monotonic(), line)))
    assert [line for _, line in said] == ["begun", "done"]
    assert said[1][0] - said[0][0] > 0.3


def test_a_failure_names_the_job_shows_its_last_lines_and_ends_the_others(tmp_path: Path) -> None:
    jobs = [
        shell("bad", "for i in $(seq 40); do echo line $i; done; echo why >&2; exit 7"),
        shell("other", f"echo $$ > {tmp_path}/pid; sleep 60"),
        shell("after", f"touch {tmp_path}/after", "bad"),
    ]
    begin = time.monotonic()
    with pytest.raises(JobFailed) as caught:
        run([shell("wait", f"while ! [ -s {tmp_path}/pid ]; do sleep 0.05; done"), *jobs[1:],
             Job("bad", jobs[0].command, ("wait",))], 2, lambda _: None)  # fmt: skip
    assert time.monotonic() - begin < 30
    text = str(caught.value)
    assert "bad ended with status 7" in text
    assert "line 40" in text and text.endswith("why")
    assert "line 3\n" not in text
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()
    assert not (tmp_path / "after").exists()


def test_a_job_that_leaves_something_running_is_done_nevertheless() -> None:
    begin = time.monotonic()
    run([shell("daemon", "sleep 60 & echo up")], 1, lambda _: None)
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_the_jobs_with_their_children_and_begins_none(
    tmp_path: Path, number: signal.Signals
) -> None:
    code = f"""
import sys
from prepare.jobs import Interrupted, Job, run
script = "sleep 60 & echo $! > {tmp_path}/child; trap '' INT; touch {tmp_path}/ready; wait"
try:
    run([Job("a", ["sh", "-c", script]), Job("b", ["touch", "{tmp_path}/b"], ("a",))], 2)
except Interrupted as error:
    sys.exit(error.number)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=paths.PROJECT)
    while not (tmp_path / "ready").exists():
        time.sleep(0.05)
    child = int((tmp_path / "child").read_text())
    os.kill(process.pid, number)
    assert process.wait(timeout=20) == number
    assert not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2]
    assert not (tmp_path / "b").exists()


def test_the_next_run_goes_on_where_one_was_interrupted(tmp_path: Path) -> None:
    step = f"[ -e {tmp_path}/made ] || {{ touch {tmp_path}/made; exit 1; }}"
    jobs = [shell("first", step), shell("second", f"touch {tmp_path}/second", "first")]
    with pytest.raises(JobFailed):
        run(jobs, 1)
    run(jobs, 1)
    assert (tmp_path / "second").exists()


def test_an_interruption_is_told_by_the_signals_name() -> None:
    assert str(Interrupted(signal.SIGTERM)) == "interrupted by SIGTERM"
