"""Whether a compute, an agent or a service has reported since its container was started, by what its API says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.scripts import load

STARTED = datetime(2026, 5, 4, 12, 30, 15, 250_000, tzinfo=UTC)
AGENT = "neutron-openvswitch-agent"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    return load("nova/bin/openstack_api.py", monkeypatch)


class Cloud:
    """Answers as Nova and Neutron do, of a compute that reported at one moment to both."""

    def __init__(self, moment: datetime | None, *, alive: bool = True) -> None:
        self.urls = {"compute": "", "network": ""}
        self._moment = moment
        self._alive = alive

    def ask(self, _method: str, service: str, path: str, **_: str) -> Any:
        if service == "volumev3":
            when = self._moment and self._moment.strftime("%Y-%m-%dT%H:%M:%S.000000")
            names = ("cinder-scheduler", "cinder-volume", "cinder-backup")[: 3 if self._alive else 1]
            return {"services": [{"binary": name, "state": "up", "updated_at": when} for name in names]}
        if service == "network":
            when = self._moment and self._moment.strftime("%Y-%m-%d %H:%M:%S")
            return {"agents": [{"binary": AGENT, "alive": self._alive, "heartbeat_timestamp": when}]}
        if path.startswith("/os-services"):
            when = self._moment and self._moment.strftime("%Y-%m-%dT%H:%M:%S.000000")
            return {"services": [{"state": "up", "updated_at": when}]}
        return {"hypervisors": [{"service": {"host": "compute1"}}]}


def test_a_report_of_this_life_counts(script: Any) -> None:
    cloud = Cloud(STARTED + timedelta(seconds=1))
    assert script.missing(cloud, "compute1", STARTED) == ""
    assert script.silent_agents(cloud, "compute1", {AGENT}, STARTED) == ""


@pytest.mark.parametrize("moment", [STARTED - timedelta(seconds=20), None])
def test_a_report_of_an_earlier_life_does_not_count(script: Any, moment: datetime | None) -> None:
    cloud = Cloud(moment)
    assert script.missing(cloud, "compute1", STARTED) == "Nova has not heard of compute1 since it was started"
    assert script.silent_agents(cloud, "compute1", {AGENT}, STARTED) == f"Neutron does not hear of {AGENT} on compute1"


def test_any_report_counts_for_one_that_does_not_know_when_the_other_started(script: Any) -> None:
    assert script.missing(Cloud(STARTED), "compute1") == ""
    silent = script.silent_agents(Cloud(STARTED, alive=False), "compute1", {AGENT})
    assert silent == f"Neutron does not hear of {AGENT} on compute1"


def test_a_compute_is_mapped_once_nova_lists_its_hypervisor(script: Any) -> None:
    assert script.mapped(Cloud(STARTED), "compute1")
    assert not script.mapped(Cloud(STARTED), "compute2")


def test_cinder_is_ready_once_each_of_its_services_has_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = load("cinder/bin/cinder-ready", monkeypatch).silent_services
    since, before = STARTED + timedelta(seconds=1), STARTED - timedelta(seconds=20)
    assert silent(Cloud(since), STARTED) == ""
    assert silent(Cloud(since, alive=False), STARTED) == "Cinder does not hear of cinder-backup, cinder-volume"
    assert silent(Cloud(before), STARTED) == "Cinder does not hear of cinder-backup, cinder-scheduler, cinder-volume"
