"""What the keeper tells the portal: who may ask, what is told, and that no link out of a container is followed."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hostside import docker_api, drift, journal, metrics, ovs, report, tails, watch
from hostside.inspection import Inspected
from hostside.journal import Journal
from hostside.programs import Program
from hostside.report import Problem, Seen
from hostside.watch import Watch

TOKEN = "of-the-portal"
WEB = Inspected("web1", "running", True, "2026-01-01T00:00:00Z", 7)


class World:
    """Containers as the looks find them."""

    def __init__(self) -> None:
        self.seen = {"web1": Seen(WEB)}
        self.drift: dict[tuple[str, str], str] = {}

    def break_down(self, reason: str) -> None:
        self.seen["web1"] = Seen(WEB, (Problem("web1", reason, "docker restart web1"),))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    listed = [{"Names": ["/web1"], "Id": "1", "State": "running", "Labels": {"dockstack.role": "plain"}}]
    monkeypatch.setattr(docker_api, "containers", lambda _stack: [each for each in listed if made.seen])
    monkeypatch.setattr(docker_api, "logs", lambda name, _since: [f"2026 {name} speaks"])
    monkeypatch.setattr(docker_api, "pid", lambda _name: None)
    monkeypatch.setattr(ovs, "ports_by_container", dict)
    monkeypatch.setattr(ovs, "bridges", lambda _stack: {})
    monkeypatch.setattr(report, "look_at", lambda _inspection, _stack, name: made.seen[name])
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(drift, "detect", lambda _directory, _stack: {})
    return made


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    token = tmp_path / watch.TOKEN
    token.parent.mkdir()
    token.write_text(hashlib.sha256(TOKEN.encode()).hexdigest())
    return tmp_path


@pytest.fixture
def served(world: World, directory: Path) -> Iterator[tuple[int, Journal]]:
    told = Journal()
    server = metrics.serve("127.0.0.1", 0, lambda: "m 1\n", Watch("lab", directory, told, "lab-keeper").answer)
    yield server.server_port, told
    server.shutdown()
    server.server_close()


def ask(port: int, path: str, token: str = TOKEN, kind: str = "Bearer") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Authorization": f"{kind} {token}"})
    return connection.getresponse()


def message(stream: http.client.HTTPResponse) -> tuple[str, Any]:
    """Return the next message of a stream of events."""
    fields: dict[str, str] = {}
    while True:
        line = stream.readline().decode().rstrip("\n")
        if line.startswith(("event: ", "data: ")):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif not line and "data" in fields:
            return fields["event"], json.loads(fields["data"])


def until(stream: http.client.HTTPResponse, what: str, /, **wanted: str) -> Any:
    """Return the next message of a kind that says what is wanted."""
    while True:
        about, told = message(stream)
        if about == what and (not wanted or wanted.items() <= told.items()):
            return told


@pytest.mark.parametrize("path", [watch.EVENTS, watch.LOGS, f"{watch.LOGS}?container=web1"])
@pytest.mark.parametrize(("token", "kind"), [("", "Bearer"), ("another", "Bearer"), (TOKEN, "Basic")])
def test_who_lacks_the_token_is_told_nothing(served: tuple[int, Journal], path: str, token: str, kind: str) -> None:
    assert ask(served[0], path, token, kind).status == 403


def test_without_a_portal_nobody_is_told_anything(served: tuple[int, Journal], directory: Path) -> None:
    (directory / watch.TOKEN).unlink()
    assert ask(served[0], watch.EVENTS).status == 403
    assert ask(served[0], "/metrics").read() == b"m 1\n"


def test_all_is_told_at_first_and_then_what_changes(served: tuple[int, Journal], world: World) -> None:
    port, told = served
    told.record("started", "web1", "started")
    stream = ask(port, watch.EVENTS)
    what, state = message(stream)
    assert what == "state"
    assert [(each["name"], each["level"]) for each in state["containers"]] == [("web1", "works")]
    assert [each["text"] for each in state["events"]] == ["started"]
    world.break_down("its program uwsgi is FATAL")
    changed = until(stream, "container", level="broken")
    assert (changed["name"], changed["faults"]) == ("web1", [["its program uwsgi is FATAL", "docker restart web1"]])
    assert until(stream, "event", kind="broken")["text"] == "its program uwsgi is FATAL"
    world.seen = {}
    assert until(stream, "gone") == {"name": "web1"}
    stream.close()


def test_what_happens_to_a_container_has_it_looked_at_at_once(
    served: tuple[int, Journal], world: World, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_SECONDS", 60.0)
    told = Journal()
    looking = Watch("lab", directory, told, "lab-keeper")
    server = metrics.serve("127.0.0.1", 0, str, looking.answer)
    stream = ask(server.server_port, watch.EVENTS)
    assert message(stream)[0] == "state"
    # The first of the regular looks comes at once.
    time.sleep(0.3)
    world.break_down("it lacks its port")
    began = time.monotonic()
    looking.happened("web1")
    until(stream, "container", level="broken")
    assert time.monotonic() - began < watch.LOOK_SECONDS / 2
    stream.close()
    server.shutdown()
    server.server_close()


def test_an_end_is_told_before_anybody_looks(world: World, directory: Path) -> None:
    told = Journal()
    looking = Watch("lab", directory, told, "lab-keeper")
    looking.ended("web1")
    looking.state()
    with told.follow() as following:
        looking.ended("web1")
        what, container = following.get(timeout=10) or ("", {})
    assert (what, container["level"], container["faults"][0][1]) == ("container", "broken", "docker start web1")


def test_what_was_seen_of_drift_is_out_of_date_once_a_container_works_again(
    world: World, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: Future[drift.Finding] = Future()
    looked.set_result(drift.Finding(0, "container web1 is exited"))
    monkeypatch.setattr(
        drift, "detect", lambda _directory, _stack: {("provision", "web1"): looked, ("access-publish", ""): looked}
    )
    told = Journal()
    server = metrics.serve("127.0.0.1", 0, str, (looking := Watch("lab", directory, told, "lab-keeper")).answer)
    stream = ask(server.server_port, watch.EVENTS)
    # One of them is about a file of the host, which the keeper can't see.
    (seen,) = until(stream, "resources")
    assert (seen["operation"], seen["reason"]) == ("provision", "container web1 is exited")
    looking.ended("web1")
    assert until(stream, "resources")[0]["reason"] == ""
    stream.close()
    server.shutdown()
    server.server_close()


def test_logs_are_those_of_the_stacks_containers(served: tuple[int, Journal]) -> None:
    port, _ = served
    assert json.loads(ask(port, f"{watch.LOGS}?container=web1").read()) == {"container": ["2026 web1 speaks"]}
    assert ask(port, f"{watch.LOGS}?container=another-stacks").status == 404
    assert ask(port, watch.LOGS).status == 404


def test_programs_that_have_just_started_are_no_fault_yet() -> None:
    starting, failed = Program("a", "STARTING", ""), Program("b", "FATAL", "")
    problem = Problem("web1", "", "")
    assert Seen(replace(WEB, programs=(starting,)), (problem,)).starting
    assert not Seen(replace(WEB, programs=(starting, failed)), (problem, problem)).starting
    assert not Seen(WEB).starting


def test_events_are_kept_in_their_order_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Journal()
    told.record("tool", "web1", "later", 20)
    told.record("tool", "web1", "sooner", 10)
    assert [each["text"] for each in told.events()] == ["sooner", "later"]
    for number in range(2 * journal.KEPT):
        told.record("tool", "web1", str(number))
    assert len(told.events()) == journal.KEPT


def test_who_reads_too_slowly_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "WAITING", 2)
    told = Journal()
    with told.follow() as slow:
        for number in range(4):
            told.tell("event", number)
        assert told.followed == 0
        assert slow.get(timeout=10) == ("event", 1)
        assert slow.get(timeout=10) is None


def test_what_operations_have_done_is_noted_once(tmp_path: Path) -> None:
    done = tmp_path / "done"
    done.mkdir()
    (done / "provision web1.json").write_text("{}")
    os.utime(done / "provision web1.json", (100, 100))
    told = Journal()
    told.read_records(tmp_path)
    told.read_records(tmp_path)
    assert [(each["kind"], each["subject"], each["time"]) for each in told.events()] == [("provisioned", "web1", 100)]
    os.utime(done / "provision web1.json", (200, 200))
    told.read_records(tmp_path)
    assert [each["time"] for each in told.events()] == [100, 200]


def test_the_ends_of_logs_are_told_and_no_link_is_followed(tmp_path: Path) -> None:
    logs = tmp_path / "root/var/log/supervisor"
    logs.mkdir(parents=True)
    (logs / "uwsgi.log").write_text("".join(f"line {number}\n" for number in range(5000)))
    (logs / "uwsgi.log.1").write_text("an earlier one\n")
    secret = tmp_path / "of-the-host"
    secret.write_text("not for anybody\n")
    (logs / "link.log").symlink_to(secret)
    os.mkfifo(logs / "pipe.log")
    found = tails.programs(str(tmp_path / "root"))
    assert found.keys() == {"uwsgi"}
    assert found["uwsgi"] == [f"line {number}" for number in range(5000 - tails.LINES, 5000)]


def test_no_directory_on_the_way_to_the_logs_may_be_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "host/supervisor"
    outside.mkdir(parents=True)
    (outside / "a.log").write_text("not for anybody\n")
    (tmp_path / "root/var").mkdir(parents=True)
    (tmp_path / "root/var/log").symlink_to(outside.parent)
    assert tails.programs(str(tmp_path / "root")) == {}
    assert tails.read(str(tmp_path / "root"), "var", "log", "supervisor", "a.log") == ""
