"""What the bench makes of the engine's events, of a state and of Docker's words."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from tests.bench import chart, memory
from tests.bench.recording import Recording, Step, complaints, dependencies, steps

PARENT = "urn:pulumi:lab::dockstack::dockstack:index:Lab"
COMMAND = "command:local:Command"


def urn(name: str, kind: str = COMMAND, owner: str = "$dockstack:index:ServiceContainer") -> str:
    return f"{PARENT}{owner}${kind}::{name}"


def event(kind: str, of: str, op: str = "create") -> dict[str, Any]:
    return {kind: {"metadata": {"op": op, "urn": of}}}


FILES, CONTAINER = urn("db1-files"), urn("db1", "docker:index/container:Container")
RUN, OTHER = urn("db1-provisioning"), urn("web1-provisioning")


def recording(*made: Step, needs: dict[str, set[str]]) -> Recording:
    return Recording(made, 100.0, {of: frozenset(before) for of, before in needs.items()})


def test_a_step_lasts_from_the_event_before_it_to_the_one_after_it() -> None:
    stream = [
        (1.0, event("resourcePreEvent", FILES)),
        (1.5, event("resourcePreEvent", CONTAINER)),
        (2.0, event("resOutputsEvent", FILES)),
        (4.0, event("resOpFailedEvent", CONTAINER)),
    ]
    assert steps(stream) == [Step(FILES, 1.0, 2.0), Step(CONTAINER, 1.5, 4.0, failed=True)]


@pytest.mark.parametrize("op", ["same", "read", "refresh", "replace"])
def test_what_does_nothing_to_a_resource_is_no_step(op: str) -> None:
    stream = [(1.0, event("resourcePreEvent", FILES, op)), (2.0, event("resOutputsEvent", FILES, op))]
    assert steps(stream) == []


def test_a_component_is_no_step() -> None:
    component = urn("db1", "dockstack:index:ServiceContainer", "")
    assert steps([(1.0, event("resourcePreEvent", component)), (2.0, event("resOutputsEvent", component))]) == []


def test_a_replacement_is_its_parts() -> None:
    stream = [
        (1.0, event("resourcePreEvent", CONTAINER, "delete-replaced")),
        (2.0, event("resOutputsEvent", CONTAINER, "delete-replaced")),
        (2.0, event("resourcePreEvent", CONTAINER, "create-replacement")),
        (5.0, event("resOutputsEvent", CONTAINER, "create-replacement")),
    ]
    assert [step.seconds for step in steps(stream)] == [1.0, 3.0]


def test_the_critical_path_goes_by_what_ended_last_of_what_was_needed() -> None:
    path = recording(
        Step(FILES, 0, 1), Step(CONTAINER, 1, 3), Step(RUN, 3, 20), Step(OTHER, 20, 60),
        needs={CONTAINER: {FILES}, RUN: {FILES, CONTAINER}, OTHER: {FILES, RUN}},
    ).critical_path()  # fmt: skip
    assert [step.urn for step in path] == [FILES, CONTAINER, RUN, OTHER]


def test_the_critical_path_goes_through_what_had_nothing_to_do() -> None:
    path = recording(
        Step(FILES, 0, 1), Step(OTHER, 2, 9), needs={OTHER: {CONTAINER}, CONTAINER: {FILES}}
    ).critical_path()  # fmt: skip
    assert [step.urn for step in path] == [FILES, OTHER]


def test_an_up_that_did_nothing_has_no_critical_path() -> None:
    assert recording(needs={}).critical_path() == ()


def test_dependencies_are_those_of_the_resource_and_those_of_its_properties() -> None:
    state: list[dict[str, Any]] = [
        {"urn": OTHER, "dependencies": [RUN], "propertyDependencies": {"stdin": [FILES], "create": None}},
        {"urn": RUN},
    ]
    assert dependencies(state) == {OTHER: {RUN, FILES}, RUN: frozenset()}


def test_only_errors_are_complaints() -> None:
    told = [{"severity": severity, "message": f"{severity}\n"} for severity in ("debug", "error")]
    assert complaints([{"diagnosticEvent": each} for each in told] + [{}]) == "error\n"


@pytest.mark.parametrize(
    ("resource", "row", "stage"),
    [
        (FILES, "db1", "files"),
        (CONTAINER, "db1", "container"),
        (RUN, "db1", "provisioning"),
        (urn("db1-data", "docker:index/volume:Volume"), "db1", "other"),
        (urn("local-image-galera", owner=""), "galera (image)", "image"),
        (urn("secret-enrolment", owner=""), "lab", "other"),
    ],
)
def test_a_step_has_its_row_and_its_stage(resource: str, row: str, stage: str) -> None:
    assert chart.place(Step(resource, 0, 1)) == (row, stage)


def test_the_chart_is_an_svg_with_a_row_for_each_container(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "charts" / "up.svg"
    made = recording(Step(FILES, 0, 1), Step(RUN, 3, 20), Step(OTHER, 20, 60, failed=True), needs={OTHER: {RUN}})
    chart.write(made, "lab", path)
    first = path.read_bytes()
    words = "".join(ElementTree.fromstring(first).itertext())
    assert all(word in words for word in ("db1", "web1", "Puppet run", "critical path", "failed", "100 s"))
    assert "web1" in capsys.readouterr().out
    chart.write(made, "lab", path)
    assert path.read_bytes() == first


@pytest.mark.parametrize(("told", "mib"), [("512KiB", 0.5), ("142.8MiB", 142.8), ("1.5GiB", 1536.0), ("0B", 0.0)])
def test_an_amount_of_memory_as_docker_writes_it(told: str, mib: float) -> None:
    assert memory.mebibytes(told) == mib


@pytest.mark.parametrize("told", ["", "12", "12MB", "--"])
def test_anything_else_is_no_amount_of_memory(told: str) -> None:
    with pytest.raises(ValueError):
        memory.mebibytes(told)


def test_the_sum_of_the_memory_comes_last() -> None:
    assert memory.rows({"db1": 300.4, "web1": 100.4}) == [["db1", "300"], ["web1", "100"], ["all", "401"]]
