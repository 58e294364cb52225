"""What the records of operations say, and what a look at a played host finds different from them."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hostside import access, applied, bridge, cli, containers, docker_api, drift, health, ovs, passage, ports, programs
from hostside.drift import Finding
from hostside.errors import StepError
from hostside.inspection import Inspected
from hostside.operations import named
from hostside.operations.base import Operation
from hostside.operations.files_write import FilesWrite
from hostside.operations.health_await import HealthAwait
from hostside.operations.member_join import MemberJoin
from hostside.operations.port_attach import PortAttach
from hostside.operations.ports_attach import PortsAttach
from hostside.process import CommandFailed
from hostside.programs import Program
from hostside.registration import NodeEntry

LABELS = {"dockstack.stack": "lab", "dockstack.bridge": "br-lab", "dockstack.mac": "02:00:00:00:00:01"}
BRIDGE = {"name": "br-lab", "stack": "lab", "network": "10.87.0.0/24", "address": "10.87.0.1/24", "mtu": 1500}
WEB = {"container": "web1", "id": "1" * 64}
CHECKS = [{"kind": "tcp", "address": "10.87.0.99", "port": 80}]
CERTIFICATE = {
    **WEB, "fqdn": "web1.lab", "server": "puppet1.lab", "role": "web", "authority": "2", "secret": "not-to-be-recorded",
}  # fmt: skip
ENTRY = {
    "fqdn": "web1.lab", "container_id": "1" * 64, "server": "puppet1", "group": 0, "data": "a: 1\n",
    "secrets": "password: not-to-be-recorded\n", "grant": "not-to-be-recorded", "own": True,
}  # fmt: skip
ACCESS = {
    "stack": "lab", "text": "export OS_PASSWORD=not-to-be-recorded\n", "address": "10.87.0.250", "name": "vip.lab",
    "clouds": "clouds:\n",
}  # fmt: skip
MEMBER = {
    "container": "web1", "id": "1" * 64, "fqdn": "web1.lab", "other": "nova1", "joined": ["membership", "joined"],
}  # fmt: skip


class Host:
    """A host on which everything is as the operations left it, until a test changes something."""

    def __init__(self) -> None:
        numbered = (("web1", "1"), ("puppet1", "2"), ("nova1", "4"), ("lab-keeper", "3"))
        self.states = {name: (i * 64, "running") for name, i in numbered}
        self.bridges = {"br-lab": {"dockstack-stack": "lab"}}
        self.bridge_is_up = True
        self.images = {"dockstack/base:1234", "dockstack/base:latest"}
        self.attached = {"web1"}
        self.programs = [Program("web", "RUNNING", "")]
        self.blocked: dict[str, str] = {}
        self.kept: list[str] = []
        self.failure: str | None = None
        self.checked: list[tuple[str, Any]] = []
        self.words: dict[str, list[str]] = {"puppet1": ["puppet1.lab", "web1.lab"], "nova1": []}
        self.engine_answers = True
        self.asked: list[tuple[str, ...]] = []
        self.inspected: list[str] = []
        self.supervised: list[str] = []

    def listed(self, _stack: str) -> list[dict[str, Any]]:
        if not self.engine_answers:
            raise docker_api.EngineGone("the Docker engine is gone")
        return [
            {"Names": [f"/{name}"], "Id": i, "State": state, "Labels": {} if name == "lab-keeper" else LABELS}
            for name, (i, state) in self.states.items()
        ]

    def inspect(self, container: str) -> dict[str, Any]:
        self.inspected.append(container)
        status = self.states[container][1]
        state = {"Status": status, "Running": status == "running", "Paused": False, "Pid": 1}
        return {"State": {**state, "Health": {"Status": "healthy"}}}

    def listed_programs(self, container: str, _path: str) -> list[Program]:
        self.supervised.append(container)
        if not self.programs:
            raise StepError(container, "its programs", "supervisord does not answer: refused")
        return self.programs

    def check(self, found: Inspected, checks: Any) -> str | None:
        assert list(found.programs) == self.programs
        self.checked.append((found.name, checks))
        return self.failure

    def execute(self, container: str, arguments: list[str], **_options: Any) -> str:
        self.asked.append((container, *arguments))
        return "\n".join(self.words[container])


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    played = Host()
    monkeypatch.setattr(docker_api, "containers", played.listed)
    monkeypatch.setattr(docker_api, "images", lambda: played.images)
    monkeypatch.setattr(ovs, "bridges", lambda _stack: played.bridges)
    monkeypatch.setattr(ovs, "ports_by_container", lambda: {name: {"eth0": ["x"]} for name in played.attached})
    monkeypatch.setattr(bridge, "is_up", lambda _bridge: played.bridge_is_up)
    monkeypatch.setattr(ports, "are_attached", lambda _wanted, _pid, held: bool(held))
    monkeypatch.setattr(docker_api, "inspect", played.inspect)
    monkeypatch.setattr(programs, "listed", played.listed_programs)
    monkeypatch.setattr(passage, "blocked", lambda _listed: played.blocked)
    monkeypatch.setattr(containers, "not_kept", lambda _name, _pid: played.kept)
    monkeypatch.setattr(containers, "execute", played.execute)
    monkeypatch.setattr(health, "failure", played.check)
    return played


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a stack's directory in which one operation of each kind has left its record, and its files."""
    monkeypatch.setattr(access, "HOSTS", tmp_path / "hosts")
    root = tmp_path / "volumes/web1"
    given: list[tuple[str, str, Mapping[str, Any]]] = [
        ("bridge-up", "br-lab", BRIDGE),
        ("image-build", "base", {"tag": "dockstack/base:1234", "parent": "debian:trixie-slim", "files": {}}),
        ("keeper-start", "lab-keeper", {"container": "lab-keeper", "id": "3" * 64}),
        ("port-attach", "web1", {**WEB, "bridges": ["br-lab"]}),
        ("certificate-issue", "web1", CERTIFICATE),
        ("health-await", "web1", {**WEB, "reads": "0", "checks": CHECKS, "seconds": 1}),
        ("files-write", "web1", {"root": str(root), "files": {"bin/start": {"content": "run\n", "mode": "755"}}}),
        ("access-publish", "", {**ACCESS, "openrc": str(tmp_path / "openrc")}),
        ("member-join", "web1 membership", {**MEMBER, "join": [], "leave": []}),
        ("register", "web1", {**ENTRY, "directory": str(tmp_path / "volumes/puppet1")}),
    ]
    for name, subject, inputs in given:
        applied.write(tmp_path, named(name).parse(inputs), subject, 0)
    (root / "bin").mkdir(parents=True)
    (root / "bin/start").write_text("run\n")
    access.publish(openrc=tmp_path / "openrc", **ACCESS)
    for path, text in entry_files(tmp_path).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def entry_files(directory: Path) -> dict[Path, str]:
    return NodeEntry(**{**ENTRY, "directory": str(directory / "volumes/puppet1")}).written()  # type: ignore[arg-type]


def look(directory: Path) -> dict[tuple[str, str], Finding]:
    return {key: found.result(timeout=10) for key, found in drift.detect(directory, "lab").items()}


def reasons(directory: Path) -> dict[str, str]:
    return {name: found.reason for (name, _), found in look(directory).items() if found.reason}


def test_where_nothing_has_changed_nothing_is_found(host: Host, directory: Path) -> None:
    found = look(directory)
    assert len(found) == 10
    assert set(found.values()) == {Finding(0, "")}


def test_several_records_of_a_container_are_one_question_to_its_engine_and_to_its_supervisord(
    host: Host, directory: Path
) -> None:
    look(directory)
    assert host.inspected == ["web1"]
    assert host.supervised == ["web1"]


def test_a_switch_that_does_not_tell_its_bridges_leaves_the_rest_to_be_found(
    host: Host, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_stack: str) -> dict[str, Any]:
        raise CommandFailed("ovs-vsctl ended with status 1")

    monkeypatch.setattr(ovs, "bridges", fail)
    host.images.clear()
    assert reasons(directory) == {"image-build": "image dockstack/base:1234 is gone"}


def test_the_records_hold_no_secret(directory: Path) -> None:
    kept = list((directory / applied.DIRECTORY).iterdir())
    assert len(kept) == 10
    assert not [path for path in kept if "not-to-be-recorded" in path.read_text()]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


def test_a_bridge_that_is_gone_or_down_is_found(host: Host, directory: Path) -> None:
    host.bridge_is_up = False
    assert reasons(directory) == {"bridge-up": "bridge br-lab is down, or lacks the host's address"}
    host.bridges = {}
    assert reasons(directory) == {"bridge-up": "bridge br-lab is gone"}


def test_a_port_that_lacks_is_found(host: Host, directory: Path) -> None:
    host.attached = set()
    told = "web1 lacks its port, or has another address"
    assert reasons(directory) == {"port-attach": told, "health-await": told}


def test_a_port_that_does_not_pass_what_it_should_is_found(host: Host, directory: Path) -> None:
    host.blocked = {"web1": "no packet passes its port"}
    told = "web1: no packet passes its port"
    assert reasons(directory) == {"port-attach": told, "health-await": told}


def test_a_stopped_container_is_waited_for_without_asking_for_its_programs(host: Host, directory: Path) -> None:
    host.states["web1"] = ("1" * 64, "exited")
    host.programs = [Program("web", "STOPPED", "")]
    told = "container web1 is exited"
    assert reasons(directory) == {"port-attach": told, "health-await": told}


@pytest.mark.parametrize("state", ["exited", "paused", "created"])
def test_a_keeper_that_was_stopped_is_found(host: Host, directory: Path, state: str) -> None:
    host.states["lab-keeper"] = ("3" * 64, state)
    assert reasons(directory) == {"keeper-start": f"container lab-keeper is {state}"}
    host.states["lab-keeper"] = ("4" * 64, state)
    assert reasons(directory) == {}
    del host.states["lab-keeper"]
    assert look(directory)[("keeper-start", "lab-keeper")].remedy == drift.REFRESH


def test_the_keeper_is_started_by_its_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(docker_api, "unpause", lambda name: asked.append(f"unpause {name}"))
    monkeypatch.setattr(docker_api, "start", lambda name: asked.append(f"start {name}"))
    given = {"container": "lab-keeper", "id": "3" * 64}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(given)))
    assert cli.main(["keeper-start", "lab-keeper"], tmp_path) == 0
    assert asked == ["unpause lab-keeper", "start lab-keeper"]
    assert [each.name for each in applied.everything(tmp_path)] == ["keeper-start"]


def test_an_image_that_was_removed_is_found(host: Host, directory: Path) -> None:
    host.images.remove("dockstack/base:1234")
    assert reasons(directory) == {"image-build": "image dockstack/base:1234 is gone"}


def test_a_container_that_is_gone_is_the_engines_to_make_again(host: Host, directory: Path) -> None:
    del host.states["web1"]
    found = look(directory)[("port-attach", "web1")]
    assert found == Finding(0, "container web1 is gone", drift.REFRESH)
    assert list(reasons(directory)) == ["port-attach"]


def test_a_container_that_was_made_anew_is_no_drift(host: Host, directory: Path) -> None:
    host.states["web1"] = ("3" * 64, "running")
    host.attached, host.words["puppet1"] = set(), []
    assert reasons(directory) == {}


def test_a_certificate_that_was_revoked_is_found(host: Host, directory: Path) -> None:
    host.words["puppet1"] = ["puppet1.lab"]
    expected = "the certificate of web1.lab ends soon, was revoked, or is gone from the authority"
    assert reasons(directory) == {"certificate-issue": expected}
    assert "puppet1" in {container for container, *_ in host.asked}


def test_an_authority_that_cannot_be_asked_is_no_drift(host: Host, directory: Path) -> None:
    host.words["puppet1"] = []
    host.states["puppet1"] = ("2" * 64, "exited")
    assert reasons(directory) == {}


def test_what_was_changed_in_a_container_is_found(host: Host, directory: Path) -> None:
    host.programs = [Program("web", "STOPPED", "")]
    host.kept = ["web2 was taken out of service for web"]
    expected = "web1: its program web was stopped, web2 was taken out of service for web"
    assert reasons(directory) == {"health-await": expected}


def test_a_service_that_does_not_work_is_found(host: Host, directory: Path) -> None:
    host.failure = "not every program runs: web is STARTING"
    assert reasons(directory) == {"health-await": "web1 does not work: not every program runs: web is STARTING"}
    assert host.checked == [("web1", CHECKS)]


def test_a_container_whose_supervisord_does_not_answer_is_found(host: Host, directory: Path) -> None:
    host.programs = []
    assert reasons(directory) == {"health-await": "web1 does not work: supervisord does not answer: refused"}
    assert not host.checked


def test_a_lab_whose_records_tell_no_checks_has_them_made_once_more(host: Host, directory: Path) -> None:
    note = directory / applied.DIRECTORY / "health-await web1.json"
    told = json.loads(note.read_text())
    del told["done"]["checks"]
    note.write_text(json.dumps(told))
    assert reasons(directory) == {"health-await": "web1 was last checked by an earlier Dockstack"}


@pytest.mark.parametrize(
    ("state", "changes"),
    [
        ("RUNNING", []),
        ("STARTING", []),
        ("BACKOFF", []),
        *((state, ["its program web was stopped"]) for state in ("STOPPED", "EXITED", "FATAL")),
    ],
)
def test_programs_that_supervisord_starts_by_itself_are_no_change(
    host: Host, directory: Path, state: str, changes: list[str]
) -> None:
    host.programs = [Program("web", state, "no such file")]
    assert reasons(directory) == ({"health-await": f"web1: {changes[0]}"} if changes else {})


def test_a_database_that_is_gone_is_found(host: Host, directory: Path) -> None:
    host.states["galera1"] = ("4" * 64, "running")
    host.words["galera1"] = ["mysql", "keystone"]
    given = {**WEB, "reads": {}, "databases": {"galera1": ["keystone", "glance"]}}
    applied.write(directory, named("provision").parse(given), "web1", 0)
    assert reasons(directory) == {"provision": "database glance of galera1 is gone"}


def test_a_rendered_file_that_was_edited_or_removed_is_found(host: Host, directory: Path) -> None:
    path = directory / "volumes/web1/bin/start"
    path.write_text("run something else\n")
    assert reasons(directory) == {"files-write": f"{path} was edited"}
    path.unlink()
    assert reasons(directory) == {"files-write": f"{path} is gone"}


def test_an_entry_at_the_puppet_server_that_was_edited_is_found(host: Host, directory: Path) -> None:
    path = next(iter(entry_files(directory)))
    path.write_text("a: 2\n")
    assert reasons(directory) == {"register": f"{path} was edited"}


def test_a_host_that_cannot_be_asked_has_no_findings(host: Host, directory: Path) -> None:
    host.bridges, host.engine_answers = {}, False
    assert set(look(directory).values()) == {Finding(0, "")}


def test_what_was_mended_before_keeps_its_number_where_nobody_can_be_asked(host: Host, directory: Path) -> None:
    applied.write(directory, named("bridge-up").parse(BRIDGE), "br-lab", 3)
    assert look(directory)["bridge-up", "br-lab"] == Finding(3, "")
    host.engine_answers = False
    assert look(directory)["bridge-up", "br-lab"] == Finding(3, "")


def test_nobody_waits_for_all_of_the_look(host: Host, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(health, "failure", lambda *_asked: None if answered.wait(10) else "nobody was told")
    found = drift.detect(directory, "lab")
    for key, finding in found.items():
        if key[0] != "health-await":
            assert finding.result(timeout=10) == Finding(0, "")
    assert not found["health-await", "web1"].done()
    answered.set()
    assert found["health-await", "web1"].result(timeout=10) == Finding(0, "")


def test_what_a_power_cut_left_of_a_record_is_as_good_as_none(host: Host, directory: Path) -> None:
    (directory / applied.DIRECTORY / "bridge-up br-lab.json").write_text("")
    assert ("bridge-up", "br-lab") not in look(directory)
    assert applied.count(directory, "bridge-up", "br-lab") == 0


def test_a_record_of_an_operation_that_only_another_version_knows_is_passed_over(host: Host, directory: Path) -> None:
    found = look(directory)
    kept = directory / applied.DIRECTORY
    (kept / "fly x.json").write_text(json.dumps({"verb": "fly", "subject": "x", "count": 0, "done": {}}))
    assert look(directory) == found


def test_what_is_undone_is_forgotten(directory: Path) -> None:
    for name, inputs, subject in (
        ("bridge-up", BRIDGE, "br-lab"),
        ("port-attach", {**WEB, "bridges": []}, "web1"),
        ("register", {**ENTRY, "directory": "x"}, "web1"),
        ("member-join", {**MEMBER, "join": [], "leave": []}, "web1 membership"),
        ("access-publish", {**ACCESS, "openrc": "x"}, ""),
    ):
        applied.undo(directory, named(name).parse(inputs), subject)
    kept = ["certificate-issue", "files-write", "health-await", "image-build", "keeper-start"]
    assert [each.name for each in applied.everything(directory)] == kept
    applied.undo(directory, FilesWrite("x", {}), "web1")
    assert [each.name for each in applied.everything(directory)] == ["image-build", "keeper-start"]


def test_what_was_undone_and_is_still_declared_is_planned_again_and_is_at_rest_once_it_is_done(
    host: Host, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mended: list[str] = []
    monkeypatch.setattr(HealthAwait, "repair", lambda _operation: mended.append("mended"))
    monkeypatch.setattr(HealthAwait, "run", lambda _operation, _directory: None)
    monkeypatch.setattr(FilesWrite, "undo", lambda _operation, _directory: None)

    def call(command: str, given: Mapping[str, Any]) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(given)))
        assert cli.main([command, "web1"], directory) == 0

    checked = {**WEB, "reads": "0", "checks": CHECKS, "seconds": 1}
    for number in (1, 2):
        # As often as a destroy is cut off, before or after the operation's end.
        applied.undo(directory, FilesWrite("x", {}), "web1")
        call("files-remove", {"root": "x", "files": {}})
        assert look(directory)["health-await", "web1"] == Finding(number, "")
        call("health-await", {**checked, cli.DRIFT: number})
        assert look(directory)["health-await", "web1"] == Finding(number, "")
        assert ("health-await", "web1") not in applied.undone(directory)
    assert mended == []


def test_an_operation_that_dies_while_it_is_undone_has_left_its_mark(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_operation: Operation, _directory: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MemberJoin, "undo", die)
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({**MEMBER, "join": [], "leave": []})))
    with pytest.raises(KeyboardInterrupt):
        cli.main(["member-leave", "web1", "membership"], directory)
    assert applied.undone(directory) == {("member-join", "web1 membership"): 1}


def test_a_container_that_is_no_member_any_more_is_found(host: Host, directory: Path) -> None:
    host.words["nova1"] = ["web1 is not mapped to a cell of Nova"]
    assert reasons(directory) == {"member-join": "web1 is not mapped to a cell of Nova"}
    assert ("nova1", "membership", "joined", "web1", "web1.lab") in host.asked
    host.states["nova1"] = ("4" * 64, "exited")
    assert reasons(directory) == {}


def test_a_way_in_that_is_gone_is_found(host: Host, directory: Path) -> None:
    access.HOSTS.write_text("127.0.0.1 localhost\n")
    assert reasons(directory) == {"access-publish": f"{access.HOSTS} lacks the VIP's name"}
    (directory / "clouds.yaml").unlink()
    assert reasons(directory) == {"access-publish": f"{directory / 'clouds.yaml'} is gone"}


def test_an_operation_on_all_containers_leaves_one_record_however_many_these_are(directory: Path) -> None:
    for names in (("a", "b"), ("a",)):
        applied.write(directory, PortsAttach(dict.fromkeys(names, "1")), f"{len(names)} containers", 0)
    assert [each.subject for each in applied.everything(directory) if each.name == "ports-attach"] == ["1 containers"]


def test_an_operation_whose_counter_is_higher_than_recorded_repairs_first_and_records_it(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(PortAttach, "repair", lambda operation: done.append(f"start {operation.container}"))
    monkeypatch.setattr(PortAttach, "run", lambda operation, _directory: done.append(operation.dumped()))
    given = {**WEB, "bridges": ["br-lab"]}
    for _ in range(2):
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({**given, cli.DRIFT: 1})))
        assert cli.main(["port-attach", "web1"], directory) == 0
    dumped = json.dumps(given, sort_keys=True)
    assert done == ["start web1", dumped, dumped]
    assert applied.count(directory, "port-attach", "web1") == 1


def test_an_operation_that_fails_leaves_the_record_as_it_was(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_operation: Operation, _directory: Path) -> None:
        raise OSError("no")

    monkeypatch.setattr(FilesWrite, "run", fail)
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"root": "x", "files": {}, cli.DRIFT: 1})))
    assert cli.main(["files-write", "web1"], directory) == 1
    assert capsys.readouterr().err == "no\n"
    assert applied.count(directory, "files-write", "web1") == 0
