"""``make forget HOST=...``: takes a host that is gone for good out of a stack's state, with all that was there.

Nothing is done on the host. What the others have of its containers, such as their entries at the Puppet server, the
next ``up`` removes, once the configuration doesn't name them any more.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Collection
from typing import Any

from components import paths
from components.configuration import names

Resource = dict[str, Any]
_HOOK = re.compile(r"-(pre|post)-(creation|destroy)-[0-9]+$")


def main(arguments: list[str]) -> int:
    """Forget a host.

    Returns:
        0, or 1 when the stack has nothing of that host.
    """
    parser = argparse.ArgumentParser(prog="make forget", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("host", help="the host's name in `containerHosts`")
    given = parser.parse_args(arguments)
    state = json.loads(_pulumi("export", given.stack))
    resources: list[Resource] = state["deployment"].get("resources") or []
    gone = of_host(resources, given.host)
    if not gone:
        print(f"make forget: the state of stack {given.stack} has nothing of a host {given.host}", file=sys.stderr)
        return 1
    state["deployment"]["resources"] = without(resources, gone)
    _pulumi("import", given.stack, json.dumps(state))
    print(f"{given.host}: forgot {len(gone)} resources. Take it out of the configuration, and run `pulumi up`.")
    print("Should it come back, an `up` that has it in the configuration again takes away what is left on it.")
    return 0


def of_host(resources: list[Resource], host: str) -> frozenset[str]:
    """Return the URNs of the resources on a host: Docker's by their provider, all others by its tool.

    Hooks know neither; they are their container's.
    """
    provider = next((r["urn"] for r in resources if r["urn"].endswith(f"::{host}{names.PROVIDER}")), None)
    tool = next((r["urn"] for r in resources if r["urn"].endswith(f"::{host}-tool")), None)
    if provider is None or tool is None:
        return frozenset()
    on = {r["urn"] for r in resources if r.get("provider", "").startswith(f"{provider}::")}
    containers = {r["parent"] for r in resources if r["urn"] in on and "ServiceContainer$docker" in r["urn"]}
    found = on | {provider, tool} | {r["urn"] for r in resources if tool in r.get("dependencies", ())}
    found |= {r["urn"] for r in resources if r.get("parent") in containers and _HOOK.search(r["urn"])}
    # A component goes with the last of its resources.
    groups = [r["urn"] for r in resources if not r.get("custom")]
    for group in reversed(groups):
        children = [r["urn"] for r in resources if r.get("parent") == group]
        if children and found.issuperset(children):
            found.add(group)
    return frozenset(found)


def without(resources: list[Resource], gone: Collection[str]) -> list[Resource]:
    """Return a state's resources without some, and without references to these in the others."""
    kept = []
    for resource in resources:
        if resource["urn"] in gone:
            continue
        left = dict(resource)
        if "dependencies" in left:
            left["dependencies"] = [urn for urn in left["dependencies"] if urn not in gone]
        if left.get("propertyDependencies"):
            left["propertyDependencies"] = {
                name: [urn for urn in urns or () if urn not in gone]
                for name, urns in left["propertyDependencies"].items()
            }
        if left.get("deletedWith") in gone:
            del left["deletedWith"]
        kept.append(left)
    return kept


def _pulumi(what: str, stack: str, given: str | None = None) -> str:
    done = subprocess.run(
        ["pulumi", "stack", what, "--stack", stack],
        cwd=paths.PROJECT, input=given, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
