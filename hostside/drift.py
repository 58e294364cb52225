"""What has changed on this host behind our back since our verbs brought it about.

The notes of the verbs are compared with the host. Where they differ, the verb's parameters are given a number that they
did not have before: the engine then plans the verb again, as it would after a change of the configuration, and the
next ``up`` mends what the look has found.

Each note is looked into by itself, so that nobody waits for all of them: a service that is asked how it is may think
for a second, and the engine has enough to plan meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from hostside import access, bridge, containers, engine, health, membership, notes, ovs, passage, ports, programs
from hostside.errors import StepError
from hostside.notes import Note, Parameters
from hostside.process import CommandFailed

AT_ONCE = 16
"""How many notes are looked into at a time: most wait for an answer."""
UP, REFRESH = "pulumi up", "pulumi up --refresh"


@dataclass(frozen=True)
class Finding:
    """What the look found for one verb."""

    count: int
    """What the verb's parameters have to hold."""
    reason: str
    """What is different, for people; empty when nothing is."""
    remedy: str = UP
    """The command that mends it."""


Found = Mapping[tuple[str, str], Future[Finding]]
"""Verb and subject to what will be found."""


class Reality:
    """What there is on the host: what every look needs is asked for at once, the rest once when a note is about it."""

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

    def blocked(self) -> Mapping[str, str]:
        """Return the containers to which not all packets pass, each with what does not; all are asked at once."""
        with self._lock:
            if self._blocked is None:
                self._blocked = passage.blocked(self._listed)
            return self._blocked

    def runs(self, done: Parameters) -> bool:
        """Say whether the container that a note is about is still that one, and runs."""
        return self.states.get(done["container"]) == (done["id"], "running")

    def valid_certificates(self, server: str) -> set[str] | None:
        """Return the names whose certificates will be valid for weeks, by a server's authority; None when unasked."""
        return self._ask(server, "/etc/dockstack/bin/valid-certificates")

    def databases(self, server: str) -> set[str] | None:
        """Return the databases that a server has; None when it can't be asked."""
        return self._ask(server, "mariadb", "--batch", "--skip-column-names", "--execute", "SHOW DATABASES")

    def _ask(self, container: str, *command: str) -> set[str] | None:
        """Return the words that a command in a container prints; several notes are about the same."""
        with self._lock:
            if (container, command) not in self._told:
                self._told[container, command] = self._words(container, command)
            return self._told[container, command]

    def _words(self, container: str, command: Sequence[str]) -> set[str] | None:
        if self.states.get(container, ("", ""))[1] != "running":
            return None
        try:
            return set(containers.execute(container, command, timeout=30).split())
        except CommandFailed:
            return None


def look(directory: Path, stack: str) -> Found:
    """Begin to compare the notes of a stack with the host.

    Where the host can't be asked, nothing will be found: the next step will tell.

    Args:
        directory: the stack's directory on this host.
        stack: its name.
    """
    # An engine that died in a destroy takes some of it for standing; what it knows to be gone, nobody declares.
    undone = {key: _known(Finding(number, "")) for key, number in notes.undone(directory).items()}
    kept = notes.everything(directory)
    if not kept:
        return undone
    pool = ThreadPoolExecutor(AT_ONCE)
    reality = pool.submit(Reality, stack)
    found = {(note.verb, note.subject): pool.submit(_judge, reality, note) for note in sorted(kept, key=_rank)}
    pool.shutdown(wait=False)
    return {**found, **undone}


def _known(finding: Finding) -> Future[Finding]:
    known: Future[Finding] = Future()
    known.set_result(finding)
    return known


def _rank(note: Note) -> int:
    return list(_DIFFERS).index(note.verb)


def _judge(reality: Future[Reality], note: Note) -> Finding:
    try:
        host = reality.result()
        reason = _DIFFERS[note.verb](host, note.done)
        gone = () if reason or note.verb not in _OF_CONTAINERS else _gone(host, note.done)
    except (CommandFailed, OSError):
        return Finding(note.count, "")
    if gone:
        # Its resource is Docker's, and the engine sees that it is gone when it refreshes its state.
        return Finding(note.count, f"container {', '.join(gone)} is gone", REFRESH)
    return Finding(note.count + bool(reason), reason)


def _bridge(reality: Reality, done: Parameters) -> str:
    if done["name"] not in reality.bridges:
        return f"bridge {done['name']} is gone"
    up = bridge.is_up(bridge.Bridge(**done))
    return "" if up else f"bridge {done['name']} is down, or lacks the host's address"


def _files(_reality: Reality, done: Parameters) -> str:
    for name, expected in sorted(done["files"].items()):
        path = Path(name)
        if not path.is_file():
            return f"{name} is gone"
        if notes.digest(path.read_bytes()) != expected:
            return f"{name} was edited"
    return ""


def _gone(reality: Reality, done: Parameters) -> list[str]:
    return [name for name in sorted(done["containers"]) if name not in reality.states]


def _ports(reality: Reality, done: Parameters) -> str:
    """Tell of containers that were stopped or lack a port."""
    for name, identifier in sorted(done["containers"].items()):
        found, state = reality.states.get(name, ("", ""))
        if found != identifier:
            continue
        if state != "running":
            return f"container {name} is {state}"
        if not ports.present(name, reality.held.get(name, {})):
            return f"{name} lacks its port, or has another address"
        if name in reality.blocked():
            return f"{name}: {reality.blocked()[name]}"
    return ""


def _running(reality: Reality, done: Parameters) -> str:
    """Tell of containers that were stopped; one that was made anew since is not the one that the note is about."""
    for name, identifier in sorted(done["containers"].items()):
        found, state = reality.states.get(name, ("", ""))
        if found == identifier and state != "running":
            return f"container {name} is {state}"
    return ""


def _image(reality: Reality, done: Parameters) -> str:
    return "" if done["tag"] in reality.images else f"image {done['tag']} is gone"


def _certificate(reality: Reality, done: Parameters) -> str:
    if not reality.runs(done):
        return ""
    # The server's name begins with that of its container.
    valid = reality.valid_certificates(done["server"].split(".")[0])
    held = valid is None or done["fqdn"] in valid
    return "" if held else f"the certificate of {done['fqdn']} ends soon, was revoked, or is gone from the authority"


def _health(reality: Reality, done: Parameters) -> str:
    """Tell what was changed in a container, or doesn't work there: what `up` does after it must not meet that."""
    name = done["container"]
    absent = _ports(reality, {"containers": {name: done["id"]}})
    if absent or not reality.runs(done):
        return absent
    pid = engine.pid(name)
    if pid is None:
        return f"container {name} has ended"
    try:
        listed = programs.listed(name, programs.SOCKET.format(pid=pid))
    except StepError as error:
        return f"{name} does not work: {error.reason}"
    if changed := containers.changes(name, pid, listed):
        return f"{name}: {', '.join(changed)}"
    if "checks" not in done:
        return f"{name} was last checked by an earlier Dockstack"
    failure = health.failure(name, listed, done["checks"])
    return f"{name} does not work: {failure}" if failure else ""


def _databases(reality: Reality, done: Parameters) -> str:
    for server, names in sorted(done["databases"].items()):
        there = reality.databases(server)
        gone = [name for name in names if there is not None and name not in there]
        if gone:
            return f"database {', '.join(gone)} of {server} is gone"
    return ""


def _member(reality: Reality, done: Parameters) -> str:
    """Tell of a container that is no member of another role any more."""
    if not reality.runs(done) or reality.states.get(done["other"], ("", ""))[1] != "running":
        return ""
    return membership.absence(done["container"], done["fqdn"], done["other"], done["joined"])


def _access(reality: Reality, done: Parameters) -> str:
    return _files(reality, done) or ("" if access.is_known(done["line"]) else f"{access.HOSTS} lacks the VIP's name")


_OF_CONTAINERS = ("keeper-start", "port-attach", "ports-attach")
_DIFFERS: Mapping[str, Callable[[Reality, Parameters], str]] = {
    "access-publish": _access,
    "bridge-up": _bridge,
    "files-write": _files,
    "register": _files,
    "authority-publish": _files,
    "grant-write": _files,
    "image-build": _image,
    "keeper-start": _running,
    "port-attach": _ports,
    "ports-attach": _ports,
    "health-await": _health,
    "member-join": _member,
    "certificate-issue": _certificate,
    "tls-issue": _certificate,
    "provision": _databases,
}
"""How to tell what is different, in the order in which the notes are looked into: what is quick first, and what many
notes have to wait for, as there is one answer for all of them, last."""
