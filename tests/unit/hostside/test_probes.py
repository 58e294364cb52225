"""Health probes that an engine has forgotten to make."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from hostside import docker_api, probes

NOW = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
CHECK = {"Interval": 20_000_000_000, "Timeout": 5_000_000_000}


def container(*probed: str, check: dict[str, int] | None = CHECK, status: str = "running") -> dict[str, Any]:
    """Return what the engine knows of a container that was started an hour ago and was probed at some moments."""
    health = {"Status": "healthy", "Log": [{"Start": moment, "End": moment} for moment in probed]}
    state = {"Status": status, "StartedAt": "2026-11-23T11:00:00.357949217Z", "Health": health}
    return {"State": state, "Config": {"Healthcheck": check} if check else {}}


@pytest.mark.parametrize(
    ("found", "silent"),
    [
        (container("2026-11-23T11:59:50.705237423Z"), False),
        (container("2026-11-23T11:59:11Z", "2026-11-23T11:59:11.5Z"), False),
        (container("2026-11-23T11:50:00Z", "2026-11-23T11:59:09.9Z"), True),
        # An engine tells its own zone's time.
        (container("2026-11-23T12:59:50.705237423+01:00"), False),
        (container("2026-11-23T12:50:00.705237423+01:00"), True),
        (container(), True),
        (container("2026-11-23T11:58:01Z", check={"Interval": 0}), False),
        (container("2026-11-23T11:57:59Z", check={"Interval": 0}), True),
        (container("2026-11-23T11:50:00Z", check=None), False),
        (container("2026-11-23T11:50:00Z", status="paused"), False),
    ],
)
def test_two_probes_that_were_not_made_are_a_silence(found: dict[str, Any], silent: bool) -> None:
    assert probes.is_silent(found, NOW) is silent


def test_a_container_that_is_not_there_or_has_no_health_yet_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_api, "pause", lambda _name: pytest.fail("paused"))
    monkeypatch.setattr(docker_api, "inspect", lambda _name: None)
    assert not probes.resume("galera1")
    monkeypatch.setattr(docker_api, "inspect", lambda _name: {"State": {"Status": "running"}, "Config": {}})
    assert not probes.resume("galera1")


def test_a_silent_container_is_paused_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(docker_api, "inspect", lambda _name: container())
    monkeypatch.setattr(docker_api, "pause", lambda name: calls.append(f"pause {name}"))
    monkeypatch.setattr(docker_api, "unpause", lambda name: calls.append(f"unpause {name}"))
    assert probes.resume("galera1")
    assert calls == ["pause galera1", "unpause galera1"]
