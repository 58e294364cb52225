"""``make rotate``: other values for generated secrets, which one ``up`` brings to all that read them.

A generated secret is what a resource printed when it was made (see :mod:`components.secrets`): made anew, it is
another one. Of a ring of keys (see :mod:`components.rings`) only the oldest is, and each of the others moves on by one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence

from commands import cleanup
from components import paths
from components.rings import oldest, ring_of
from components.secrets import PREFIX


def main(stack: str, names: Sequence[str]) -> int:
    """Rotate some of a stack's generated secrets, or all.

    Args:
        stack: the stack's name.
        names: which, a ring by its own name; all when empty.

    Returns:
        ``pulumi up``'s status, or 1 where there is no such secret.
    """
    urns = {
        name.removeprefix(PREFIX): resource["urn"]
        for resource in cleanup.resources(stack)
        if (name := resource["urn"].rpartition("::")[2]).startswith(PREFIX)
    }
    rings = {ring_of(name) for name in urns} - {""}
    generated = {name: urn for name, urn in urns.items() if not ring_of(name)}
    if rings.intersection(names or rings):
        generated |= {ring: urns[name] for ring, name in _oldest_keys(stack).items()}
    else:
        generated |= dict.fromkeys(rings, "")
    unknown = [name for name in names if name not in generated]
    if unknown or not generated:
        print(
            f"make rotate: stack {stack} has generated no {', '.join(unknown) or 'secret'}. "
            f"Fix: Name one of: {', '.join(sorted(generated)) or '(none)'}; those in the configuration, change there.",
            file=sys.stderr,
        )
        return 1
    replaced = [word for name in names or sorted(generated) for word in ("--replace", generated[name])]
    done = subprocess.run(
        ["pulumi", "up", "--stack", stack, "--yes", "--skip-preview", *replaced], cwd=paths.PROJECT, check=False
    )
    return done.returncode


def _oldest_keys(stack: str) -> dict[str, str]:
    """Return the name of the oldest key of each ring, by the ring's name."""
    rings: dict[str, dict[str, str]] = {}
    for resource in cleanup.resources(stack, secrets=True):
        name = resource["urn"].rpartition("::")[2].removeprefix(PREFIX)
        if ring := ring_of(name):
            rings.setdefault(ring, {})[name] = _plain(resource["outputs"]["stdout"])
    return {ring: oldest(keys) for ring, keys in rings.items()}


def _plain(output: str | Mapping[str, str]) -> str:
    """Return an output of a state in plain text, where a secret one is JSON."""
    return output if isinstance(output, str) else str(json.loads(output["plaintext"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
