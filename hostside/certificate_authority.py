"""The Puppet CA in the server's container."""

from __future__ import annotations

from hostside import docker_api
from hostside.containers import MOUNT_POINT, execute
from hostside.errors import StepError
from hostside.process import CommandFailed

CERTIFICATE = "/var/lib/puppet/ca/ca_crt.pem"
"""The authority's own certificate with its chain."""


def clean(server: str, certname: str) -> None:
    """Revoke and remove a certificate; none there is no error, and neither is a server that is gone with its CA.

    Raises:
        StepError: when the authority refuses.
    """
    found = docker_api.inspect(server)
    if found is None:
        return
    try:
        execute(server, [f"{MOUNT_POINT}/bin/clean-certificates", certname])
    except CommandFailed as error:
        raise StepError(certname, "cleaning its old certificate", str(error)) from error


def certificate(server: str) -> str:
    """Return the authority's own certificate, as the server hands it out; empty when the server doesn't run here."""
    if not answers(server):
        return ""
    return execute(server, ["cat", CERTIFICATE])


def answers(server: str) -> bool:
    """Say whether the server's container runs."""
    found = docker_api.inspect(server)
    return found is not None and bool(found["State"]["Running"])
