"""A host that is gone for good leaves a stack's state, and nothing in the rest of it speaks of it any more."""

from __future__ import annotations

from typing import Any

from commands.forget import of_host, without

STACK = "urn:pulumi:lab::dockstack::"
LAB = f"{STACK}dockstack:index:Lab::lab"
SERVICE = "dockstack:index:Lab$dockstack:index:ServiceContainer"


def urn(kind: str, name: str) -> str:
    return f"{STACK}dockstack:index:Lab${kind}::{name}"


def of(host: str) -> list[dict[str, Any]]:
    """Return what a state holds of a host with one container."""
    group = urn("dockstack:index:ContainerHost", host)
    docker, tool = (
        urn("dockstack:index:ContainerHost$pulumi:providers:docker", f"{host}-docker"),
        urn("dockstack:index:ContainerHost$command:remote:Command", f"{host}-tool"),
    )
    bridge, service = urn("command:remote:Command", f"{host}-br"), f"{STACK}{SERVICE}::c-{host}"
    container = f"{STACK}{SERVICE}$docker:index/container:Container::c-{host}"
    hook = f"{STACK}{SERVICE}$command:remote:Command::c-{host}-pre-creation-1"
    provider = f"{docker}::4711"
    return [
        {"urn": group, "parent": LAB},
        {"urn": docker, "custom": True, "parent": group},
        {"urn": tool, "custom": True, "parent": group},
        {"urn": bridge, "custom": True, "parent": LAB, "dependencies": [tool]},
        {"urn": service, "parent": LAB},
        {"urn": hook, "custom": True, "parent": service, "dependencies": [bridge]},
        {"urn": container, "custom": True, "parent": service, "provider": provider, "dependencies": [bridge, hook]},
    ]


def registration(host: str, on: str) -> dict[str, Any]:
    """Return the entry of a host's container at a Puppet server on another."""
    container = f"{STACK}{SERVICE}$docker:index/container:Container::c-{host}"
    tool = urn("dockstack:index:ContainerHost$command:remote:Command", f"{on}-tool")
    return {
        "urn": f"{STACK}{SERVICE}$command:remote:Command::c-{host}-registration",
        "custom": True,
        "parent": f"{STACK}{SERVICE}::c-{host}",
        "dependencies": [container, tool],
        "propertyDependencies": {"stdin": [container], "create": None},
        "deletedWith": container,
    }


RESOURCES = [{"urn": LAB}, *of("one"), *of("two"), registration("two", "one")]


def test_all_of_a_host_is_found_and_nothing_of_another() -> None:
    gone = of_host(RESOURCES, "two")
    kept = {r["urn"] for r in of("two")} - gone
    # The container's entry on the other host is still a child of this one.
    assert kept == {f"{STACK}{SERVICE}::c-two"}
    assert not gone & {r["urn"] for r in [*of("one"), registration("two", "one")]}
    assert of_host(RESOURCES, "three") == frozenset()


def test_what_is_left_speaks_of_nothing_that_is_gone() -> None:
    gone = of_host(RESOURCES, "two")
    left = without(RESOURCES, gone)
    (entry,) = (r for r in left if r["urn"].endswith("c-two-registration"))
    assert "deletedWith" not in entry
    assert entry["propertyDependencies"] == {"stdin": [], "create": []}
    assert not any(urn in str(left) for urn in gone)


def test_a_container_goes_with_its_group_where_no_other_host_has_anything_of_it() -> None:
    gone = of_host([{"urn": LAB}, *of("one"), *of("two")], "two")
    assert gone == {r["urn"] for r in of("two")}
