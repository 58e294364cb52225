"""``make rotate``: other values for generated secrets, which one ``up`` brings to all that read them.

A generated secret is what a resource printed when it was made (see :mod:`components.secrets`): made anew, it is
another one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from commands import cleanup
from components import paths
from components.secrets import PREFIX


def main(stack: str, names: Sequence[str]) -> int:
    """Rotate some of a stack's generated secrets, or all.

    Args:
        stack: the stack's name.
        names: which; all when empty.

    Returns:
        ``pulumi up``'s status, or 1 where there is no such secret.
    """
    generated = {
        name.removeprefix(PREFIX): resource["urn"]
        for resource in cleanup.resources(stack)
        if (name := resource["urn"].rpartition("::")[2]).startswith(PREFIX)
    }
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
