"""Hook scripts: on the container's host, in the order that they are given, around the container's life."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from tests.unit.graph_recorder import Graph, Resource, container, record_lab

HOOKS = {
    "preCreation": ["echo a1", "echo a2"],
    "postCreation": ["echo b1", "echo b2"],
    "preDestroy": ["echo c1", "echo c2"],
    "postDestroy": ["echo d1", "echo d2"],
}


def hooked(name: str, **changes: Any) -> Graph:
    return record_lab(container(name, hooks=HOOKS, **changes))


def script(graph: Graph, key: str, text: str) -> Resource:
    found = [r for r in graph.commands() if r.inputs.get(key) == text]
    assert len(found) == 1, f"{key} {text}: {found}"
    return found[0]


def in_order(graph: Graph, *chain: Resource) -> bool:
    return all(graph.comes_before(first, then) for first, then in pairwise(chain))


def test_pre_creation_scripts_run_in_order_before_the_container_is_made() -> None:
    graph = hooked("galera1")
    assert in_order(
        graph, script(graph, "create", "echo a1"), script(graph, "create", "echo a2"), graph.container("galera1")
    )


def test_post_creation_scripts_run_in_order_once_the_container_is_healthy() -> None:
    graph = hooked("galera1")
    health = graph.the("health-await", container="galera1")
    assert in_order(graph, health, script(graph, "create", "echo b1"), script(graph, "create", "echo b2"))


def test_post_creation_scripts_of_a_plain_container_run_once_it_is_attached() -> None:
    graph = hooked("plain1")
    port = graph.the("port-attach", container="plain1")
    assert in_order(graph, port, script(graph, "create", "echo b1"), script(graph, "create", "echo b2"))


def test_pre_destroy_scripts_run_in_order_before_the_container_goes() -> None:
    graph = hooked("galera1")
    # What is made later is destroyed earlier.
    assert in_order(
        graph, graph.container("galera1"), script(graph, "delete", "echo c2"), script(graph, "delete", "echo c1")
    )


def test_post_destroy_scripts_run_in_order_after_the_container_has_gone() -> None:
    graph = hooked("galera1")
    assert in_order(
        graph, script(graph, "delete", "echo d2"), script(graph, "delete", "echo d1"), graph.container("galera1")
    )


def test_a_script_does_one_thing_only() -> None:
    graph = hooked("plain1")
    for texts in HOOKS.values():
        for text in texts:
            found = [r for r in graph.commands() if text in (r.inputs.get("create"), r.inputs.get("delete"))]
            assert len(found) == 1
            assert not found[0].inputs.keys() >= {"create", "delete"}


def test_a_new_container_runs_the_scripts_around_its_life_again() -> None:
    graph = hooked("plain1")
    again = [script(graph, "create", "echo b1"), script(graph, "create", "echo b2")]
    again += [script(graph, "delete", "echo c1"), script(graph, "delete", "echo c2")]
    assert all(r.inputs["triggers"] == ["plain1-id"] for r in again)


def test_a_container_without_hooks_has_no_script(lab: Graph) -> None:
    assert all(r.operation() for r in lab.commands() if r.name != "local-tool" and not r.name.startswith("secret-"))
