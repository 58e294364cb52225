"""The certificate that haproxy serves at the VIP: asked for like a container's own, under another name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from hostside import certificate, containers, docker_api
from hostside.errors import StepError
from hostside.process import CommandFailed

STEP = "getting the VIP's certificate"
ROLE = "vip"
"""What the certificate says of its bearer: no role of a container, so that the Puppet server tells it nothing."""
PROGRAM = "/etc/dockstack/bin/vip-certificate"


def issue(container: str, *, fqdn: str, server: str, secret: str, names: Sequence[str]) -> str:
    """Have haproxy serve a certificate for some names, unless it serves one that was asked for in the same words.

    Args:
        container: a container of haproxy, with a certificate of its own.
        fqdn: name of the VIP's certificate at the authority.
        server: full name of the Puppet server.
        secret: what the authority knows the request by. Another one makes for another key.
        names: the names, such as ``DNS:vip.lab`` and ``IP:10.87.0.250``.

    Returns:
        What was done.

    Raises:
        StepError: with the last lines of what the authority, or the way to it, has said.
    """
    mark = hashlib.sha256("\n".join([secret, *names]).encode()).hexdigest()
    try:
        state = containers.execute(container, [PROGRAM, "state", fqdn, mark]).strip()
        if state == "current":
            return "present"
        if state == "other":
            # The authority keeps what it has refused as well, and would not look at the next request of that name.
            certificate.drop(container, fqdn=fqdn, server=server)
        certificate.await_server(container, server, STEP)
        words = [certificate.REQUEST, server, fqdn, ROLE, *names]
        containers.execute(container, words, stdin=f"{secret}\n", timeout=180)
        containers.execute(container, [PROGRAM, "install", fqdn, mark])
    except CommandFailed as error:
        raise StepError(container, STEP, "the Puppet server did not sign", str(error).splitlines()[-10:]) from error
    return "issued"


def withdraw(container: str, *, fqdn: str) -> None:
    """Remove certificate and key from a container, if it is there to be asked."""
    found = docker_api.inspect(container)
    if found and found["State"]["Running"] and not found["State"]["Paused"]:
        containers.execute(container, [PROGRAM, "remove", fqdn])
