"""Containers that an interrupted ``up`` or a lost state left behind, which the next ``up`` would stumble over.

Docker refuses a second container of the same name, so one that the engine made but Pulumi didn't get to record has
to go first. Everything else that a stage makes can be made again over what is there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from components import paths
from hostside import engine


def clear_unrecorded(stack: str) -> list[str]:
    """Remove this host's containers of a stack that the stack's state doesn't know; return their names.

    The state is asked only where the stack has containers, so a first ``up`` doesn't pay for it.

    Raises:
        subprocess.CalledProcessError: when Pulumi can't tell the state.
    """
    try:
        listed = engine.containers(stack)
    except engine.EngineError:
        # The configuration's check says that the engine doesn't answer, and what to do.
        return []
    recorded = _recorded(stack) if listed else frozenset()
    return [_remove(summary) for summary in listed if summary["Id"] not in recorded]


def _recorded(stack: str) -> frozenset[str]:
    exported = subprocess.run(
        ["pulumi", "stack", "export", "--stack", stack], cwd=paths.PROJECT, capture_output=True, text=True, check=True
    )
    state: dict[str, Any] = json.loads(exported.stdout)
    resources = state.get("deployment", {}).get("resources") or []
    return frozenset(r["id"] for r in resources if r.get("type") == "docker:index/container:Container" and "id" in r)


def _remove(summary: dict[str, Any]) -> str:
    name = str(summary["Names"][0]).lstrip("/")
    print(f"{name}: a container that an interrupted run left behind; removing it", file=sys.stderr, flush=True)
    engine.remove(summary["Id"])
    return name


if __name__ == "__main__":
    clear_unrecorded(sys.argv[1])
