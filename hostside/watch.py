"""What a stack's containers on this host do, for the lab's portal: as JSON, and from then on each change as it happens.

They are server-sent events, https://html.spec.whatwg.org/multipage/server-sent-events.html, where the metrics are.
Logs say more than metrics do, so who asks has to have the token whose digest is in the stack's directory; a lab without
a portal has none. As long as nobody follows, nothing is looked at.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import threading
import time
import urllib.parse
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from hostside import bridge as bridges
from hostside import docker_api, drift, labels, ovs, ports, report, tails, vip, ways
from hostside.impairment import Impairments
from hostside.inspection import Inspection
from hostside.journal import Journal
from hostside.process import CommandFailed
from hostside.report import Seen

TOKEN = "watchers/portal"
"""File below the stack's directory with the SHA-256 of the token, in hexadecimal digits."""
EVENTS, LOGS = "/watch/events", "/watch/logs"
LOOK_SECONDS = 1.0
"""How often all is looked at, besides on events."""
SHARE = 4
"""The pause after a look, in multiples of its duration: looks take a fifth of a processor at most."""
BRIDGE_SECONDS = 5.0
DRIFT_SECONDS, DRIFT_SHARE = 30.0, 20
"""The same for drift, whose detection asks services and runs commands in containers."""
MENDING_SECONDS, MENDING_SHARE = 5.0, 4
"""The same while there is some, which may be mended any moment."""
UNSEEN = frozenset({"access-publish"})
"""Operations on files of the host that a keeper doesn't see, such as /etc/hosts."""
BEAT_SECONDS = 5.0
"""How often an idle stream sends a comment, which fails where the client is gone."""
MOST = 16
"""How many may follow at a time."""
WORKS, STARTING, BROKEN = "works", "starting", "broken"


class Watch:
    """Looks at a stack's containers while somebody follows, and tells what has changed."""

    def __init__(self, stack: str, directory: Path, journal: Journal, keeper: str) -> None:
        """Look at nothing yet.

        Args:
            stack: the stack.
            directory: its directory on this host.
            journal: what happened; changes are told to those who follow it.
            keeper: the keeper's container, whose restart mends bridges.
        """
        self._stack, self._directory, self._journal, self._keeper = stack, directory, journal, keeper
        self._impairments = Impairments(directory)
        self._pool = ThreadPoolExecutor(max_workers=8)
        self._lock = threading.Lock()
        self._woken = threading.Condition()
        self._due: set[str] = set()
        self._loops: list[threading.Thread] = []
        self._containers: dict[str, dict[str, Any]] = {}
        self._bridges: list[dict[str, Any]] = []
        self._resources: list[dict[str, Any]] = []
        self._recovered: dict[str, float] = {}

    def happened(self, name: str) -> None:
        """Have a container looked at now: something has happened to it."""
        with self._woken:
            self._due.add(name)
            self._woken.notify()

    def ended(self, name: str) -> None:
        """Tell of a container that it has ended, before anybody looks: the engine has said so."""
        before = self._containers.get(name)
        if before and before["status"] == "running":
            fault = ["the container is exited", f"docker start {name}"]
            self._changed(name, {**before, "status": "exited", "level": BROKEN, "programs": [], "faults": [fault]})

    def answer(self, request: BaseHTTPRequestHandler) -> bool:
        """Answer a question to the keeper, if it is one for the portal; return whether it was."""
        path, _, query = request.path.partition("?")
        if path not in (EVENTS, LOGS):
            return False
        if not self._is_allowed(request.headers.get("Authorization", "")):
            request.send_error(HTTPStatus.FORBIDDEN)
        elif path == EVENTS:
            self._stream(request)
        else:
            self._tell_logs(request, urllib.parse.parse_qs(query).get("container", [""])[0])
        return True

    def state(self) -> dict[str, Any]:
        """Return all that is known, after a look at all."""
        self._look_at_bridges()
        self._look(None)
        return {
            "containers": list(self._containers.values()),
            "bridges": self._bridges,
            "resources": self._resources,
            "events": self._journal.events(),
        }

    def _is_allowed(self, given: str) -> bool:
        kind, _, token = given.partition(" ")
        try:
            wanted = (self._directory / TOKEN).read_text().strip()
        except OSError:
            return False
        digest = hashlib.sha256(token.encode()).hexdigest()
        return kind == "Bearer" and bool(token) and hmac.compare_digest(digest, wanted)

    def _tell_logs(self, request: BaseHTTPRequestHandler, name: str) -> None:
        # Of this stack's containers only: the engine has others' as well.
        if name not in {docker_api.name(each) for each in docker_api.containers(self._stack)}:
            request.send_error(HTTPStatus.NOT_FOUND)
            return
        body = json.dumps(tails.of(name)).encode()
        request.send_response(HTTPStatus.OK)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _stream(self, request: BaseHTTPRequestHandler) -> None:
        if self._journal.followed >= MOST:
            request.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        with self._journal.follow() as told:
            request.send_response(HTTPStatus.OK)
            request.send_header("Content-Type", "text/event-stream")
            request.send_header("Cache-Control", "no-store")
            request.end_headers()
            try:
                self._journal.read_records(self._directory)
                _send(request, "state", self.state())
                self._run()
                while True:
                    try:
                        message = told.get(timeout=BEAT_SECONDS)
                    except queue.Empty:
                        request.wfile.write(b":\n\n")
                        continue
                    if message is None:
                        return
                    _send(request, *message)
            except OSError:
                # The client has gone.
                return

    def _run(self) -> None:
        with self._woken:
            self._loops = [each for each in self._loops if each.is_alive()]
            if not self._loops:
                self._loops = [
                    threading.Thread(target=loop, daemon=True) for loop in (self._keep_looking, self._look_for_drift)
                ]
                for each in self._loops:
                    each.start()

    def _keep_looking(self) -> None:
        next_look = next_bridges = 0.0
        while self._journal.followed:
            began = time.monotonic()
            with self._woken:
                due, self._due = self._due, set()
            if began >= next_bridges:
                self._look_at_bridges()
                next_bridges = began + BRIDGE_SECONDS
            if began >= next_look:
                self._journal.read_records(self._directory)
                self._look(None)
                spent = time.monotonic() - began
                next_look = began + max(LOOK_SECONDS, SHARE * spent)
            elif due:
                self._look(due)
            with self._woken:
                if not self._due:
                    self._woken.wait(max(0.0, next_look - time.monotonic()))

    def _look(self, names: set[str] | None) -> None:
        """Look at some containers, or at all, and tell what has changed."""
        with self._lock:
            try:
                inspection = Inspection(self._stack)
            except (CommandFailed, OSError):
                # While the engine or the switch is gone, the next look may find them again.
                return
            impaired = {name: str(each) for name, each in self._impairments.all().items()}
            wanted = [name for name in inspection.labels if names is None or name in names]
            for name, seen in zip(wanted, self._seen(inspection, wanted), strict=True):
                if seen is not None:
                    self._changed(name, self._told(seen, inspection.labels[name], impaired.get(name, "")))
            for name in self._containers.keys() - inspection.labels.keys():
                del self._containers[name]
                self._journal.tell("gone", {"name": name})

    def _seen(self, inspection: Inspection, names: Iterable[str]) -> list[Seen | None]:
        def looked(name: str) -> Seen | None:
            try:
                return report.look_at(inspection, self._stack, name)
            except (CommandFailed, OSError):
                # It ended while it was looked at.
                return None

        return list(self._pool.map(looked, names))

    def _told(self, seen: Seen, given: Mapping[str, str], impaired: str) -> dict[str, Any]:
        found = seen.container
        holds = given.get(labels.ROLE) == vip.HOLDER and found.pid and vip.is_held_by(found.pid)
        return {
            "name": found.name,
            "role": given.get(labels.ROLE, ""),
            "status": found.status,
            "started": found.started,
            "level": STARTING if seen.starting else BROKEN if seen.problems else WORKS,
            "programs": [[each.name, each.state, each.reason] for each in found.programs],
            "faults": [[each.reason, each.mend] for each in seen.problems],
            "ports": [
                [port.interface, port.bridge, port.address, port.mac] for port in ports.Port.of(found.name, given)
            ],
            "impaired": impaired,
            "holds_vip": bool(holds),
        }

    def _changed(self, name: str, told: dict[str, Any]) -> None:
        before = self._containers.get(name)
        if told == before:
            return
        self._containers[name] = told
        self._journal.tell("container", told)
        if before and before["level"] != WORKS and told["level"] == WORKS:
            # What was found of its drift is out of date.
            self._recovered[name] = time.monotonic()
            self._tell_resources([_forgiven(each) if each["container"] == name else each for each in self._resources])
        # That a container ended, the engine tells by itself.
        if before and before["level"] != told["level"] and told["status"] == "running":
            if told["level"] == BROKEN:
                self._journal.record(BROKEN, name, "; ".join(reason for reason, _ in told["faults"]))
            elif told["level"] == WORKS:
                self._journal.record(WORKS, name, "works")
        if before and told["holds_vip"] and not before["holds_vip"]:
            self._journal.record("vip", name, "holds the VIP")

    def _look_at_bridges(self) -> None:
        try:
            found = [self._bridge(name, identifiers) for name, identifiers in ovs.bridges(self._stack).items()]
        except (CommandFailed, OSError):
            return
        if found != self._bridges:
            self._bridges = found
            self._journal.tell("bridges", found)

    def _bridge(self, name: str, identifiers: dict[str, str]) -> dict[str, Any]:
        recorded, way = bridges.Bridge.recorded(name, identifiers), ways.recorded(identifiers)
        problems = report.of_bridge(name, identifiers, self._keeper)
        return {
            "name": name,
            "network": recorded.network,
            "address": recorded.address,
            "joined_by": way.link if way else "",
            "peers": list(way.peers) if way else [],
            "faults": [[each.reason, each.mend] for each in problems],
        }

    def _look_for_drift(self) -> None:
        next_look = 0.0
        while self._journal.followed:
            began = time.monotonic()
            if began < next_look:
                time.sleep(LOOK_SECONDS)
                continue
            found = [
                _forgiven(each) if self._recovered.get(each["container"], 0.0) > began else each
                for each in self._drifted()
            ]
            before = {(each["operation"], each["subject"]): each["reason"] for each in self._resources}
            for each in found:
                reason = before.get((each["operation"], each["subject"]), "")
                if each["reason"] and each["reason"] != reason:
                    self._journal.record("drift", each["container"], each["reason"])
            self._tell_resources(found)
            spent = time.monotonic() - began
            if any(each["reason"] for each in found):
                next_look = began + max(MENDING_SECONDS, MENDING_SHARE * spent)
            else:
                next_look = began + max(DRIFT_SECONDS, DRIFT_SHARE * spent)

    def _tell_resources(self, found: list[dict[str, Any]]) -> None:
        if found != self._resources:
            self._resources = found
            self._journal.tell("resources", found)

    def _drifted(self) -> list[dict[str, Any]]:
        """Return each record of what was brought about on this host, and what is different from it by now."""
        told = []
        for (operation, subject), future in drift.detect(self._directory, self._stack).items():
            if operation in UNSEEN:
                continue
            finding = future.result()
            told.append(
                {
                    "operation": operation,
                    "subject": subject,
                    "container": subject.partition(" ")[0],
                    "reason": finding.reason,
                    "mend": finding.remedy if finding.reason else "",
                }
            )
        return sorted(told, key=lambda each: (each["subject"], each["operation"]))


def _forgiven(resource: dict[str, Any]) -> dict[str, Any]:
    return {**resource, "reason": "", "mend": ""}


def _send(request: BaseHTTPRequestHandler, what: str, told: object) -> None:
    request.wfile.write(f"event: {what}\ndata: {json.dumps(told)}\n\n".encode())
