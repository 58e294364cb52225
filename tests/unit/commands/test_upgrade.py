"""Which containers `make upgrade` replaces one by one, and in which order; a real upgrade is in tests/lab."""

from __future__ import annotations

from commands import upgrade
from components.services import ROLES, needs_of

PREFIX = "urn:pulumi:lab::dockstack::dockstack:index:Lab$dockstack:index:ServiceContainer$"


def step(op: str, kind: str, name: str) -> dict[str, str]:
    return {"op": op, "urn": f"{PREFIX}{kind}::{name}"}


def test_only_containers_that_a_preview_replaces_have_a_turn() -> None:
    steps = [
        step("replace", "docker:index/container:Container", "nova1"),
        step("delete-replaced", "docker:index/container:Container", "nova1"),
        step("create", "docker:index/container:Container", "new1"),
        step("update", "command:local:Command", "nova1-provisioning"),
        step("replace", "command:local:Command", "secret-a"),
    ]
    assert upgrade.replaced(steps) == ["nova1"]


def test_each_service_comes_after_those_that_it_needs() -> None:
    roles = {"nova1": "nova", "keystone2": "keystone", "keystone1": "keystone", "galera1": "galera", "p1": "plain"}
    turns = upgrade.in_turn(["nova1", "keystone2", "p1", "lab-keeper", "keystone1", "galera1"], roles)
    assert turns == ["galera1", "keystone1", "keystone2", "nova1"]


def test_whoever_needs_a_role_has_a_turn_after_it() -> None:
    roles = {name: name for name in ROLES}
    turns = upgrade.in_turn(list(roles), roles)
    for name in turns:
        needs = [n for n in needs_of(ROLES[name]) if not ROLES[n].boots_alone]
        assert all(turns.index(need) < turns.index(name) for need in needs)
