"""`make graph`: boxes and lines of a lab, its change, and how they are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from commands import graph, stack_file
from components import drawing, foresight, paths, refusal, services
from components.configuration import environment
from components.consequences import Change
from components.drawing import Picture, reduced
from components.recorded import Recorded, Volume
from components.services.topology import Topology
from hostside.present import Present
from tests.unit.graph_recorder import CONFIG, FACTS


def picture(config: dict[str, Any] = CONFIG) -> Picture:
    lab, _ = environment.load(config, stack="lab", roles=FACTS, base_dir=paths.PROJECT)
    return Picture(Topology(lab, services.for_lab(lab)))


def lines(drawn: Picture) -> set[tuple[str, str]]:
    roles = {box.key: box.role for box in drawn.boxes()}
    return {(roles[one], roles[other]) for one, other, _ in drawn.lines()}


def test_a_need_that_follows_from_others_is_left_out() -> None:
    needs = {"a": {"b", "c"}, "b": {"c", "d"}, "c": {"d"}, "d": set[str]()}
    assert reduced(needs) == {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set()}
    # One that two ways lead to, neither of which leads through the other, stays.
    assert reduced({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}}) == {"a": {"b", "c"}, "b": {"d"}, "c": {"d"}}


def test_lines_say_who_needs_whom_and_all_that_is_needed_can_be_reached() -> None:
    drawn = picture()
    found = lines(drawn)
    assert ("nova", "placement") in found
    assert ("keystone", "galera") in found
    assert not {one for one in found if set(one) & {"puppet", "dnsmasq"}}
    for role in drawn.topology.used_roles:
        ahead, reached = [role.name], {role.name}
        while ahead:
            name = ahead.pop()
            further = {other for one, other in found if one == name} - reached
            reached |= further
            ahead += further
        assert set(services.needs_of(role)) - set(services.IMPLIED_NEEDS) <= reached


def test_all_containers_stand_in_both_forms_with_address_and_role() -> None:
    drawn = picture()
    for form in (drawing.dot(drawn), drawing.mermaid(drawn)):
        for name, given in CONFIG["containers"].items():
            assert name in form and given["address"] in form and given["role"] in form
        assert "br-lab, 10.87.0.0/24" in form
        assert "vip.dockstack.lab 10.87.0.250" in form


def test_a_configured_need_is_a_line_of_its_own_kind() -> None:
    config = json.loads(json.dumps(CONFIG))
    config["containers"]["plain1"]["needs"] = ["keystone1"]
    drawn = picture(config)
    boxes = {box.role: box.key for box in drawn.boxes()}
    assert f"{boxes['plain']} -> {boxes['keystone']} [style=dashed]" in drawing.dot(drawn)
    assert f"{boxes['plain']} -.-> {boxes['keystone']}" in drawing.mermaid(drawn)


def test_a_hundred_containers_of_a_role_are_one_box_in_columns() -> None:
    defaults = {"mask": 24, "gateway": "10.87.0.1", "bridge": "br-lab"}
    hundred = {f"p{i}": {"role": "plain", "address": f"10.87.0.{i}"} for i in range(2, 102)}
    config = {**CONFIG, "containerDefaults": defaults, "containers": hundred}
    (box,) = picture(config).boxes()
    assert len(box.containers) == 100
    assert drawing.dot(picture(config)).count("<tr><td align") == drawing.ROWS + 1


def test_names_that_the_forms_have_a_use_for_are_written_as_text() -> None:
    assert drawing._quoted('a "b" \\ c') == '"a \\"b\\" \\\\ c"'
    assert drawing._node("a-b.c") == "c_a_2d_b_2e_c"
    change = Change(replaced=frozenset({"keystone1"}))
    drawn = Picture(picture().topology, change, {}, ("<b>&",))
    assert "&lt;b&gt;&amp;" in drawing.dot(drawn)
    assert "&lt;b&gt;&amp;" in drawing.mermaid(drawn)


def step(operation: str, kind: str, name: str, **states: Any) -> dict[str, Any]:
    return {"op": operation, "urn": f"urn:pulumi:lab::dockstack::dockstack:index:Lab${kind}::{name}", **states}


def container(operation: str, name: str, role: str) -> dict[str, Any]:
    state = {"inputs": {"labels": [{"label": "dockstack.role", "value": role}]}}
    return step(operation, "docker:index/container:Container", name, newState=state)


def files(name: str, **texts: str) -> dict[str, Any]:
    return {"inputs": {"stdin": json.dumps({"files": {path: {"content": text} for path, text in texts.items()}})}}


STEPS = [
    container("same", "web1", "plain"),
    container("replace", "keystone1", "keystone"),
    container("create-replacement", "keystone1", "keystone"),
    container("delete-replaced", "keystone1", "keystone"),
    container("create", "nova1", "nova"),
    container("delete", "compute1", "compute"),
    container("replace", "local-keeper", "keeper"),
    step("update", "command:local:Command", "glance1-provisioning"),
    step("same", "command:local:Command", "cinder1-provisioning"),
    step(
        "update", "command:local:Command", "glance1-files",
        oldState=files("glance1", **{"supervisor/a": "1", "bin/a": "1"}),
        newState=files("glance1", **{"supervisor/a": "2", "bin/a": "1"}),
    ),
    step(
        "update", "command:local:Command", "cinder1-files",
        oldState=files("cinder1", **{"supervisor/a": "1", "bin/a": "1"}),
        newState=files("cinder1", **{"supervisor/a": "1", "bin/a": "2"}),
    ),
]  # fmt: skip


def test_the_steps_of_a_preview_are_a_change() -> None:
    change, roles = graph.planned(STEPS)
    assert change == Change(
        added=frozenset({"nova1"}),
        removed=frozenset({"compute1"}),
        replaced=frozenset({"keystone1"}),
        restarted=frozenset({"glance1"}),
        provisioned=frozenset({"glance1"}),
    )
    assert roles == {"web1": "plain", "keystone1": "keystone", "nova1": "nova", "compute1": "compute"}


def silent(_script: str) -> str:
    raise OSError("it doesn't run")


def test_a_change_is_drawn_in_colours_and_words_with_what_it_means(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(paths, "stack_directory", lambda _stack: tmp_path)
    volumes = (Volume("compute1-state", "compute1", "local"),)
    recorded = Recorded({"compute1": "compute"}, {"compute1": "local"}, volumes)
    monkeypatch.setattr(foresight, "everywhere", lambda *_: foresight.There(Present(), recorded))
    monkeypatch.setattr(refusal, "runner_for", lambda _host: silent)
    config = {**CONFIG, "containers": {k: v for k, v in CONFIG["containers"].items() if k != "compute1"}}
    drawn = graph.changed(picture(config), STEPS)
    text = drawing.dot(drawn)
    for told, colour in (
        ("keystone1 10.87.0.50 (replaced)", "#d55e00"),
        ("nova1 10.87.0.80 (added)", "#009e73"),
        ("compute1 (removed)", "#cc79a7"),
        ("glance1 10.87.0.60 (programs restarted)", "#e69f00"),
    ):
        assert f'bgcolor="{colour}">{told}<' in text
    assert any(sentence.startswith("loses data: volume compute1-state") for sentence in drawn.warnings)
    assert "compute1<br/>removed" in drawing.mermaid(drawn)


def test_parts_of_a_bridge_on_several_hosts_are_joined_in_both_forms() -> None:
    hosts = {"local": {}, "two": {"ssh": {"host": "10.0.0.2"}}, "three": {"ssh": {"host": "10.0.0.3"}}}
    places = {"galera1": "two", "rabbitmq1": "two", "compute1": "three"}
    containers = {name: {**given, "host": places.get(name, "local")} for name, given in CONFIG["containers"].items()}
    drawn = picture({**CONFIG, "containerHosts": hosts, "containers": containers})
    assert [(one.host, other.host) for one, other in drawn.joined()] == [("local", "two"), ("two", "three")]
    text = drawing.dot(drawn)
    assert 'ltail="cluster local br-lab", lhead="cluster two br-lab", dir=none' in text
    assert 'ltail="cluster two br-lab", lhead="cluster three br-lab", dir=none' in text
    assert drawing.mermaid(drawn).count(" -. joined .- ") == 2
    assert "joined" not in drawing.dot(picture()) + drawing.mermaid(picture())


def test_a_picture_goes_to_a_file_and_faults_to_the_reader(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "Pulumi.lab.yaml"
    given.write_text(json.dumps({"config": {f"dockstack:{key}": value for key, value in CONFIG.items()}}))
    monkeypatch.setenv(stack_file.OTHER, str(given))
    assert graph.main(["lab", "--format", "mermaid", "--file", str(tmp_path / "lab.mmd")]) == 0
    assert (tmp_path / "lab.mmd").read_text().startswith("flowchart LR\n")
    assert capsys.readouterr().out == ""
    given.write_text("config: {dockstack:containers: {a1: {role: nosuch}}}")
    assert graph.main(["lab"]) == 1
    assert "nosuch" in capsys.readouterr().err
    given.unlink()
    assert graph.main(["lab"]) == 1
    assert "has no configuration to read" in capsys.readouterr().err
