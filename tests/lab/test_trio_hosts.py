"""The whole OpenStack over three hosts, as examples/Pulumi.ha-hosts.yaml has it; one loses its power, or its cable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import drill, drills, loss_table, places
from tests.bench import memory
from tests.lab import cloud as clouds
from tests.lab.harness import OF_LABS, Stack, brought_up, eventually, example, left_since, long_drill, run
from tests.lab.hosts import Host, hosts

pytestmark = [pytest.mark.lab, pytest.mark.drill, long_drill]

STACK = "t184"
MOST_MIB = 22 * 1024
OFF_SECONDS = 60.0
"""How long a host stays without power, or without its cable."""
AWAY_SECONDS = 40.0
"""What no API may be away for meanwhile: well below the time that the host is."""
BACK_BY = "its power, then Docker and the keeper"


def given(others: dict[str, Host]) -> dict[str, Any]:
    """Return the example's configuration on hosts of ours, under names of the test's own."""
    networks = (("10.88.6.", "10.86.184."), ("10.88.7.", "10.86.185."))
    names = (("br-spread", f"br-{STACK}"), ("spread.lab", f"{STACK}.lab"), (" spread-", f" {STACK}-"))
    found = example("examples/Pulumi.ha-hosts.yaml", *networks, *names)
    assert found["containerHosts"].keys() == {"local", *others}
    found["containerHosts"].update({name: {"ssh": host.ssh} for name, host in others.items()})
    return found


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Host]]:
    """Switch the two hosts on that the example has beside this machine."""
    with hosts(tmp_path_factory.mktemp("hosts"), "dsh-host2", "dsh-host3") as (second, third):
        yield {"host2": second, "host3": third}


@pytest.fixture(scope="module")
def made(
    others: dict[str, Host], before: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Bring it up; nothing is left of it on any host at the end."""
    clean = {name: host.inventory() for name, host in others.items()}
    with brought_up(STACK, tmp_path_factory.mktemp("stacks"), given(others)) as made:
        yield made
    assert {name: host.inventory() for name, host in others.items()} == clean
    assert left_since(before, OF_LABS) == {}


@pytest.fixture(scope="module")
def spread(made: Stack) -> Iterator[drill.Lab]:
    """The stack as `make drill` sees it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULUMI_OPTION_CONFIG_FILE", made.owners_env["PULUMI_OPTION_CONFIG_FILE"])
        outputs = made.outputs()
        yield drill.Lab(STACK, outputs, places.elsewhere(STACK, outputs))


def test_nothing_is_left_to_do(made: Stack) -> None:
    made.preview("--expect-no-changes")
    made.make("status")


def test_a_guest_is_reached_and_all_fits_into_the_machine(made: Stack, others: dict[str, Host], tmp_path: Path) -> None:
    cloud = clouds.connect(made.outputs()["openrc"])
    with clouds.guest(cloud, "spread-guest", tmp_path, floating=True) as guest:
        guest.await_ssh()
        held = [sum(memory.measure(STACK, on).values()) for on in (run, *(host.command for host in others.values()))]
        print(f"\nGiB with a guest, by host: {', '.join(f'{each / 1024:.1f}' for each in held)}")
        assert sum(held) < MOST_MIB
    assert all(router.is_ha for router in cloud.network.routers())


@pytest.mark.parametrize("name", ["host2", "host3"])
def test_a_host_without_power_is_missed_by_nobody_for_long(
    spread: drill.Lab, others: dict[str, Host], name: str
) -> None:
    host = others[name]
    lost = drills.Drill(
        f"power-{name}",
        f"power of {name}, for {OFF_SECONDS:.0f} s",
        BACK_BY,
        host.cut_power,
        host.switch_on,
        OFF_SECONDS,
    )
    assert _away_for_long(_lose(spread, lost)) == {}


def test_a_host_without_its_cable_is_missed_by_nobody_for_long(spread: drill.Lab, others: dict[str, Host]) -> None:
    host = others["host3"]
    lost = drills.Drill(
        "cable-host3",
        f"cable of host3, for {OFF_SECONDS:.0f} s",
        drills.BY_DRILL,
        host.unplug,
        host.plug_in,
        OFF_SECONDS,
    )
    assert _away_for_long(_lose(spread, lost)) == {}


def _lose(spread: drill.Lab, lost: drills.Drill) -> loss_table.Result:
    """Lose something once all works, and return what became of it: nothing acknowledged is lost, and all comes back."""
    eventually("all works", lambda: not spread.faults(), interval=1)
    result = drill.run(spread, lost)
    print(f"\n{loss_table.line(result.cells())}", flush=True)
    assert result.well
    return result


def _away_for_long(result: loss_table.Result) -> dict[str, float]:
    return {each.target: each.away for each in result.outcomes if each.away > AWAY_SECONDS}


def test_all_that_are_killed_at_once_come_back_without_a_hand(spread: drill.Lab) -> None:
    (found,) = drills.chosen(drills.POWER_CUT, STACK, spread.outputs, spread.hosts)
    _lose(spread, found)
