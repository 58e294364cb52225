"""What has changed on this host behind our back since our verbs brought it about.

The notes of the verbs are compared with the host. Where they differ, the verb's parameters are given a number that they
did not have before: the engine then plans the verb again, as it would after a change of the configuration, and the
next ``up`` mends what the look has found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from hostside import bridge, containers, engine, health, notes, ovs, ports
from hostside.notes import Note, Parameters
from hostside.process import CommandFailed

AT_ONCE = 8
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


class Reality:
    """What there is on the host: what every look needs is asked for at once, the rest once when a note is about it."""

    def __init__(self, stack: str) -> None:
        """Look at a stack's part of the host."""
        self.bridges = ovs.bridges(stack)
        self.held = ovs.ports_by_container()
        self.images = engine.images()
        self.states: Mapping[str, tuple[str, str]] = {
            engine.name(c): (c["Id"], c["State"]) for c in engine.containers(stack)
        }
        """ID and state of each of the stack's containers, by name."""
        self._told: dict[tuple[str, tuple[str, ...]], set[str] | None] = {}
        self._lock = Lock()

    def runs(self, done: Parameters) -> bool:
        """Say whether the container that a note is about is still that one, and runs."""
        return self.states.get(done["container"]) == (done["id"], "running")

    def valid_certificates(self, server: str) -> set[str] | None:
        """Return the names whose certificates a server's authority holds for valid; None when it can't be asked."""
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


def look(directory: Path, stack: str) -> dict[tuple[str, str], Finding]:
    """Compare the notes of a stack with the host.

    Args:
        directory: the stack's directory on this host.
        stack: its name.

    Returns:
        Verb and subject to what was found; empty when the host can't be asked, which the next step will tell.
    """
    kept = notes.everything(directory)
    if not kept:
        return {}
    try:
        reality = Reality(stack)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return dict(pool.map(lambda note: _judge(reality, note), kept))
    except (CommandFailed, OSError):
        return {}


def _judge(reality: Reality, note: Note) -> tuple[tuple[str, str], Finding]:
    reason = _DIFFERS[note.verb](reality, note.done)
    gone = () if reason or note.verb not in _OF_CONTAINERS else _gone(reality, note.done)
    if gone:
        # Its resource is Docker's, and the engine sees that it is gone when it refreshes its state.
        return (note.verb, note.subject), Finding(note.count, f"container {', '.join(gone)} is gone", REFRESH)
    return (note.verb, note.subject), Finding(note.count + bool(reason), reason)


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
    return "" if held else f"the certificate of {done['fqdn']} was revoked, or is gone from the authority"


def _health(reality: Reality, done: Parameters) -> str:
    """Tell what was changed in a container, or doesn't work there: what `up` does after it must not meet that."""
    name = done["container"]
    absent = _ports(reality, {"containers": {name: done["id"]}})
    if absent or not reality.runs(done):
        return absent
    if changed := containers.changes(name):
        return f"{name}: {', '.join(changed)}"
    if "checks" not in done:
        return f"{name} was last checked by an earlier Dockstack"
    failure = health.first_failure(name, done["checks"])
    return f"{name} does not work: {failure}" if failure else ""


def _databases(reality: Reality, done: Parameters) -> str:
    for server, names in sorted(done["databases"].items()):
        there = reality.databases(server)
        gone = [name for name in names if there is not None and name not in there]
        if gone:
            return f"database {', '.join(gone)} of {server} is gone"
    return ""


_OF_CONTAINERS = ("keeper-start", "port-attach", "ports-attach")
_DIFFERS: Mapping[str, Callable[[Reality, Parameters], str]] = {
    "bridge-up": _bridge,
    "certificate-issue": _certificate,
    "files-write": _files,
    "health-await": _health,
    "image-build": _image,
    "keeper-start": _running,
    "port-attach": _ports,
    "ports-attach": _ports,
    "provision": _databases,
    "register": _files,
}
