"""``make open``: the address of a lab's live page, and how to log in there."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from components import services
from components.outputs import outputs_of
from hostside import report

PAGE = next(role.name for role in services.ROLES.values() if role.login_secret)
"""The role that has the page."""


def main(stack: str) -> int:
    """Print the address of a stack's page, and how to log in.

    Returns:
        0, or 1 where there is no such stack or no page, with what gives it one on standard error.
    """
    outputs = outputs_of(stack)
    if outputs is None:
        print(f"Stack {stack} is not up here. To bring it up: {report.again(stack)}", file=sys.stderr)
        return 1
    if "portal_url" not in outputs:
        print(f"make open: stack {stack} has no container of role {PAGE}: add one to what it has", file=sys.stderr)
        return 1
    print("\n".join(told(stack, outputs)))
    return 0


def told(stack: str, outputs: Mapping[str, Any]) -> list[str]:
    """Return the address and the way in.

    Args:
        stack: the stack.
        outputs: its outputs.
    """
    generated = f"pulumi stack output --stack {stack} --show-secrets portal_password"
    address = outputs["portal_url"]
    if not outputs.get("openrc"):
        return [address, f"Any user; the password: {generated}"]
    return [
        address,
        f"User admin; the password: (. {outputs['openrc']} && printenv OS_PASSWORD)",
        f"While Keystone doesn't answer, any user; the password: {generated}",
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
