"""The last lines of ``make lab``: what there is, how to get in, what to do next."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keystoneauth1.exceptions import ClientException

from commands import page
from components import paths, services
from components.login import session, settings, user
from components.outputs import outputs_of
from hostside.demo import RECORD

TOKEN_SECONDS = 60.0
ANSWER_SECONDS = 20.0
FAULTS = (OSError, ClientException)
"""What comes of asking for a token where none is issued."""


def main(stack: str) -> int:
    """Print a stack's outputs, and prove with a token that its Keystone answers through the VIP.

    Returns:
        0, or 1 when the stack isn't up, or its Keystone issues no token.
    """
    outputs = outputs_of(stack)
    if outputs is None:
        print(f"Stack {stack} is not up here.", file=sys.stderr)
        return 1
    _table("Addresses", outputs["addresses"])
    _table("Endpoints", outputs["endpoints"])
    openrc = outputs.get("openrc")
    if openrc:
        try:
            print(f"\nKeystone issued a token through the VIP, valid until {_expiry(openrc)}.")
        except FAULTS as error:
            print(f"\nKeystone issued no token through the VIP: {error}", file=sys.stderr)
            return 1
        print("\n".join(pages(outputs)))
    if "portal_url" in outputs:
        print("\n".join(["", "The lab, live:", *(f"  {line}" for line in page.told(stack, outputs))]))
    further = "".join([*clouds(stack, outputs), *guest(stack)])
    print(f"""
Next:
  . ./activate                              # pulumi, openstack and the rest for this shell
  . {openrc or "OPENRC"} && openstack token issue   # or: make token
  pulumi preview | pulumi up | pulumi destroy   # after an edit of Pulumi.{stack}.yaml{further}
Images (dockstack/*) and the engine ({paths.HOME}) outlive `pulumi destroy`; to remove them as well:
  docker image rm $(docker image ls -q 'dockstack/*'); rm -rf {paths.HOME}""")
    return 0


def pages(outputs: Mapping[str, Any]) -> list[str]:
    """Return how to log in to the pages of a lab's services."""
    frontends = [frontend for role in services.ROLES.values() for frontend in role.frontends if frontend.page]
    urls = {frontend.page: outputs["endpoints"].get(frontend.name) for frontend in frontends}
    return [
        line
        for page, url in urls.items()
        if url
        for line in (
            "",
            f"{page}: {url}, user admin; its password:",
            f"  (. {outputs['openrc']} && printenv OS_PASSWORD)",
        )
    ]


def clouds(stack: str, outputs: Mapping[str, Any]) -> list[str]:
    """Return how to have clients read clouds.yaml, in a lab that has one."""
    if not outputs.get("clouds"):
        return []
    return [
        f"\n  export OS_CLIENT_CONFIG_FILE={outputs['clouds']} OS_CLOUD={stack}   # Terraform, Ansible, Gophercloud"
    ]


def guest(stack: str) -> list[str]:
    """Return how to boot a guest and how to reach it, as far as what the demo has made allows."""
    record = Path(paths.stack_directory(stack)) / RECORD
    made = json.loads(record.read_text())["made"][-1] if record.exists() else {}
    if not {"image", "flavors", "network"} <= made.keys():
        return []
    options = {
        "--image": made["image"]["name"],
        "--flavor": made["flavors"][0]["name"],
        "--network": made["network"]["name"],
        **({"--security-group": made["security_group"]["name"]} if "security_group" in made else {}),
        **({"--key-name": made["key"]["name"]} if "key" in made else {}),
    }
    lines = [f"openstack server create {' '.join(f'{key} {value}' for key, value in options.items())} --wait guest1"]
    if "router" in made:
        outside = made["router"]["outside"]
        lines += [
            f"address=$(openstack floating ip create -f value -c floating_ip_address {outside})",
            "openstack server add floating ip guest1 $address && ping $address",
        ]
    return [f"\n  {line}" for line in lines]


def _table(title: str, rows: dict[str, str]) -> None:
    if not rows:
        return
    print(f"\n{title}")
    width = max(len(key) for key in rows)
    for key, value in rows.items():
        print(f"  {key:{width}}  {value}")


def _expiry(openrc: str) -> str:
    """Get a token from Keystone and return when it expires; the token itself is shown to nobody.

    Raises:
        OSError, ClientException: when Keystone doesn't issue one in time.
    """
    login = settings(openrc)
    deadline = time.monotonic() + TOKEN_SECONDS
    while True:
        try:
            expires = user(login).get_access(session(login, ANSWER_SECONDS)).expires
            return f"{expires:%Y-%m-%dT%H:%M:%SZ}"
        except FAULTS:
            # After a restart of everything, the database may need a moment longer than haproxy.
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
