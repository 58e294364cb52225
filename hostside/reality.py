"""What there is of a stack on this host, for the operations' looks for drift and for ``make status``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock

from hostside import certificate_authority, containers, engine, ovs, passage, ports
from hostside.process import CommandFailed


class Reality:
    """What every look needs is asked for at once, the rest once when somebody asks."""

    def __init__(self, stack: str) -> None:
        """Look at a stack's part of the host."""
        self.bridges = ovs.bridges(stack)
        self.held = ovs.ports_by_container()
        self.images = engine.images()
        self._listed = engine.containers(stack)
        self.states: Mapping[str, tuple[str, str]] = {engine.name(c): (c["Id"], c["State"]) for c in self._listed}
        """ID and state of each of the stack's containers, by name."""
        self._blocked: Mapping[str, str] | None = None
        self._told: dict[tuple[str, tuple[str, ...]], set[str] | None] = {}
        self._lock = Lock()

    def running(self, container: str) -> bool:
        """Say whether a container runs, whichever it is."""
        return self.states.get(container, ("", ""))[1] == "running"

    def runs(self, container: str, identifier: str) -> bool:
        """Say whether a container is still that one, and runs."""
        return self.states.get(container) == (identifier, "running")

    def lacking(self, wanted: Mapping[str, str]) -> list[str]:
        """Return those of some containers that are gone altogether."""
        return [name for name in sorted(wanted) if name not in self.states]

    def stop(self, container: str, identifier: str) -> str:
        """Tell whether a container was stopped; one that was made anew since is another one."""
        found, state = self.states.get(container, ("", ""))
        return f"container {container} is {state}" if found == identifier and state != "running" else ""

    def absence(self, container: str, identifier: str) -> str:
        """Tell whether a container was stopped, lacks a port or isn't reached; one made anew is another one."""
        found, _ = self.states.get(container, ("", ""))
        if found != identifier:
            return ""
        if stop := self.stop(container, identifier):
            return stop
        if not ports.present(container, self.held.get(container, {})):
            return f"{container} lacks its port, or has another address"
        reason = self.blocked().get(container)
        return f"{container}: {reason}" if reason else ""

    def blocked(self) -> Mapping[str, str]:
        """Return the containers to which not all packets pass, each with what does not; all are asked at once."""
        with self._lock:
            if self._blocked is None:
                self._blocked = passage.blocked(self._listed)
            return self._blocked

    def valid_certificates(self, server: str) -> set[str] | None:
        """Return the names whose certificates will be valid for weeks, by a server's authority; None when unasked."""
        return self._ask(server, f"{containers.MOUNT_POINT}/bin/valid-certificates")

    def authority(self, server: str) -> set[str] | None:
        """Return the words of the certificate of a server's authority; None when it can't be asked."""
        return self._ask(server, "cat", certificate_authority.CERTIFICATE)

    def missing_certificate(self, container: str, identifier: str, fqdn: str, server: str) -> str:
        """Tell of a certificate that a container has no more, as far as that can be asked.

        Args:
            container: the container.
            identifier: its ID; one made anew is another one.
            fqdn: what the certificate is for.
            server: full name of the Puppet server, which begins with that of its container.
        """
        if not self.runs(container, identifier):
            return ""
        valid = self.valid_certificates(server.split(".")[0])
        held = valid is None or fqdn in valid
        return "" if held else f"the certificate of {fqdn} ends soon, was revoked, or is gone from the authority"

    def databases(self, server: str) -> set[str] | None:
        """Return the databases that a server has; None when it can't be asked."""
        return self._ask(server, "mariadb", "--batch", "--skip-column-names", "--execute", "SHOW DATABASES")

    def _ask(self, container: str, *command: str) -> set[str] | None:
        """Return the words that a command in a container prints; several records are about the same."""
        with self._lock:
            if (container, command) not in self._told:
                self._told[container, command] = self._words(container, command)
            return self._told[container, command]

    def _words(self, container: str, command: Sequence[str]) -> set[str] | None:
        if not self.running(container):
            return None
        try:
            return set(containers.execute(container, command, timeout=30).split())
        except CommandFailed:
            return None
