"""What `make status` tells of a host that is played; the real one is in tests/lab."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openstack.exceptions import NotFoundException

from commands import status
from components import paths
from components.configuration.environment import ConfiguredHost, Ssh
from components.host import distance
from hostside import applied, bridge, containers, docker_api, health, ovs, passage, ports, programs, ways
from hostside.applied import Applied
from hostside.cli import SERVICES
from hostside.programs import Program
from hostside.report import Problem

OUTPUTS = {
    "addresses": {"dns1": "10.87.0.53", "web1": "10.87.0.60"},
    "services": {"dns1": {"role": "dnsmasq"}, "web1": {"role": "plain"}},
    "endpoints": {"dns": "dns://10.87.0.53:53"},
}
NOBODY = 2**22 + 1
"""A process that there can't be: Linux numbers none as high."""
LABELS = {"dockstack.stack": "lab", "dockstack.bridge": "br-lab", "dockstack.mac": "02:00:00:00:00:01"}


class Host:
    """A host where all works, until a test breaks something."""

    def __init__(self) -> None:
        self.states: dict[str, dict[str, Any]] = {
            name: {"Status": "running", "Running": True, "Paused": False, "Pid": NOBODY}
            for name in ("lab-keeper", "dns1", "web1")
        }
        self.attached = {"dns1", "web1"}
        self.blocked: dict[str, str] = {}
        self.bridge_is_up = True
        self.engine_answers = True
        self.recorded: list[Applied] = []
        self.failing: dict[str, str] = {}
        self.inspected: list[str] = []

    def listed(self, _stack: str) -> list[dict[str, Any]]:
        if not self.engine_answers:
            raise docker_api.EngineGone("the Docker engine is gone: Connection refused")
        return [
            {"Names": [f"/{name}"], "Id": "1", "State": state["Status"], "Labels": self.labels(name)}
            for name, state in self.states.items()
        ]

    def labels(self, name: str) -> Mapping[str, str]:
        return {} if name == "lab-keeper" else LABELS

    def inspect(self, name: str) -> dict[str, Any]:
        self.inspected.append(name)
        return {"State": self.states[name], "Config": {"Labels": self.labels(name)}}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    played = Host()
    recorded = bridge.Bridge("br-lab", "lab", "10.87.0.0/24", "10.87.0.1/24", 1500)
    monkeypatch.setattr(docker_api, "containers", played.listed)
    monkeypatch.setattr(docker_api, "inspect", played.inspect)
    monkeypatch.setattr(ovs, "ports_by_container", lambda: {name: {"eth0": ["x"]} for name in played.attached})
    monkeypatch.setattr(ovs, "bridges", lambda _stack: {"br-lab": recorded.identifiers()})
    monkeypatch.setattr(bridge, "is_up", lambda _bridge: played.bridge_is_up)
    monkeypatch.setattr(ports, "are_attached", lambda _wanted, _pid, held: bool(held))
    monkeypatch.setattr(passage, "blocked", lambda _listed: played.blocked)
    monkeypatch.setattr(applied, "everything", lambda _directory: played.recorded)
    monkeypatch.setattr(health, "failure", lambda found, _checks: played.failing.get(found.name))
    return played


def test_where_all_works_there_is_no_fault(host: Host) -> None:
    assert status.find("lab", OUTPUTS) == []


def test_an_engine_that_is_gone_is_the_one_fault(host: Host) -> None:
    host.engine_answers = False
    assert status.find("t1", OUTPUTS) == [
        Problem("host", "the Docker engine is gone: Connection refused", "make lab STACK=t1")
    ]


def test_a_container_that_is_gone_comes_back_with_make_lab(host: Host) -> None:
    del host.states["web1"]
    assert status.find("lab", OUTPUTS) == [Problem("web1", "the container is gone", "make lab")]


@pytest.mark.parametrize(
    ("state", "reason", "mend"),
    [
        ({"Status": "exited", "Running": False, "Paused": False}, "the container is exited", "docker start web1"),
        ({"Status": "paused", "Running": True, "Paused": True}, "the container is paused", "docker unpause web1"),
    ],
)
def test_a_container_that_does_not_run_is_told_with_its_state(
    host: Host, state: dict[str, Any], reason: str, mend: str
) -> None:
    host.states["web1"] = state
    assert status.find("lab", OUTPUTS) == [Problem("web1", reason, mend)]


def test_a_container_without_its_port_and_a_bridge_without_its_address_are_faults(host: Host) -> None:
    host.attached.remove("web1")
    host.bridge_is_up = False
    assert [fault.subject for fault in status.find("lab", OUTPUTS)] == ["br-lab", "web1"]


def test_a_port_that_does_not_pass_what_it_should_is_a_fault(host: Host) -> None:
    host.blocked = {"web1": "no packet of 9000 bytes passes its port, smaller ones do"}
    assert status.find("lab", OUTPUTS) == [Problem("web1", host.blocked["web1"], "make lab")]


def test_programs_that_do_not_run_are_told_with_supervisords_reason(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.states["web1"]["Health"] = {"Status": "healthy"}
    listed = [Program("a", "RUNNING", ""), Program("b", "FATAL", "no such file")]
    monkeypatch.setattr(programs, "listed", lambda _name, _path: listed)
    assert status.find("lab", OUTPUTS) == [
        Problem("web1", "its program b is FATAL (no such file)", "docker exec web1 supervisorctl restart b")
    ]


def test_a_supervisord_that_does_not_answer_is_told_with_its_container(host: Host) -> None:
    host.states["web1"]["Health"] = {"Status": "healthy"}
    (found,) = status.find("lab", OUTPUTS)
    assert (found.subject, found.mend) == ("web1", "docker restart web1")
    assert found.reason.startswith("supervisord does not answer: ")


def test_a_container_that_fails_its_own_check_is_told_where_nothing_else_is_wrong(host: Host) -> None:
    host.recorded = [
        Applied(operation, name, 0, {"container": name, "id": "1", "checks": []})
        for operation, name in (("health-await", "dns1"), ("health-await", "web1"), ("port-attach", "web1"))
    ]
    host.failing = {"web1": "Nova has not heard of web1"}
    told = Problem("web1", "it does not work: Nova has not heard of web1", "make lab")
    assert status.find("lab", OUTPUTS) == [told]
    host.attached.remove("dns1")
    assert [fault.subject for fault in status.find("lab", OUTPUTS)] == ["dns1"]


def test_a_container_and_its_programs_are_asked_for_once_whatever_is_checked_of_them(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def listed(name: str, _path: str) -> list[Program]:
        asked.append(name)
        return [Program("a", "RUNNING", "")]

    monkeypatch.setattr(programs, "listed", listed)
    host.states["web1"]["Health"] = {"Status": "healthy"}
    host.recorded = [Applied("health-await", "web1", 0, {"container": "web1", "id": "1", "checks": []})]
    host.failing = {"web1": "no answer"}
    assert status.find("lab", OUTPUTS) == [Problem("web1", "it does not work: no answer", "make lab")]
    assert asked == ["web1"]
    assert sorted(host.inspected) == ["dns1", "lab-keeper", "web1"]


def test_what_an_api_that_fails_is_waiting_for_is_told_before_it(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.recorded = [Applied("health-await", "web1", 0, {"container": "web1", "id": "1", "checks": []})]
    host.failing = {"web1": "waits for web2, without whose answer nobody knows whose data are the latest"}
    silent = Problem("web", "http://vip.lab does not answer: no route", "make lab")
    monkeypatch.setattr(status, "_endpoint", lambda *_: [silent])
    told = status.find("lab", OUTPUTS | {"endpoints": {"web": "http://vip.lab"}})
    assert told == [Problem("web1", f"it does not work: {host.failing['web1']}", "make lab"), silent]


def test_a_container_that_has_lost_a_membership_is_told(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    done = {"container": "web1", "id": "1", "fqdn": "web1.lab", "other": "dns1", "joined": ["membership", "joined"]}
    host.recorded = [Applied("member-join", "web1 membership", 0, done)]
    said = {"web1": "web1 is not mapped to a cell of Nova\n"}
    monkeypatch.setattr(containers, "execute", lambda _other, words, **_options: said.get(words[2], ""))
    assert status.find("lab", OUTPUTS) == [Problem("web1", f"it does not work: {said['web1'].strip()}", "make lab")]
    said.clear()
    assert status.find("lab", OUTPUTS) == []


def test_a_silent_service_is_told_with_its_container_whatever_openstack_calls_its_host(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        SimpleNamespace(binary="cinder-scheduler", host="volumes", state="down"),
        SimpleNamespace(binary="cinder-volume", host="volumes@rbd", state="up"),
        SimpleNamespace(binary="cinder-backup", host="web1.lab@rbd", state="down"),
    ]
    # Of a service that the lab has not, the SDK refuses the mere name.
    cloud = SimpleNamespace(authorize=lambda: None, block_storage=SimpleNamespace(services=lambda: rows))
    monkeypatch.setattr(status, "connect", lambda _openrc: cloud)
    services = {"dns1": {"role": "volumes"}, "web1": {"role": "plain"}}
    outputs = {**OUTPUTS, "services": services, "endpoints": {"cinder": "tcp://cinder"}, "openrc": "openrc"}
    assert status.find("lab", outputs) == [
        Problem("dns1", "cinder-scheduler has gone silent", "docker restart dns1"),
        Problem("web1", "cinder-backup has gone silent", "docker restart web1"),
    ]


@pytest.mark.parametrize(("service", "told"), [("neutron", []), ("nova", ["nova"])])
def test_a_neutron_whose_networks_are_opensdns_has_no_agents_to_be_silent(
    host: Host, monkeypatch: pytest.MonkeyPatch, service: str, told: list[str]
) -> None:
    def missing() -> list[Any]:
        raise NotFoundException("no such resource")

    apis = {
        "nova": {"compute": SimpleNamespace(services=missing)},
        "neutron": {"network": SimpleNamespace(agents=missing)},
    }
    cloud = SimpleNamespace(authorize=lambda: None, **apis[service])
    monkeypatch.setattr(status, "connect", lambda _openrc: cloud)
    outputs = {**OUTPUTS, "endpoints": {service: f"tcp://{service}"}, "openrc": "openrc"}
    assert [fault.subject for fault in status.find("lab", outputs)] == told


def test_an_endpoint_that_nobody_serves_is_a_fault(host: Host) -> None:
    found = status.find("lab", {**OUTPUTS, "endpoints": {"keystone": "http://127.0.0.1:1/v3"}})
    assert [(fault.subject, fault.mend) for fault in found] == [("keystone", "make lab")]
    assert "does not answer" in found[0].reason


@pytest.mark.parametrize("broken", [False, True])
def test_programs_get_the_same_as_json_and_an_exit_status(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: bool
) -> None:
    monkeypatch.setattr(status, "outputs_of", lambda _stack: OUTPUTS)
    if broken:
        del host.states["web1"]
    assert status.main(["lab", "--json"]) == (status.BROKEN if broken else status.WORKS)
    told = json.loads(capsys.readouterr().out)
    assert told["works"] is not broken
    assert [row["works"] for row in told["containers"]] == [True, not broken]
    assert status.main(["lab"]) == (status.BROKEN if broken else status.WORKS)
    assert ("to mend it: make lab" in capsys.readouterr().out) is broken


def test_a_port_that_is_impaired_is_told_and_is_no_fault(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(status, "outputs_of", lambda _stack: OUTPUTS)
    monkeypatch.setattr(paths, "stack_directory", lambda *_: tmp_path)
    (tmp_path / "impairments").mkdir()
    (tmp_path / "impairments/web1.json").write_text('{"loss": "1%", "rate": "1mbit"}')
    assert status.main(["lab", "--json"]) == status.WORKS
    told = {row["name"]: row.get("impaired") for row in json.loads(capsys.readouterr().out)["containers"]}
    assert told == {"dns1": None, "web1": "loss 1%, rate 1mbit"}
    assert status.main(["lab"]) == status.WORKS
    assert "works  (make impair: loss 1%, rate 1mbit)" in capsys.readouterr().out


def test_a_stack_without_outputs_is_not_up(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(status, "outputs_of", lambda _stack: None)
    assert status.main(["lab"]) == status.UNKNOWN_STACK
    assert "To bring it up: make lab" in capsys.readouterr().err


FAR = ConfiguredHost(name="far", ssh=Ssh(host="192.0.2.20", port=2222))
SEVERAL = {
    **OUTPUTS,
    "services": {"dns1": {"role": "dnsmasq", "host": "local"}, "web1": {"role": "plain", "host": "far"}},
}


def test_what_is_broken_on_another_host_is_told_with_the_command_that_mends_it_from_here(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def tool(*given: Any) -> dict[str, Any]:
        asked.append(given)
        broken = [["web1", "the container is exited", "docker start web1"], ["host", "no engine", "make lab"]]
        return {"broken": broken, "failing": []}

    monkeypatch.setattr(distance, "tool", tool)
    del host.states["web1"]
    assert status.find("lab", SEVERAL, [FAR]) == [
        Problem("web1", "the container is exited", "ssh -p 2222 root@192.0.2.20 docker start web1"),
        Problem("host far", "no engine", "make lab"),
    ]
    assert asked == [(FAR, "lab", "report", ["lab-keeper", "web1"])]


def test_checks_of_another_host_are_told_where_nothing_is_seen_broken(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = ["web1", "it does not work: no answer", "make lab"]
    monkeypatch.setattr(distance, "tool", lambda *_: {"broken": [], "failing": [failing]})
    assert status.find("lab", SEVERAL, [FAR]) == [Problem(*failing)]


def test_a_host_that_can_not_be_asked_is_a_fault_and_the_others_are_told(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tool(*_: Any) -> dict[str, Any]:
        raise subprocess.CalledProcessError(255, "ssh", stderr="ssh: no route to host")

    monkeypatch.setattr(distance, "tool", tool)
    host.states["dns1"] = {"Status": "exited", "Running": False, "Paused": False}
    assert status.find("lab", SEVERAL, [FAR]) == [
        Problem("dns1", "the container is exited", "docker start dns1"),
        Problem("host far", "it can't be asked: ssh: no route to host", "make hosts"),
    ]


def test_the_tool_reports_its_own_host(host: Host, tmp_path: Path) -> None:
    host.states["web1"] = {"Status": "exited", "Running": False, "Paused": False}
    told = SERVICES["report"](tmp_path, "lab lab-keeper web1")
    assert told == {"broken": [["web1", "the container is exited", "docker start web1"]], "failing": []}


def test_a_bridge_that_is_not_joined_with_the_others_is_a_fault(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    way = ways.Way("br-lab", "lab", 1450, "192.0.2.1", ["192.0.2.20"])
    recorded = {**ovs.bridges("lab")["br-lab"], ways.KEY: json.dumps(vars(way))}
    monkeypatch.setattr(ovs, "bridges", lambda _stack: {"br-lab": recorded})
    monkeypatch.setattr(ways, "lack", lambda found: "the tunnels are gone" if found == way else "")
    assert status.find("lab", OUTPUTS) == [Problem("br-lab", "the tunnels are gone", "docker restart lab-keeper")]
