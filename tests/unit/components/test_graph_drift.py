"""What a look at the host has found changed is planned again, and told."""

from __future__ import annotations

from collections.abc import Iterator

import pulumi
import pytest

from components import accounts
from hostside.drift import REFRESH, Finding
from tests.unit.graph_recorder import Graph, config, plain_config, record_lab_anew


@pytest.fixture(scope="module")
def told() -> Iterator[list[str]]:
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pulumi.log, "warn", said.append)
        yield said


@pytest.fixture(scope="module")
def drifted(told: list[str]) -> Graph:
    found = {
        ("files-write", "dnsmasq1"): Finding(3, "/a/file was edited"),
        ("health-await", "dnsmasq1"): Finding(2, ""),
        ("port-attach", "dnsmasq1"): Finding(0, "container dnsmasq1 is gone", REFRESH),
        ("files-write", "of-another-stack"): Finding(1, "nobody is told of this"),
    }
    return record_lab_anew(config(), found)


def numbers(graph: Graph) -> dict[str, int]:
    operations = [command for command in graph.commands() if command.operation()]
    return {c.name: c.parameters()["drift"] for c in operations if "drift" in c.parameters()}


def test_only_what_was_found_changed_now_or_before_has_another_number(drifted: Graph, lab: Graph) -> None:
    assert numbers(drifted) == {"dnsmasq1-files": 3, "dnsmasq1-health": 2}
    assert numbers(lab) == {}


def test_what_is_different_now_is_told_with_what_mends_it(drifted: Graph, told: list[str]) -> None:
    assert set(told) == {
        "/a/file was edited; `pulumi up` mends it",
        "container dnsmasq1 is gone; `pulumi up --refresh` mends it",
    }


def test_after_a_run_that_was_lost_all_is_planned_again_that_it_may_have_undone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = record_lab_anew(plain_config(2))
    monkeypatch.setenv(accounts.LOST, "4711")
    graph = record_lab_anew(plain_config(2), {("bridge-up", "br-lab"): Finding(4712, "bridge br-lab is gone")})
    undoable = {c.name for c in graph.commands() if c.inputs.get("delete") and c.operation()}
    assert {"local-ports", "local-keeper-files", "local-plain-files"} < undoable
    assert numbers(graph) == {name: 4712 if name == "local-br-lab" else 4711 for name in undoable}
    assert graph.one("local-tool").inputs["environment"] == {accounts.AGAIN: "4711"}
    assert "environment" not in before.one("local-tool").inputs
    # What is drawn by lot stays as it is.
    assert graph.one("secret-enrolment").inputs == before.one("secret-enrolment").inputs


def test_a_run_tells_which_databases_it_makes_or_fills(lab: Graph) -> None:
    glance = lab.the("provision", container="glance1").parameters()
    assert glance["databases"] == {"galera1": ["glance"]}
    galera = lab.the("provision", container="galera1").parameters()
    assert {"keystone", "glance", "nova_api"} <= set(galera["databases"]["galera1"])
    assert lab.the("provision", container="dashboard1").parameters()["databases"] == {}
