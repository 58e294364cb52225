"""Which queues go with a container whose programs heard them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.scripts import load

CINDER = [
    "cinder-scheduler",
    "cinder-scheduler.cinder",
    "cinder-scheduler_fanout_0a",
    "cinder-volume.cinder@rbd",
    "cinder-volume.cinder@rbd.cinder",
    "cinder-volume.cinder@rbd_fanout_0b",
    "cinder-volume_fanout_0c",
]
COMPUTES = {
    "compute": 1,
    "compute.compute1": 0,
    "compute.compute2": 1,
    "compute_fanout_0d": 0,
    "compute_fanout_0e": 1,
    "neutron-vo-Subnet-1.2": 2,
    "neutron-vo-Subnet-1.2.compute1": 0,
    "neutron-vo-Subnet-1.2.compute10": 0,
}
OTHERS = {"scheduler": 1, "scheduler.nova1": 1, "reply_0f": 0, "a-user's": 0}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    return load("rabbitmq/bin/remove-queues", monkeypatch)


def gone(script: Any, consumers: dict[str, int], *hosts: str) -> list[str]:
    queues = [{"name": name, "consumers": count} for name, count in consumers.items()]
    return sorted(queue["name"] for queue in script.gone(queues, hosts))


def test_all_queues_of_the_last_program_go(script: Any) -> None:
    queues = dict.fromkeys(CINDER, 0) | COMPUTES | OTHERS
    assert gone(script, queues, "cinder", "cinder1", "cinder1.lab.test") == CINDER


def test_what_another_hears_stays(script: Any) -> None:
    left = gone(script, COMPUTES | OTHERS, "compute1", "compute1.lab.test")
    assert left == ["compute.compute1", "compute_fanout_0d", "neutron-vo-Subnet-1.2.compute1"]


def test_what_is_called_after_a_hosts_program_goes_with_it(script: Any) -> None:
    """So are queues of several brokers."""
    own = ["conductor_fanout_nova1:nova-conductor:3", "reply_nova1:nova-api:2"]
    others = ["conductor_fanout_nova10:nova-conductor:3", "reply_nova2:nova-api:1", "reply_nova1x:nova-api:1"]
    heard = {"reply_nova1:nova-scheduler:1": 1}
    assert gone(script, dict.fromkeys([*own, *others], 0) | heard, "nova1", "nova1.lab.test") == own


def test_a_host_that_heard_nothing_takes_nothing_along(script: Any) -> None:
    assert gone(script, dict.fromkeys(CINDER, 0) | OTHERS, "nova1") == []
