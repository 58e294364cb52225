"""Docker's health probes, which an engine that ended while its containers went on does not always take up again.

Seen with Docker 20.10 and its ``live-restore``: the health stays what it was, for ever. Pausing and continuing a
container starts its probes anew.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from hostside import docker_api

USUAL_NANOSECONDS = 30_000_000_000
"""Docker's interval and timeout, where a health check doesn't say."""


def resume(container: str) -> bool:
    """Have a container's probes started anew if they have been silent for too long; return whether they had."""
    found = docker_api.inspect(container)
    if found is None or not is_silent(found, datetime.datetime.now(datetime.UTC)):
        return False
    docker_api.pause(container)
    docker_api.unpause(container)
    return True


def is_silent(found: Mapping[str, Any], now: datetime.datetime) -> bool:
    """Say whether two probes in a row have not been made.

    Args:
        found: what the engine knows of the container.
        now: the time, with a time zone.
    """
    state, check = found["State"], found["Config"].get("Healthcheck")
    if not check or not state.get("Health") or state["Status"] != "running":
        return False
    interval, timeout = (int(check.get(key) or USUAL_NANOSECONDS) for key in ("Interval", "Timeout"))
    made = [state["StartedAt"], *(probe["End"] for probe in state["Health"].get("Log") or ())]
    return (now - max(datetime.datetime.fromisoformat(moment) for moment in made)).total_seconds() > 2 * (
        interval + timeout
    ) / 1e9
