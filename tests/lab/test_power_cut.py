"""What a power cut ends in the middle of a Puppet run or of a destroy, the next command finishes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.harness import (
    Make,
    config,
    cut_power,
    eventually,
    has_changed_something,
    inside,
    inventory,
    left_since,
    long_drill,
    made_so_far,
    run,
)

pytestmark = [pytest.mark.lab, pytest.mark.drill]

RUN_SECONDS = 600


def small(number: int) -> dict[str, Any]:
    """Return the configuration of the smallest lab with a Puppet run."""
    roles = {"dns": "dnsmasq", "puppet": "puppet", "cache": "memcached"}
    return config(number, {f"t{number}-{name}": {"role": role} for name, role in roles.items()})


def is_running_puppet(container: str) -> bool:
    return run("docker", "exec", container, "pgrep", "-f", "puppet agent --onetime", check=False).returncode == 0


@long_drill
@pytest.mark.parametrize("moment", [has_changed_something, is_running_puppet])
def test_a_puppet_run_that_lost_its_power_is_finished_by_the_next_up(
    stack: Make, moment: Callable[[str], bool]
) -> None:
    made = stack("t33", small(33))
    process = made.start_up()
    eventually("the Puppet run is there", lambda: moment("t33-cache"), RUN_SECONDS, 0.05)
    cut_power(made, process)
    since = time.monotonic()
    made.up()
    print(f"power cut when a Puppet run {moment.__name__}: up took {time.monotonic() - since:.1f} s")
    made.preview("--expect-no-changes")
    assert "STAT pid" in inside("t33-dns", "sh", "-c", "printf 'stats\\nquit\\n' | nc -w 5 t33-cache 11211")


@long_drill
@pytest.mark.parametrize("gone", [0, 1, 3])
def test_a_destroy_that_lost_its_power_is_finished_by_the_next(stack: Make, gone: int) -> None:
    before = inventory()
    made = stack("t31", small(31))
    made.up()
    count = made_so_far(made.name)
    process = made.start_destroy()
    assert process.stdout
    assert any("deleting" in line for line in process.stdout)
    eventually("containers go", lambda: made_so_far(made.name) <= count - gone, interval=0.01)
    cut_power(made, process)
    since = time.monotonic()
    made.destroy()
    print(f"power cut in destroy with {gone} containers gone: destroy took {time.monotonic() - since:.1f} s")
    assert left_since(before) == {}
