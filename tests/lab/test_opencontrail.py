"""The whole system of 2015 as Pulumi.opencontrail.yaml has it, OpenStack and OpenSDN, on stand-ins for the latter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench import memory
from tests.lab import cloud as clouds
from tests.lab.harness import OF_LABS, Stack, brought_up, example, left_since, long_drill
from tests.standins import images

pytestmark = [pytest.mark.lab, pytest.mark.drill, long_drill]

STACK = "t184"
MOST_MIB = 20 * 1024


def given() -> dict[str, Any]:
    """Return the stack's configuration under names of the test's own, with the stand-ins' registry."""
    networks = (("10.91.0.", "10.86.184."), ("10.91.1.", "10.86.185."))
    names = (("br-oc", f"br-{STACK}"), ("opencontrail.lab", f"{STACK}.lab"), (" oc-", f" {STACK}-"))
    return example("Pulumi.opencontrail.yaml", *networks, *names) | {"opensdn": images.build(), "demo": True}


@pytest.fixture(scope="module")
def made(before: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Bring it up; nothing is left of it at the end."""
    with brought_up(STACK, tmp_path_factory.mktemp("stacks"), given()) as made:
        yield made
    assert left_since(before, OF_LABS) == {}


def works(made: Stack) -> None:
    """Nothing is left to do, and nothing is broken."""
    made.preview("--expect-no-changes")
    made.make("status")


def test_both_halves_work_and_fit_into_the_machine(made: Stack, tmp_path: Path) -> None:
    works(made)
    cloud = clouds.connect(made.outputs()["openrc"])
    assert cloud.session.get_endpoint(service_type="sdn", interface="public") == f"https://vip.{STACK}.lab:8082"
    with clouds.guest(cloud, "opencontrail-guest", tmp_path, floating=True) as guest:
        guest.await_ssh()
        held = memory.measure(STACK)
    print(f"\nwith a guest: {sum(held.values()) / 1024:.1f} GiB")
    assert sum(held.values()) < MOST_MIB


def test_its_networks_become_those_of_opensdn(made: Stack) -> None:
    """The demo's own networks go before, the compute, whose guests they join, with them."""
    wanted = given()
    wanted["common"] |= {"networking": "opensdn", "mayLose": [f"{STACK}-compute1"]}
    del wanted["provider"], wanted["containers"][f"{STACK}-compute1"]
    made.configure(wanted)
    made.up()
    works(made)
    network = clouds.connect(made.outputs()["openrc"]).network
    assert not list(network.networks())
    network.delete_network(network.create_network(name="joined"))
