"""The certificate of the lab's authority as a file of the host, for what speaks to the VIP from there."""

from __future__ import annotations

from pathlib import Path

from hostside import certificate_authority, files
from hostside.errors import StepError


def publish(path: Path, server: str, certificate: str) -> str:
    """Write the authority's certificate to a file, and return it.

    Args:
        path: the file.
        server: name of the Puppet server's container, which is asked where the certificate isn't given.
        certificate: the certificate, on a host that the server isn't on; else empty.

    Raises:
        StepError: when the server can't be asked.
    """
    text = certificate or certificate_authority.certificate(server)
    if not text:
        raise StepError(server, "telling its authority's certificate", "the container does not run")
    files.put(path, text, 0o644)
    return text
