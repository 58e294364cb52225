"""What there is of a stack on this host: one inspection, which drift, ``make status`` and the portal's page read."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from hostside import certificate_authority, containers, docker_api, ovs, passage, ports, programs
from hostside.errors import StepError
from hostside.process import CommandFailed

T = TypeVar("T")


@dataclass(frozen=True)
class Inspected:
    """A container as its engine and its supervisord see it."""

    name: str
    status: str
    """The engine's word for what it does: running, exited, paused, ...; ``gone`` where there is none."""
    runs: bool = False
    started: str = ""
    """When it was started last: RFC 3339, in UTC."""
    pid: int = 0
    programs: tuple[programs.Program, ...] = ()
    silence: str = ""
    """Why its supervisord doesn't answer; empty where it does, and where there is none."""


def inspect(container: str) -> Inspected:
    """Ask how a container is now.

    Raises:
        EngineError: when the engine can't be asked.
    """
    return _inspected(container, docker_api.inspect(container))


def _inspected(container: str, found: Mapping[str, Any] | None) -> Inspected:
    if found is None:
        return Inspected(container, "gone")
    state = found["State"]
    status, started = state["Status"], state.get("StartedAt", "")
    if state["Paused"] or not state["Running"]:
        return Inspected(container, status, False, started)
    pid, listed, silence = int(state["Pid"]), [], ""
    # A container with a health check of Docker's has a supervisord, which knows more, and sooner.
    if state.get("Health"):
        try:
            listed = programs.listed(container, programs.SOCKET.format(pid=pid))
        except StepError as error:
            silence = error.reason
    return Inspected(container, status, True, started, pid, tuple(listed), silence)


class Inspection:
    """A stack's part of this host. What everybody needs is asked for at once, the rest once when somebody asks."""

    def __init__(self, stack: str) -> None:
        """Look at a stack's part of the host.

        Raises:
            OSError: when the engine can't be asked.
            CommandFailed: when Open vSwitch can't.
        """
        self._stack = stack
        self._answers: dict[Hashable, Future[Any]] = {}
        self._lock = Lock()
        self._held = ovs.ports_by_container()
        self._listed = docker_api.containers(stack)
        self.states: Mapping[str, tuple[str, str]] = {docker_api.name(c): (c["Id"], c["State"]) for c in self._listed}
        """ID and state of each of the stack's containers, by name."""
        self.labels: Mapping[str, Mapping[str, str]] = {docker_api.name(c): c["Labels"] or {} for c in self._listed}

    @property
    def bridges(self) -> Mapping[str, dict[str, str]]:
        """The stack's bridges by name, each with what is recorded of it."""
        return self._once("bridges", lambda: ovs.bridges(self._stack))

    @property
    def images(self) -> set[str]:
        """The names of the engine's images."""
        return self._once("images", docker_api.images)

    def container(self, name: str) -> Inspected:
        """Return how a container of the stack is."""
        return self._once(("container", name), lambda: _inspected(name, self._found(name)))

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
        if self.lacks_port(container):
            return f"{container} lacks its port, or has another address"
        reason = self.blocked().get(container)
        return f"{container}: {reason}" if reason else ""

    def lacks_port(self, container: str) -> bool:
        """Say whether a container lacks a port that it is to have, or what belongs to it."""
        wanted = ports.Port.of(container, self.labels.get(container, {}))
        if not wanted:
            return False
        found = self._found(container)
        pid = int(found["State"]["Pid"]) if found else 0
        return not pid or not ports.are_attached(wanted, pid, self._held.get(container, {}))

    def blocked(self) -> Mapping[str, str]:
        """Return the containers to which not all packets pass, each with what does not; all are asked at once."""
        return self._once("blocked", lambda: passage.blocked(self._listed))

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

    def _found(self, container: str) -> dict[str, Any] | None:
        """Return what the engine knows of a container of the stack."""
        if container not in self.states:
            return None
        return self._once(("found", container), lambda: docker_api.inspect(container))

    def _ask(self, container: str, *command: str) -> set[str] | None:
        """Return the words that a command in a container prints; several records are about the same."""
        return self._once((container, command), lambda: self._words(container, command))

    def _words(self, container: str, command: Sequence[str]) -> set[str] | None:
        if not self.running(container):
            return None
        try:
            return set(containers.execute(container, command, timeout=30).split())
        except CommandFailed:
            return None

    def _once(self, question: Hashable, ask: Callable[[], T]) -> T:
        """Return the answer to a question; who comes first asks, and the others wait for the answer."""
        with self._lock:
            answer = self._answers.get(question)
            asked = answer is not None
            if answer is None:
                answer = self._answers[question] = Future()
        if not asked:
            try:
                answer.set_result(ask())
            except BaseException as error:
                answer.set_exception(error)
        result: T = answer.result()
        return result
