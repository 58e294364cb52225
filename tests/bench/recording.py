"""What an ``up`` did and when: the engine's own events, and what waited for what from the stack's state."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.lab.harness import PROJECT, run

QUIET = ("same", "refresh", "read", "read-replacement", "discard", "discard-replaced")
"""Operations that do nothing to a resource."""
LOGICAL = ("replace",)
"""The announcement of a replacement, whose parts come as operations of their own."""


@dataclass(frozen=True)
class Step:
    """An operation on one resource, in seconds since the engine began."""

    urn: str
    begun: float
    ended: float
    failed: bool = False

    @property
    def seconds(self) -> float:
        """Return how long it took."""
        return self.ended - self.begun


@dataclass(frozen=True)
class Recording:
    """An ``up``, as far as it came."""

    steps: tuple[Step, ...]
    seconds: float
    """The whole of it, reading the program included."""
    dependencies: Mapping[str, frozenset[str]]
    """Resource to those that have to be there before it, by URN."""

    def critical_path(self) -> tuple[Step, ...]:
        """Return the steps that the last one waited for, each the last to end of what the next one needed."""
        by_urn: dict[str, Step] = {}
        for step in self.steps:
            if step.urn not in by_urn or step.ended > by_urn[step.urn].ended:
                by_urn[step.urn] = step
        if not by_urn:
            return ()
        path = [max(by_urn.values(), key=lambda step: step.ended)]
        while before := self._before(path[-1], by_urn):
            path.append(max(before, key=lambda step: step.ended))
        return tuple(reversed(path))

    def _before(self, step: Step, by_urn: Mapping[str, Step]) -> list[Step]:
        """Return the steps that a step waited for; what had nothing to do passes on what it depends on itself."""
        found, seen = [], {step.urn}
        ahead = list(self.dependencies.get(step.urn, ()))
        while ahead:
            urn = ahead.pop()
            if urn in seen:
                continue
            seen.add(urn)
            if urn in by_urn and by_urn[urn].ended <= step.begun + TOLERANCE:
                found.append(by_urn[urn])
            else:
                ahead.extend(self.dependencies.get(urn, ()))
        return found


TOLERANCE = 1.0
"""Events are stamped as they are read."""


def record(stack: str) -> Recording:
    """Bring a stack up and record it.

    Raises:
        AssertionError: when it doesn't come up.
    """
    begun = time.monotonic()
    with subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "--json", "--non-interactive", "--stack", stack],
        cwd=PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as engine:  # fmt: skip
        assert engine.stdout is not None
        stamped = [(time.monotonic() - begun, line) for line in engine.stdout]
    seconds = time.monotonic() - begun
    events = [(at, json.loads(line)) for at, line in stamped if line.startswith("{")]
    if engine.returncode != 0:
        said = "".join(line for _, line in stamped if not line.startswith("{"))
        told = complaints(event for _, event in events)
        raise AssertionError(f"pulumi up ended with {engine.returncode}\n{said}{told}")
    exported = json.loads(run("pulumi", "stack", "export", "--stack", stack).stdout)
    return Recording(tuple(steps(events)), seconds, dependencies(exported["deployment"].get("resources") or []))


def steps(events: Iterable[tuple[float, Mapping[str, Any]]]) -> list[Step]:
    """Return the operations in a stream of the engine's events, each with the second that it came at."""
    begun: dict[tuple[str, str], float] = {}
    found = []
    for at, event in events:
        for kind in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent"):
            if kind not in event:
                continue
            about = event[kind]["metadata"]
            key = (about["urn"], about["op"])
            if about["op"] in (*QUIET, *LOGICAL) or _is_component(about["urn"]):
                continue
            if kind == "resourcePreEvent":
                begun[key] = at
            elif key in begun:
                found.append(Step(about["urn"], begun.pop(key), at, kind == "resOpFailedEvent"))
    return found


def dependencies(resources: Sequence[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    """Return what each resource of a state depends on."""
    return {
        resource["urn"]: frozenset(
            {
                *resource.get("dependencies", ()),
                *(urn for urns in (resource.get("propertyDependencies") or {}).values() for urn in urns or ()),
            }
        )
        for resource in resources
    }


def complaints(events: Iterable[Mapping[str, Any]]) -> str:
    """Return the errors that the engine told of."""
    told = [event["diagnosticEvent"] for event in events if "diagnosticEvent" in event]
    return "".join(str(each["message"]) for each in told if each["severity"] == "error")


def _is_component(urn: str) -> bool:
    kind = urn.split("::")[2].split("$")[-1]
    return kind.startswith(("dockstack:", "pulumi:"))
