"""A container's own certificate, asked for with its own secret."""

from __future__ import annotations

import time

from hostside import certificate_authority, containers
from hostside.errors import StepError
from hostside.process import CommandFailed

STEP = "getting its certificate"
REQUEST = f"{containers.MOUNT_POINT}/bin/request-certificate"
SSL = "/var/lib/puppet/ssl"
"""The agent's directory of keys and certificates, Debian's default. Asking Puppet itself would take seconds."""
SERVER_SECONDS = 90.0
"""How long the Puppet server's name may take to resolve and to answer."""


def issue(container: str, *, fqdn: str, server: str, role: str, secret: str) -> str:
    """Make the container ask for its certificate, unless it has one of this authority's; return what was done.

    The secret travels over standard input, and is in no file.

    Raises:
        StepError: with the last lines of what the authority, or the way to it, has said.
    """
    try:
        if _has_certificate(container, fqdn):
            if not _is_of_another_authority(container, server):
                return "present"
            # The server has lost its volume: whatever its former authority signed, the container included, is void.
            _forget(container, fqdn, authority=True)
        await_server(container, server, STEP)
        containers.execute(container, [REQUEST, server, fqdn, role], stdin=f"{secret}\n", timeout=180)
    except CommandFailed as error:
        raise StepError(container, STEP, "the Puppet server did not sign", str(error).splitlines()[-10:]) from error
    return "issued"


def drop(container: str, *, fqdn: str, server: str) -> None:
    """Forget a certificate that is no longer valid, here and at the authority, so that the next is asked for.

    Raises:
        StepError: when the authority refuses.
    """
    certificate_authority.clean(server.split(".")[0], fqdn)
    _forget(container, fqdn, authority=_is_of_another_authority(container, server))


def _forget(container: str, fqdn: str, *, authority: bool) -> None:
    """Remove a container's certificate and keys, and those of the authority that it trusts if that is another now."""
    names = [f"{kind}/{fqdn}.pem" for kind in ("certs", "private_keys", "public_keys", "certificate_requests")]
    names += ["certs/ca.pem", "crl.pem"] if authority else []
    containers.execute(container, ["rm", "-f", *(f"{SSL}/{name}" for name in names)])


def _is_of_another_authority(container: str, server: str) -> bool:
    """Say whether the authority that a container trusts isn't the server's; one that can't be asked is taken for it."""
    ours = certificate_authority.certificate(server.split(".")[0])
    trusted = containers.execute(container, ["sh", "-c", 'cat "$0/certs/ca.pem" 2>/dev/null || true', SSL])
    return bool(ours and trusted) and trusted != ours


def _has_certificate(container: str, fqdn: str) -> bool:
    """Say whether the container has both the certificate and the key of it."""
    script = 'if [ -s "$0/certs/$1.pem" ] && [ -s "$0/private_keys/$1.pem" ]; then echo yes; fi'
    return containers.execute(container, ["sh", "-c", script, SSL, fqdn]).strip() == "yes"


def await_server(container: str, server: str, step: str) -> None:
    """Wait until the container resolves the Puppet server's name and reaches its port, for a step that needs it.

    Raises:
        StepError: when it can't be reached for long.
    """
    tries = int(SERVER_SECONDS / 0.5)
    script = f'i=0; until nc -z -w 2 "$0" 8140; do i=$((i+1)); [ $i -lt {tries} ] || exit 1; sleep 0.5; done'
    started = time.monotonic()
    try:
        containers.execute(container, ["sh", "-c", script, server], timeout=SERVER_SECONDS)
    except CommandFailed as error:
        waited = time.monotonic() - started
        raise StepError(container, step, f"{server}:8140 can't be reached after {waited:.0f} s: {error}") from error
