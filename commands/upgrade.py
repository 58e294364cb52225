"""``make upgrade``: an ``up`` that replaces one service's container after the other.

A plain ``up`` replaces all containers whose image has changed at once, which is quicker, and leaves a lab without any
API meanwhile. Here each service is back in health before the next one goes, so that only the one whose turn it is, and
what needs it, does not answer. Images are built before the first container goes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any

from commands.cleanup import CONTAINER
from components import paths
from components.outputs import outputs_of
from components.services import ROLES, needs_of

IMAGES = "**::*-image-**"


def main(stack: str) -> int:
    """Bring a stack to its configuration service by service; what it was interrupted in, the next one goes on with.

    Returns:
        0, or the status of the ``pulumi`` command that failed.
    """
    outputs = outputs_of(stack)
    if outputs is None:
        print(f"make upgrade: stack {stack} is not up. Fix: Bring it up with `make lab`.", file=sys.stderr)
        return 1
    try:
        _up(stack, [IMAGES])
        steps = json.loads(_pulumi("preview", stack, "--json", stdout=subprocess.PIPE))["steps"]
        turns = in_turn(replaced(steps), {name: service["role"] for name, service in outputs["services"].items()})
        for number, name in enumerate(turns, 1):
            print(f"\nUpgrade {number} of {len(turns)}: {name}", flush=True)
            _up(stack, [f"**::{name}", f"**::{name}-*"])
        _up(stack, [])
    except subprocess.CalledProcessError as error:
        print("make upgrade: not finished. To go on where it stopped: make upgrade", file=sys.stderr)
        return error.returncode
    return 0


def replaced(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the containers that a preview's steps would replace."""
    urns = [step["urn"].split("::") for step in steps if step["op"] == "replace"]
    return [urn[-1] for urn in urns if urn[2].split("$")[-1] == CONTAINER]


def in_turn(names: Sequence[str], roles: Mapping[str, str]) -> list[str]:
    """Return containers in the order of their upgrade: each service after those that it needs.

    Those without a Puppet run aren't among them, the keeper neither: nobody's API goes through them.

    Args:
        names: the containers.
        roles: the role of each of the lab's containers, by name.
    """
    graph = {
        role.name: [need for need in needs_of(role) if not ROLES[need].boots_alone]
        for role in ROLES.values()
        if role.provisioned
    }
    order = list(TopologicalSorter(graph).static_order())
    known = [name for name in names if roles.get(name) in order]
    return sorted(known, key=lambda name: (order.index(roles[name]), name))


def _up(stack: str, targets: Sequence[str]) -> None:
    _pulumi("up", stack, "--yes", "--skip-preview", *(word for target in targets for word in ("--target", target)))


def _pulumi(command: str, stack: str, *options: str, stdout: int | None = None) -> str:
    done = subprocess.run(
        ["pulumi", command, "--stack", stack, *options], cwd=paths.PROJECT, text=True, stdout=stdout, check=True
    )
    return done.stdout or ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
