"""The program that makes the demo: in which order, and whose objects it leaves alone."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from openstack.exceptions import ConflictException, NotFoundException

from components import paths

IMAGE = {"name": "guest", "disk": "one"}
NETWORK = {"name": "demo", "cidr": "192.168.77.0/24"}
ROUTER = {"name": "demo"}


@pytest.fixture
def program() -> ModuleType:
    path = paths.DOCKERFILES / "guest/demo"
    module = ModuleType("demo_program")
    exec(compile(path.read_text(), str(path), "exec"), module.__dict__)
    return module


@pytest.fixture
def said(program: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what the program does, recorded instead of done; its logging in does nothing."""
    done: list[str] = []

    class Recorded:
        doing = "removing network demo"

        def __init__(self, _login: dict[str, str]) -> None:
            pass

        def make(self, kind: str, wanted: dict[str, Any]) -> None:
            done.append(f"make {kind} {wanted.get('disk', '')}".strip())

        def remove(self, kind: str, made: dict[str, Any]) -> None:
            done.append(f"remove {kind} {made.get('disk', '')}".strip())

    monkeypatch.setattr(program, "Demo", Recorded)
    return done


def order(wanted: dict[str, Any], *made: dict[str, Any]) -> dict[str, Any]:
    return {"login": {}, "wanted": wanted, "made": list(made)}


def test_what_depends_on_others_is_made_after_them_and_removed_before_them(
    program: ModuleType, said: list[str]
) -> None:
    everything = {"router": ROUTER, "network": NETWORK, "image": IMAGE}
    program.apply(order(everything, everything))
    assert sorted(said) == ["make image one", "make network", "make router"]
    assert said.index("make network") < said.index("make router")
    said.clear()
    program.apply(order({}, everything))
    assert said == ["remove router", "remove network", "remove image one"]


def test_only_what_is_no_longer_wanted_as_it_was_is_removed(program: ModuleType, said: list[str]) -> None:
    program.apply(order({"network": {**NETWORK, "cidr": "192.168.78.0/24"}}, {"network": NETWORK, "router": ROUTER}))
    assert said == ["remove router", "remove network", "make network"]


def test_a_new_disk_takes_the_place_of_the_old_one(program: ModuleType, said: list[str]) -> None:
    program.apply(order({"image": {**IMAGE, "disk": "two"}}, {"image": IMAGE}))
    assert said == ["make image two"]


def test_openstacks_words_are_shown_and_no_traceback(
    program: ModuleType, said: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise ConflictException(details="There are one or more ports still in use on the network.")

    monkeypatch.setattr(program.Demo, "remove", refuse)
    assert program.apply(order({}, {"network": NETWORK})) == 1
    shown = capsys.readouterr().err
    assert shown == "removing network demo: There are one or more ports still in use on the network.\n"


def test_what_one_service_refuses_is_told_and_the_others_have_theirs(
    program: ModuleType, said: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def make(demo: Any, kind: str, wanted: dict[str, Any]) -> None:
        demo.doing = f"making {kind} {wanted['name']}"
        if kind == "network":
            raise ConflictException(details="Quota exceeded for resources: ['network'].")
        said.append(kind)

    monkeypatch.setattr(program.Demo, "make", make)
    key = {"name": "demo-key"}
    assert program.apply(order({"image": IMAGE, "key": key, "network": NETWORK, "router": ROUTER})) == 1
    assert capsys.readouterr().err == "making network demo: Quota exceeded for resources: ['network'].\n"
    assert sorted(said) == ["image", "key"]


@pytest.mark.parametrize("own", [True, False])
def test_a_users_network_of_the_same_name_is_left_alone(program: ModuleType, own: bool) -> None:
    deleted: list[Any] = []
    found = SimpleNamespace(description=program.MARK if own else "mine")
    network = SimpleNamespace(networks=lambda **_: [found], delete_network=deleted.append)
    demo = program.Demo.__new__(program.Demo)
    demo.cloud, demo.project = SimpleNamespace(network=network), "admin"
    assert demo.remove_network(NETWORK) is own
    assert deleted == ([found] if own else [])


@pytest.mark.parametrize("own", [True, False])
def test_a_key_is_removed_only_if_it_is_the_demos(program: ModuleType, own: bool) -> None:
    deleted: list[Any] = []
    found = SimpleNamespace(public_key="ssh-ed25519 AAAA demo-key" if own else "ssh-ed25519 BBBB mine")
    compute = SimpleNamespace(find_keypair=lambda _: found, delete_keypair=deleted.append)
    demo = program.Demo.__new__(program.Demo)
    demo.cloud = SimpleNamespace(compute=compute)
    assert demo.remove_key({"name": "demo-key", "public": "ssh-ed25519 AAAA demo-key"}) is own
    assert deleted == ([found] if own else [])


def test_what_was_made_in_a_service_that_is_gone_is_gone_too(program: ModuleType) -> None:
    demo = program.Demo.__new__(program.Demo)
    demo.cloud = SimpleNamespace(has_service=lambda _: False)
    demo.remove("router", ROUTER)
    assert demo.doing == "removing router demo"


def test_what_neutron_knows_no_kind_of_needs_no_removal(program: ModuleType) -> None:
    def unknown(**_: str) -> list[Any]:
        raise NotFoundException(details="The resource could not be found.")

    demo = object.__new__(program.Demo)
    demo.project = "a project"
    network = SimpleNamespace(routers=unknown, delete_router=None)
    demo.cloud = SimpleNamespace(network=network, has_service=lambda _: True)
    demo.remove("router", {"name": "demo", "inside": "demo", "outside": "provider"})
