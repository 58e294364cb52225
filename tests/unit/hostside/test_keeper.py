"""The keeper, with an engine and an Open vSwitch that are played: what it does after each event, and after none."""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hostside import batch, bridge, docker_api, keeper, leaving, ovs, ports, probes, programs, ways
from hostside.errors import StepError
from hostside.impairment import Impairment, Impairments
from hostside.process import CommandFailed
from hostside.records import Records


class World:
    """An engine with containers, and a bridge with ports."""

    def __init__(self) -> None:
        self.containers: dict[str, dict[str, Any]] = {}
        self.attached: set[str] = set()
        self.started: list[str] = []
        self.calls: list[str] = []
        self.feed: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.bridge_is_broken = False
        self.probed: set[str] = set()
        self.unhealthy: set[str] = set()
        self.after_listing: Callable[[], None] = lambda: None
        self.attach_fails = 0
        self.not_to_be_looked_at: set[str] = set()
        self.told = 0
        self.subscribed = 0
        self.done: Counter[str] = Counter()
        self.end: Callable[..., None] = lambda *_: None

    def add(self, name: str, status: str = "running", policy: str = "always", **labels: str) -> None:
        number = len(self.containers) + 10
        given = {
            "dockstack.stack": "lab",
            "dockstack.bridge": "br-lab",
            "dockstack.fqdn": f"{name}.dockstack.lab",
            "dockstack.address": f"10.87.0.{number}/24",
        }
        self.containers[name] = {"status": status, "policy": policy, "labels": given | labels}

    def says(self, action: str, name: str, status: str | None = None) -> None:
        """Let the engine tell of an event, after the container has got into a status."""
        labels = self.containers[name]["labels"]
        if status is not None:
            self.containers[name]["status"] = status
        self.told += 1
        self.feed.put({"Action": action, "Actor": {"Attributes": {"name": name, **labels}}})

    def listed(self, stack: str) -> list[dict[str, Any]]:
        assert stack == "lab"
        found = [
            {
                "Names": [f"/{name}"],
                "Id": name,
                "State": c["status"],
                "Status": "Up 3 minutes" + self.health(name),
                "Labels": dict(c["labels"]),
            }
            for name, c in self.containers.items()
        ]
        self.after_listing()
        return found

    def health(self, name: str) -> str:
        return " (unhealthy)" if name in self.unhealthy else " (healthy)" if name in self.probed else ""

    def inspect(self, name: str) -> dict[str, Any] | None:
        found = self.containers.get(name)
        if found is None:
            return None
        running = found["status"] == "running"
        return {
            "State": {"Running": running, "Status": found["status"], "Pid": 4711 if running else 0},
            "HostConfig": {"RestartPolicy": {"Name": found["policy"]}},
            "Config": {"Labels": dict(found["labels"])},
        }

    def start(self, name: str) -> None:
        self.started.append(name)
        self.says("start", name, "running")

    def events(self, stack: str) -> Iterator[dict[str, Any]]:
        assert stack == "lab"
        self.subscribed += 1
        yield {}
        while (event := self.feed.get()) is not None:
            yield event
        raise docker_api.EngineError("the Docker engine went away")

    def attach(self, name: str, _locks: Path) -> str:
        if self.attach_fails:
            self.attach_fails -= 1
            raise StepError(name, ports.STEP, "Open vSwitch is not ready")
        found = self.containers.get(name)
        if found is None or found["status"] != "running" or "dockstack.bridge" not in found["labels"]:
            return "none"
        if name in self.attached:
            return "present"
        self.attached.add(name)
        return "attached"

    def present(self, name: str, held: ovs.Held) -> bool:
        if name in self.not_to_be_looked_at:
            raise CommandFailed("nsenter: its process has ended")
        return name in self.attached and held == {"eth0": [f"{name}_l"]}

    def attach_all(self, names: Iterable[str], locks: Path) -> dict[str, str | StepError]:
        done: dict[str, str | StepError] = {}
        for name in names:
            try:
                done[name] = self.attach(name, locks)
            except StepError as error:
                done[name] = error
        return done

    def detach(self, names: Iterable[str], _stack: str, _locks: Path) -> None:
        self.calls += [f"detach {name}" for name in names]
        self.attached -= {name for name in names if self.containers.get(name, {}).get("status") != "running"}

    def remove(self, names: Iterable[str]) -> None:
        self.calls += [f"remove {name}" for name in names]
        self.attached -= {name.removesuffix("_l") for name in names}

    def bridges(self, stack: str) -> dict[str, dict[str, str]]:
        assert stack == "lab"
        made = bridge.Bridge("br-lab", "lab", "10.87.0.0/24", "10.87.0.1/24", 1500)
        return {"br-lab": made.identifiers()}

    def rows(self, table: str, columns: str, *_conditions: str) -> list[list[Any]]:
        assert (table, columns) == ("interface", "name,external_ids")
        foreign: list[list[Any]] = [["other_l", {"container_id": "of-another-bridge"}], ["br-lab", {}]]
        return [
            [f"{name}_l", {"container_id": name, "container_iface": "eth0"}] for name in sorted(self.attached)
        ] + foreign

    def command(self, arguments: list[str], **_options: Any) -> str:
        assert "list-ports" in arguments
        return "".join(f"{name}_l\n" for name in sorted(self.attached))

    def restore(self, made: bridge.Bridge) -> bool:
        assert made.address == "10.87.0.1/24"
        broken, self.bridge_is_broken = self.bridge_is_broken, False
        return broken


def counted(world: World) -> Callable[..., Any]:
    """Return the keeper's own way to do a piece of work, which then counts as done."""
    guarded = keeper.Keeper._guarded
    lock = threading.Lock()

    def guarded_and_counted(self: keeper.Keeper, what: str, work: Any, *arguments: Any) -> Any:
        result = guarded(self, what, work, *arguments)
        with lock:
            world.done[work.__name__] += 1
        return result

    return guarded_and_counted


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    played = World()
    for name in ("inspect", "start", "events"):
        monkeypatch.setattr(docker_api, name, getattr(played, name))
    monkeypatch.setattr(docker_api, "containers", played.listed)
    monkeypatch.setattr(batch, "attach", played.attach_all)
    monkeypatch.setattr(batch, "detach", played.detach)
    monkeypatch.setattr(ports, "present", played.present)
    monkeypatch.setattr(ports, "remove", played.remove)
    monkeypatch.setattr(ovs, "bridges", played.bridges)
    monkeypatch.setattr(ovs, "rows", played.rows)
    monkeypatch.setattr(bridge, "restore", played.restore)
    monkeypatch.setattr(keeper, "run", played.command)
    monkeypatch.setattr(keeper, "STOP_NOTICE_SECONDS", 0.1)
    monkeypatch.setattr(keeper, "GATHER_SECONDS", 0.05)
    monkeypatch.setattr(keeper.Keeper, "_guarded", counted(played))
    monkeypatch.setattr(signal, "signal", lambda _number, handler: setattr(played, "end", handler))
    return played


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def running(world: World, directory: Path) -> Iterator[threading.Thread]:
    """Run a keeper beside the test, until the test's end."""
    thread = threading.Thread(target=keeper.Keeper("lab", directory).run)
    thread.start()
    await_idle(world)
    yield thread
    world.end(15, None)
    world.feed.put(None)
    thread.join(10)
    assert not thread.is_alive()


def await_idle(world: World) -> None:
    """Wait until the keeper has done what all that was told asks of it, its second thoughts included."""
    assert eventually(lambda: world.done["_handle"] == world.told and 0 < world.subscribed <= world.done["reconcile"])
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(5)


def names(directory: Path) -> set[str]:
    """Return the containers that have a record."""
    return {path.name for path in (directory / "records").glob("*")}


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_a_container_that_starts_gets_its_port_and_its_record(
    world: World, directory: Path, running: threading.Thread
) -> None:
    world.add("galera1", "created")
    world.says("start", "galera1", "running")
    assert eventually(lambda: world.attached == {"galera1"} and names(directory) == {"galera1"})
    assert (directory / "records/galera1").read_text() == "10.87.0.10 galera1.dockstack.lab galera1\n"


def test_a_container_whose_ports_are_to_be_impaired_has_that_done_at_each_start(
    world: World, directory: Path, running: threading.Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def apply(kept: Impairments, name: str) -> bool:
        if kept.of(name):
            done.append(name)
        return kept.of(name) is not None

    monkeypatch.setattr(Impairments, "apply", apply)
    (directory / "impairments").mkdir()
    (directory / "impairments/galera1.json").write_text('{"loss": "1%"}')
    assert Impairments(directory).all() == {"galera1": Impairment(loss="1%")}
    for name in ("galera1", "rabbitmq1"):
        world.add(name, "created")
        world.says("start", name, "running")
    assert eventually(lambda: done == ["galera1"])
    world.says("die", "galera1", "restarting")
    world.says("start", "galera1", "running")
    assert eventually(lambda: done == ["galera1", "galera1"])


def test_what_ran_before_the_keeper_came_is_attached_and_recorded_at_once(
    world: World, directory: Path, request: pytest.FixtureRequest
) -> None:
    world.add("galera1")
    world.add("stopped1", "exited")
    request.getfixturevalue("running")
    assert eventually(lambda: world.attached == {"galera1"} and names(directory) == {"galera1"})


def test_a_container_that_cannot_be_looked_at_keeps_no_other_from_its_port(
    world: World, directory: Path, request: pytest.FixtureRequest
) -> None:
    world.add("ending1")
    world.add("galera1")
    world.not_to_be_looked_at = {"ending1"}
    request.getfixturevalue("running")
    assert eventually(lambda: world.attached == {"galera1"} and names(directory) == {"galera1"})


def test_a_container_that_ends_by_itself_loses_port_and_record_and_is_left_to_dockers_restart_policy(
    world: World, directory: Path, running: threading.Thread
) -> None:
    world.add("galera1")
    world.says("start", "galera1")
    assert eventually(lambda: names(directory) == {"galera1"})
    world.says("die", "galera1", "restarting")
    assert eventually(lambda: not world.attached and not names(directory))
    await_idle(world)
    assert world.started == []
    world.says("start", "galera1", "running")
    assert eventually(lambda: world.attached == {"galera1"} and names(directory) == {"galera1"})


def test_a_container_that_was_killed_is_started_again(world: World, directory: Path, running: threading.Thread) -> None:
    world.add("galera1")
    world.says("die", "galera1", "exited")
    assert eventually(lambda: world.started == ["galera1"])
    assert eventually(lambda: world.attached == {"galera1"} and names(directory) == {"galera1"})


def test_a_container_that_was_stopped_on_purpose_stays_down(world: World, running: threading.Thread) -> None:
    world.add("galera1")
    world.says("die", "galera1", "exited")
    world.says("stop", "galera1")
    await_idle(world)
    assert world.started == []
    assert world.attached == set()


def test_a_container_that_was_stopped_once_is_started_again_when_it_is_killed_later(
    world: World, running: threading.Thread
) -> None:
    world.add("galera1")
    world.says("die", "galera1", "exited")
    world.says("stop", "galera1")
    await_idle(world)
    world.says("start", "galera1", "running")
    await_idle(world)
    world.says("die", "galera1", "exited")
    assert eventually(lambda: world.started == ["galera1"])


@pytest.mark.parametrize("policy", ["no", ""])
def test_a_container_that_is_not_to_be_restarted_is_not(world: World, running: threading.Thread, policy: str) -> None:
    world.add("once1", policy=policy)
    world.says("die", "once1", "exited")
    await_idle(world)
    assert world.started == []


def test_a_container_that_was_removed_is_left_in_peace(
    world: World, directory: Path, running: threading.Thread
) -> None:
    world.add("galera1")
    world.says("start", "galera1")
    await_idle(world)
    world.says("die", "galera1", "removing")
    world.says("destroy", "galera1")
    del world.containers["galera1"]
    await_idle(world)
    assert (world.started, world.attached, names(directory)) == ([], set(), set())


def test_the_keepers_own_container_gets_neither_port_nor_record(
    world: World, directory: Path, running: threading.Thread
) -> None:
    world.containers["lab-keeper"] = {"status": "running", "policy": "always", "labels": {"dockstack.stack": "lab"}}
    world.says("start", "lab-keeper")
    await_idle(world)
    assert (world.attached, names(directory)) == (set(), set())


def test_a_container_that_ended_before_its_start_was_seen_gets_no_record(
    world: World, directory: Path, running: threading.Thread
) -> None:
    world.add("galera1", "exited")
    world.says("stop", "galera1")
    world.says("start", "galera1")
    await_idle(world)
    assert names(directory) == set()


def test_a_late_word_of_an_end_takes_nothing_from_a_container_that_runs_again(
    world: World, directory: Path, running: threading.Thread
) -> None:
    world.add("galera1")
    world.says("start", "galera1")
    assert eventually(lambda: names(directory) == {"galera1"})
    world.says("die", "galera1", "running")
    await_idle(world)
    assert (world.attached, names(directory)) == ({"galera1"}, {"galera1"})


def test_reconciling_removes_the_ports_and_records_of_what_does_not_run(world: World, directory: Path) -> None:
    world.add("galera1")
    world.add("dead1", "exited")
    world.attached = {"dead1", "gone1"}
    (directory / "records").mkdir()
    (directory / "records/gone1").write_text("10.87.0.99 gone1.dockstack.lab gone1\n")
    keeper.Keeper("lab", directory).reconcile()
    assert world.attached == {"galera1"}
    assert names(directory) == {"galera1"}


def test_reconciling_leaves_the_ports_of_other_bridges_alone(world: World, directory: Path) -> None:
    world.attached = {"gone1"}
    keeper.Keeper("lab", directory).reconcile()
    assert world.calls == ["remove gone1_l"]


def test_reconciling_takes_nothing_from_a_container_that_starts_meanwhile(world: World, directory: Path) -> None:
    def starts() -> None:
        # The event of its start is handled meanwhile.
        world.after_listing = lambda: None
        world.containers["galera1"]["status"] = "running"
        world.attached.add("galera1")
        Records(directory / "records").add("galera1", "10.87.0.10", "galera1.dockstack.lab")

    world.add("galera1", "created")
    world.after_listing = starts
    keeper.Keeper("lab", directory).reconcile()
    assert world.attached == {"galera1"}
    assert names(directory) == {"galera1"}


def test_reconciling_looks_after_the_probes_of_those_that_have_a_health_check(
    world: World, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.add("galera1")
    world.add("plain1")
    world.probed.add("galera1")
    resumed: list[str] = []

    def resume(name: str) -> bool:
        resumed.append(name)
        return True

    monkeypatch.setattr(probes, "resume", resume)
    guard = keeper.Keeper("lab", directory)
    guard.reconcile()
    # The next time comes sooner than the next probe.
    guard.reconcile()
    assert resumed == ["galera1"]
    assert "galera1: its health probes had ceased" in capsys.readouterr().err


def test_reconciling_puts_the_hosts_address_back_on_the_bridge(
    world: World, directory: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    world.bridge_is_broken = True
    keeper.Keeper("lab", directory).reconcile()
    assert not world.bridge_is_broken
    assert "br-lab: put the host's address back" in capfd.readouterr().err


def test_reconciling_joins_a_bridge_again_and_not_while_an_operation_changes_it(
    world: World, directory: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    way = ways.Way("br-lab", "lab", 1450, "192.0.2.1", ["192.0.2.20"])
    joined = {"br-lab": {**world.bridges("lab")["br-lab"], ways.KEY: json.dumps(vars(way))}}
    restored: list[ways.Way] = []
    monkeypatch.setattr(ovs, "bridges", lambda _stack: joined)
    monkeypatch.setattr(ways, "lack", lambda found: "" if restored else "the tunnels are gone")
    monkeypatch.setattr(ways, "restore", lambda found: not restored.append(found))  # type: ignore[func-returns-value]
    reconcile = threading.Thread(target=keeper.Keeper("lab", directory).reconcile)
    with ports.locked([bridge.LOCK], directory / "locks"):
        reconcile.start()
        reconcile.join(0.3)
        assert restored == []
    reconcile.join()
    assert restored == [way]
    keeper.Keeper("lab", directory).reconcile()
    assert restored == [way]
    assert capfd.readouterr().err.count("br-lab: joined it with the other hosts again") == 1


def test_reconciling_gives_no_port_back_to_those_that_are_going(world: World, directory: Path) -> None:
    world.add("a1")
    world.add("b1")
    leaving.mark(directory, ["a1"])
    keeper.Keeper("lab", directory).reconcile()
    assert world.attached == {"b1"}
    leaving.forget(directory)
    keeper.Keeper("lab", directory).reconcile()
    assert world.attached == {"a1", "b1"}


def test_those_that_start_one_after_the_other_are_attached_in_groups(
    world: World, directory: Path, running: threading.Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[list[str]] = []

    def attach_all(names: Iterable[str], locks: Path) -> dict[str, str | StepError]:
        groups.append(sorted(names))
        time.sleep(0.1)
        return world.attach_all(names, locks)

    monkeypatch.setattr(batch, "attach", attach_all)
    for number in range(6):
        world.add(f"c{number}", "created")
        world.says("start", f"c{number}", "running")
        time.sleep(0.02)
    assert eventually(lambda: len(world.attached) == 6)
    assert groups[0] == ["c0"]
    assert len(groups) < 6


def test_one_container_that_can_not_be_attached_does_not_keep_the_others_waiting(
    world: World, directory: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("a1", "b1", "c1"):
        world.add(name)
    world.attach_fails = 1
    keeper.Keeper("lab", directory).reconcile()
    assert len(world.attached) == 2
    assert "Open vSwitch is not ready" in capfd.readouterr().err
    keeper.Keeper("lab", directory).reconcile()
    assert len(world.attached) == 3


def test_a_lab_with_more_containers_than_workers_is_swept(world: World, directory: Path) -> None:
    for number in range(40):
        world.add(f"c{number}")
    keeper.Keeper("lab", directory).reconcile()
    assert len(world.attached) == 40


def test_a_record_that_comes_while_those_of_others_are_looked_at_stays(
    world: World, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = Records(directory / "records")
    records.add("gone1", "10.87.0.8", "gone1.dockstack.lab")

    def inspect(name: str) -> None:
        assert name == "gone1"
        records.add("started1", "10.87.0.9", "started1.dockstack.lab")

    monkeypatch.setattr(docker_api, "inspect", inspect)
    keeper.Keeper("lab", directory).reconcile()
    assert names(directory) == {"started1"}


def test_an_engine_that_goes_away_is_waited_for_and_then_everything_is_looked_at(
    world: World, directory: Path, running: threading.Thread
) -> None:
    world.add("galera1")
    world.feed.put(None)
    assert eventually(lambda: world.attached == {"galera1"})
    world.add("keystone1", "created")
    world.says("start", "keystone1", "running")
    assert eventually(lambda: names(directory) == {"galera1", "keystone1"})


def test_a_keeper_whose_engine_is_gone_ends_its_container_which_has_the_old_engines_socket(
    world: World, running: threading.Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[tuple[int, int]] = []

    def gone(_stack: str) -> Iterator[dict[str, Any]]:
        raise docker_api.EngineGone("the Docker engine is gone: Connection refused")

    monkeypatch.setattr(docker_api, "events", gone)
    monkeypatch.setattr(os, "kill", lambda process, number: ended.append((process, number)))
    world.feed.put(None)
    assert eventually(lambda: ended == [(os.getppid(), signal.SIGTERM)])


def test_the_last_thing_that_a_keeper_does_is_to_reconcile(world: World, directory: Path) -> None:
    thread = threading.Thread(target=keeper.Keeper("lab", directory).run)
    thread.start()
    await_idle(world)
    world.attached.add("gone1")
    world.end(15, None)
    world.feed.put(None)
    thread.join(10)
    assert not thread.is_alive()
    assert world.attached == set()


def test_reconciling_starts_what_was_given_up_in_those_that_are_unhealthy(
    world: World, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("galera1", "keystone1", "gone1"):
        world.add(name, "exited" if name == "gone1" else "running")
    world.unhealthy |= {"galera1", "gone1"}
    monkeypatch.setattr(probes, "resume", lambda _name: False)
    asked = []

    def start_given_up(container: str, path: str) -> list[str]:
        asked.append((container, path))
        return ["mariadb"]

    monkeypatch.setattr(programs, "start_given_up", start_given_up)
    keeper.Keeper("lab", directory).reconcile()
    assert asked == [("galera1", "/proc/4711/root/run/supervisor.sock")]
    assert "galera1: its program mariadb had been given up, starting it again" in capsys.readouterr().err
