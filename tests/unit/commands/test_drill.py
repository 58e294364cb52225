"""`make drill`: what requests tell of a loss, which drills a lab can have, what brings it back, and the table."""

from __future__ import annotations

import fcntl
import itertools
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import drill, drills, kept, load, loss_table, status
from commands.drill import Lab
from commands.drills import Drill
from commands.kept import Found
from commands.load import Attempt, Load, Outcome
from commands.loss_table import Result
from components import paths
from hostside import docker_api, losses, ways
from hostside.impairment import Impairment, Impairments
from hostside.report import Problem
from tests.unit.played_hosts import STACK, Hosts, played

OUTPUTS: dict[str, Any] = {
    "addresses": {"galera1": "10.87.0.30", "web1": "10.87.0.60", "web2": "10.87.0.61"},
    "services": {"galera1": {"role": "galera"}, "web1": {"role": "plain"}, "web2": {"role": "plain"}},
    "endpoints": {"puppet": "https://10.87.0.10:8140"},
    "openrc": None,
}


def test_an_outcome_tells_how_long_a_target_was_away() -> None:
    attempts = [Attempt(0, 1), Attempt(2, 3, "503"), Attempt(4, 5), Attempt(6, 7, "refused"), Attempt(8, 9.5)]
    assert Outcome.of("keystone", attempts) == Outcome("keystone", 5, 2, 7.5, "refused")
    assert Outcome.of("keystone", attempts[:1]) == Outcome("keystone", 1, 0, 0.0, "")
    assert Outcome.of("keystone", attempts[:2]).away == float("inf")


def test_what_is_asked_is_at_the_vip_and_without_one_it_is_the_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoints = {
        "keystone": "https://vip.lab:5000/v3", "galera": "tcp://vip.lab:3306", "other": "tcp://vip.lab:1",
        "puppet": "https://10.87.0.10:8140", "dns": "dns://10.87.0.53:53",
    }  # fmt: skip
    monkeypatch.setattr("socket.getaddrinfo", lambda *_: ["an address"])
    assert set(load.targets({**OUTPUTS, "endpoints": endpoints}, "")) == {"keystone", "galera"}
    monkeypatch.setattr("socket.getaddrinfo", lambda *_: [])
    assert "ping galera1" in load.targets({**OUTPUTS, "endpoints": endpoints}, "")
    assert set(load.targets(OUTPUTS, "")) == {"ping galera1", "ping web1", "ping web2"}


def test_requests_go_on_while_something_else_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "INTERVAL_SECONDS", 0.001)
    answers = itertools.chain(["", "refused"], itertools.repeat(""))
    with Load({"a": lambda: next(answers)}) as running:
        while not (told := running.outcomes()[0]).requests > 5:
            assert told.requests >= 0
        assert running.await_well(0.0, 5.0)
        assert not running.await_well(float("inf"), 0.1)
    (outcome,) = running.outcomes()
    assert (outcome.failed, outcome.last) == (1, "refused")


def test_a_target_may_be_asked_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "INTERVAL_SECONDS", 0.001)
    enough = threading.Event()
    counted = itertools.count()

    def often() -> str:
        if next(counted) > 10:
            enough.set()
        return ""

    with Load({"often": often, "seldom": lambda: ""}, {"seldom": 60.0}) as running:
        assert enough.wait(10)
    assert {each.target: each.requests > 10 for each in running.outcomes()} == {"often": True, "seldom": False}


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """Give the calls that a lab without faults gets."""
    calls: list[str] = []
    monkeypatch.setattr(drill, "outputs_of", lambda stack: OUTPUTS if stack == "lab" else None)
    monkeypatch.setattr(status, "find", lambda *_: [])
    monkeypatch.setattr(paths, "stack_directory", lambda _stack: tmp_path)
    monkeypatch.setattr(paths, "authority", lambda _stack: tmp_path / "ca.pem")
    monkeypatch.setattr(drills, "HOLD_SECONDS", 0.0)
    monkeypatch.setattr(drill, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(load, "INTERVAL_SECONDS", 0.001)
    for name in ("start", "pause", "unpause"):
        monkeypatch.setattr(docker_api, name, lambda container, name=name: calls.append(f"{name} {container}"))
    monkeypatch.setattr(docker_api, "stop", lambda container, _seconds: calls.append(f"stop {container}"))
    monkeypatch.setattr(losses, "_kill", lambda containers: calls.append(f"kill {' '.join(containers)}"))
    monkeypatch.setattr(docker_api, "containers", lambda _stack: [{"Names": ["/lab-keeper"]}, {"Names": ["/web1"]}])
    monkeypatch.setattr(Impairments, "set", lambda _self, name, given: calls.append(f"cut {name} {given}"))
    monkeypatch.setattr(Impairments, "clear", lambda _self, name: calls.append(f"join {name}"))
    monkeypatch.setattr(ways, "of", lambda _stack: [])
    for name in ("block", "unblock"):
        monkeypatch.setattr(ways, name, lambda stack, name=name: calls.append(f"{name} {stack}"))
    monkeypatch.setattr(load, "_ping", lambda _address: lambda: "")
    yield calls


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("power-cut", ["kill lab-keeper web1"]),
        ("kill-galera", ["kill galera1"]),
        ("kill-keeper", ["kill lab-keeper"]),
        ("restart-plain", ["stop web1", "start web1"]),
        ("stop-web2", ["stop web2", "start web2"]),
        ("freeze-galera", ["pause galera1", "unpause galera1"]),
        ("cut-galera", ["cut galera1 loss 100%", "join galera1"]),
    ],
)
def test_a_drill_loses_what_it_says_and_brings_it_back(
    lab: list[str], capsys: pytest.CaptureFixture[str], name: str, wanted: list[str]
) -> None:
    assert drill.main(["lab", "--name", name]) == 0
    assert lab == wanted
    said = capsys.readouterr().out
    assert said.startswith(f"{name}: ")
    assert "| ping web2 " in said and "all works again after 0 s" in said
    # One drill's table is no table of losses.
    assert loss_table.COLUMNS[0] not in said


@pytest.mark.parametrize("name", ["stop-galera", "restart-galera"])
def test_what_was_lost_comes_back_though_the_drill_is_interrupted(
    lab: list[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(drill.time, "sleep", interrupted)  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        drill.lose(drills.listed("lab", OUTPUTS)[name])
    assert lab == ["stop galera1", "start galera1"]


def test_the_list_has_each_roles_first_container(lab: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert drill.main(["lab", "--list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    each = ("kill", "restart", "stop", "freeze", "cut")
    of_roles = [f"{what}-{role}" for role in ("galera", "plain", "keeper") for what in each]
    # The keeper has its host's network.
    assert list(lines) == ["power-cut", "partition", *(name for name in of_roles if name != "cut-keeper")]
    assert "web1" in lines["kill-plain"]
    assert "not here: the lab is on one host" in lines["partition"]
    assert lab == []


def test_hosts_are_parted_where_there_are_several(
    lab: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert drill.main(["lab", "--name", "partition"]) == 2
    assert "NAME=partition can't be had here: the lab is on one host" in capsys.readouterr().err
    monkeypatch.setattr(ways, "of", lambda _stack: ["a way"])
    assert drill.main(["lab", "--name", "partition"]) == 0
    assert lab == ["block lab", "unblock lab"]


def test_several_drills_are_chosen_at_once(lab: list[str]) -> None:
    def names(wanted: str) -> list[str]:
        return [each.name for each in drills.chosen(wanted, "lab", OUTPUTS)]

    assert names("cut-plain kill-web2 cut-plain") == ["cut-plain", "kill-web2"]
    assert names("kill-*") == ["kill-galera", "kill-plain", "kill-keeper"]
    assert names("stop-galera stop-*") == ["stop-galera", "stop-plain", "stop-keeper"]
    assert names("all") == [name for name in drills.listed("lab", OUTPUTS) if name != "partition"]
    for wrong in ("", "kill-nobody", "kill-galera kill-nob*"):
        with pytest.raises(ValueError, match="make drill LIST=1"):
            names(wrong)


def test_a_drill_is_not_begun_where_it_could_not_be_judged(
    lab: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert drill.main(["other", "--name", "power-cut"]) == 2
    assert "not up here" in capsys.readouterr().err
    assert drill.main(["lab", "--name", "kill-nobody"]) == 2
    assert "make drill LIST=1" in capsys.readouterr().err
    (tmp_path / "impairments").mkdir()
    (tmp_path / "impairments/web1.json").write_text(json.dumps({"delay": "1ms"}))
    assert Impairments(tmp_path).all() == {"web1": Impairment(delay="1ms")}
    assert drill.main(["lab", "--name", "power-cut"]) == 2
    assert "make impair has made it worse" in capsys.readouterr().err
    monkeypatch.setattr(status, "find", lambda *_: [Problem("web1", "it is gone", "make lab")])
    assert drill.main(["lab", "--name", "power-cut"]) == 2
    assert "web1: it is gone" in capsys.readouterr().err
    with (tmp_path / drill.LOCK).open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert drill.main(["lab", "--name", "power-cut"]) == 2
    assert "another drill of stack lab goes on" in capsys.readouterr().err
    assert lab == []


NOTHING = Drill("nothing", "nothing", "nobody")


class Things:
    """What a lab keeps, or not."""

    kind, target, pause = "things", "a thing", 0.001

    def __init__(self, calls: list[str], lost: int = 0, refusal: str = "") -> None:
        self._calls, self._lost, self._refusal = calls, lost, refusal

    def begin(self) -> str:
        self._calls.append("begun")
        return self._refusal

    def add(self) -> str:
        return ""

    def find(self) -> Found:
        return Found("things", 3, self._lost, "abc" if self._lost else "")

    def remove(self) -> str:
        self._calls.append("removed")
        return ""


def test_a_lab_that_does_not_return_or_has_lost_something_is_told(
    lab: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "kinds", lambda *_: [Things(lab, lost=1)])
    result = drill.run(Lab("lab", OUTPUTS), NOTHING)
    assert not result.well
    said = capsys.readouterr().out
    assert "acknowledged and lost: 1 of 3 things: abc" in said and "| a thing " in said
    assert lab == ["begun", "removed"]
    monkeypatch.setattr(kept, "kinds", lambda *_: [])
    monkeypatch.setattr(drill, "RETURN_SECONDS", 0.0)
    assert not drill.run(Lab("lab", OUTPUTS), NOTHING).well
    assert "broken after 0 s" in capsys.readouterr().out


def test_what_was_made_is_removed_though_the_drill_is_interrupted_or_not_begun(
    lab: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_containers: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(losses, "_kill", interrupted)
    monkeypatch.setattr(kept, "kinds", lambda *_: [Things(lab)])
    assert drill.main(["lab", "--name", "kill-galera"]) == 130
    assert "interrupted" in capsys.readouterr().err
    monkeypatch.setattr(kept, "kinds", lambda *_: [Things(lab, refusal="it is full")])
    assert drill.main(["lab", "--name", "kill-galera"]) == 2
    assert "things: it is full" in capsys.readouterr().err
    assert lab == ["begun", "removed"] * 2


def test_what_cannot_be_removed_is_told(
    lab: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "kinds", lambda *_: [Things(lab)])
    monkeypatch.setattr(kept, "remove", lambda _things: {"things": "no answer"})
    assert drill.run(Lab("lab", OUTPUTS), NOTHING).well
    assert f"things called {kept.NAME}... are left until the next drill: no answer" in capsys.readouterr().err

    def interrupted(_things: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(kept, "remove", interrupted)
    with pytest.raises(KeyboardInterrupt):
        drill.run(Lab("lab", OUTPUTS), NOTHING)
    assert "things called" in capsys.readouterr().err


def test_several_drills_make_a_table_and_end_when_the_lab_does_not_return(
    lab: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "losses.md"
    assert drill.main(["lab", "--name", "kill-galera cut-plain", "--file", str(file)]) == 0
    table = file.read_text().splitlines()
    assert table[:2] == [loss_table.line(loss_table.COLUMNS), loss_table.RULE]
    assert [line.split(" | ")[-1] for line in table[2:]] == [
        "`make drill NAME=kill-galera` |",
        "`make drill NAME=cut-plain` |",
    ]
    assert "\n".join(table) in capsys.readouterr().out
    monkeypatch.setattr(drill, "RETURN_SECONDS", 0.0)
    lab.clear()
    assert drill.main(["lab", "--name", "kill-galera cut-plain", "--file", str(file)]) == 1
    assert lab == ["kill galera1"]
    assert "| not all | 0 of " in file.read_text()


KILL = Drill("kill-galera", "process 1 of galera1, `kill -9`", "Docker, the keeper")
FAILED = [Outcome("keystone", 50, 0, 0.0, ""), Outcome("galera", 40, 2, 5.54, "x"), Outcome("nova", 10, 1, 1.0, "y")]


def test_a_row_tells_what_a_drill_came_to() -> None:
    row = Result(KILL, FAILED, 11.2, [Found("users", 5, 0), Found("rows", 4, 0)]).cells()
    assert row[:3] == ("process 1 of galera1, `kill -9`", "Docker, the keeper", "galera 5.5, all 11")
    assert row[3:] == ("3 of 100", "0 of 9", "`make drill NAME=kill-galera`")
    lost = Result(KILL, FAILED[:1], 0.0, [Found("users", 5, 0), Found("rows", 4, 2, "a b")])
    assert lost.cells()[2:5] == ("not all", "0 of 50", "2 of 4 rows")
    gone = Result(KILL, [Outcome("galera", 3, 1, float("inf"), "x")], 0.0, [])
    assert gone.cells()[2:5] == ("galera for good, not all", "1 of 3", "-")


def test_a_document_has_one_row_a_drill() -> None:
    first, again = Result(KILL, FAILED, 11.0, []), Result(KILL, FAILED, 12.0, [])
    other = Result(Drill("kill-galera1", "other", "nobody"), FAILED, 3.0, [])
    text = loss_table.merged("# Losses\n\nAs measured:\n", first)
    assert text.startswith("# Losses\n\nAs measured:\n\n| What was lost ")
    text = loss_table.merged(text + "\nAfter it.\n", other)
    text = loss_table.merged(text, again)
    lines = text.splitlines()
    assert lines[-1] == "After it." and text.endswith("\n")
    assert [line.split(" | ")[2] for line in lines if "make drill" in line] == [
        "galera 5.5, all 12",
        "galera 5.5, all 3",
    ]
    assert loss_table.merged("", first).splitlines() == loss_table.table([first])


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    """Play two hosts, with a container and a keeper each."""
    with played(tmp_path, monkeypatch) as made:
        made.here.add("galera1")
        made.far.add("web1")
        for each in (made.here, made.far):
            each.add("lab-keeper", pid=0)
        yield made


def test_what_is_on_another_host_is_lost_there_and_comes_back(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drills, "HOLD_SECONDS", 0.0)
    placed = {"galera1": {"role": "galera", "host": "local"}, "web1": {"role": "plain", "host": "far"}}
    known = drills.listed(STACK, {**OUTPUTS, "services": placed}, [hosts.host])
    drill.lose(known["freeze-plain"])
    drill.lose(known["restart-galera"])
    assert hosts.events == [
        ("far", "pause", "web1"), ("far", "unpause", "web1"), ("here", "stop", "galera1"), ("here", "start", "galera1"),
    ]  # fmt: skip
    drill.lose(known["cut-plain"])
    assert Impairments(hosts.far_directory).all() == {}


def test_a_power_cut_is_one_of_all_hosts(hosts: Hosts) -> None:
    with subprocess.Popen(["sleep", "60"]) as here, subprocess.Popen(["sleep", "60"]) as far:
        hosts.here.containers["galera1"]["pid"], hosts.far.containers["web1"]["pid"] = here.pid, far.pid
        drill.lose(drills.listed(STACK, OUTPUTS, [hosts.host])["power-cut"])
        assert (here.wait(10), far.wait(10)) == (-9, -9)
