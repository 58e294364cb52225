"""``make graph``: a lab as a picture, from its configuration alone; with ``CHANGE=1``, what an update would do to it.

The picture is SVG, laid out by Graphviz, or Mermaid's text, which many sites draw by themselves. Nothing has to run for
it; a change is what `pulumi preview` plans.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from commands import stack_file
from commands.cleanup import CONTAINER
from components import drawing, foresight, paths, refusal, services
from components.configuration import environment
from components.configuration.faults import ConfigurationFaults
from components.consequences import Change, warnings
from components.drawing import Picture
from components.recorded import role_of
from components.services.topology import Topology
from hostside.present import read_by_supervisord
from hostside.process import CommandFailed

REPLACED, CREATED, DELETED = "replace", "create", "delete"
PROVISIONING, FILES = "-provisioning", "-files"
"""What the resources of a container's Puppet run and of its rendered files are called by, behind its name."""
DONE_AGAIN = frozenset({"create", "update", "replace"})


def main(arguments: list[str]) -> int:
    """Print a picture of a stack, or write it to a file.

    Returns:
        0, or 1 with what is wrong on standard error.
    """
    parser = argparse.ArgumentParser(prog="make graph", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("--format", default="svg", choices=sorted(drawing.FORMATS))
    parser.add_argument("--file", type=Path)
    parser.add_argument("--change", action="store_true")
    given = parser.parse_args(arguments)
    try:
        lab, _ = environment.load(
            stack_file.read(given.stack), stack=given.stack, roles=services.facts(), base_dir=paths.PROJECT
        )
        picture = Picture(Topology(lab, services.for_lab(lab)))
        if given.change:
            picture = changed(picture, previewed(given.stack))
        text = drawing.FORMATS[given.format](picture)
    except (ConfigurationFaults, ValueError, CommandFailed) as error:
        print(f"make graph: {error}", file=sys.stderr)
        return 1
    for sentence in picture.warnings:
        print(f"make graph: this change {sentence}", file=sys.stderr)
    if given.file:
        given.file.write_text(text)
    else:
        print(text, end="")
    return 0


def previewed(stack: str) -> list[dict[str, Any]]:
    """Return the steps of a stack's next update.

    Raises:
        ValueError: when Pulumi can't tell.
    """
    command = ["pulumi", "preview", "--stack", stack, "--json"]
    done = subprocess.run(command, cwd=paths.PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"no preview of stack {stack}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return list(json.loads(done.stdout).get("steps") or ())


def changed(picture: Picture, steps: Sequence[Mapping[str, Any]]) -> Picture:
    """Return the picture of a lab with what the steps of a preview do to it."""
    change, roles = planned(steps)
    before = {name: role for name, role in roles.items() if name not in change.added}
    stack, lab, known = picture.lab.stack, picture.lab, picture.topology.roles
    there = foresight.everywhere(stack, Path(paths.stack_directory(stack)), lab)
    told = foresight.moved(there.present.vips, str(lab.vip))
    told += warnings(change, before, known, there.present.holder)
    told += [each.sentence(lab.may_lose) for each in refusal.found(there.recorded, lab, known)]
    gone = {name: role for name, role in roles.items() if name in change.removed}
    return Picture(picture.topology, change, gone, tuple(told))


def planned(steps: Sequence[Mapping[str, Any]]) -> tuple[Change, dict[str, str]]:
    """Return the change that a preview's steps make, and the role of each container that there is or will be.

    Args:
        steps: as `pulumi preview --json` tells them.
    """
    sets: dict[str, set[str]] = {each: set() for each in ("added", "removed", "replaced", "restarted", "provisioned")}
    roles: dict[str, str] = {}
    for step in steps:
        operation, urn = step["op"], step["urn"].split("::")
        kind, name = urn[2].split("$")[-1], urn[-1]
        if kind == CONTAINER:
            state = step.get("newState") or step.get("oldState") or {}
            role = role_of(state)
            if role is None or role == services.KEEPER.name:
                continue
            roles[name] = role
            which = {REPLACED: "replaced", CREATED: "added", DELETED: "removed"}.get(operation)
            if which:
                sets[which].add(name)
        elif name.endswith(PROVISIONING) and operation in DONE_AGAIN:
            sets["provisioned"].add(name.removesuffix(PROVISIONING))
        elif name.endswith(FILES) and operation == "update" and _changes_supervisord(step):
            sets["restarted"].add(name.removesuffix(FILES))
    return Change(**{each: frozenset(names) for each, names in sets.items()}), roles


def _changes_supervisord(step: Mapping[str, Any]) -> bool:
    return _read_by_supervisord(step["oldState"]) != _read_by_supervisord(step["newState"])


def _read_by_supervisord(state: Mapping[str, Any]) -> dict[str, Any]:
    try:
        told = json.loads(state["inputs"]["stdin"])["files"]
    except (KeyError, ValueError, TypeError):
        return {}
    return read_by_supervisord(told)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
