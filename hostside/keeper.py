"""The keeper: puts ports back after restarts that nobody announced, and publishes the addresses of what runs.

It also starts again what was killed, or what a supervisord gave up.

It keeps no state of its own. What a container needs is in the container's labels, what a bridge needs is in the
bridge's external_ids, so after any loss it only has to look.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

from hostside import bridge as bridges
from hostside import engine, ovs, ports, probes, programs, records
from hostside.errors import StepError
from hostside.process import CommandFailed, run

SWEEP_SECONDS = 10.0
"""How often everything is compared, besides on events: repairs what a person or another program took away."""
STOP_NOTICE_SECONDS = 0.5
"""How long after a container's end the engine may take to say that the end was asked for (`docker stop`)."""

PROBE_SECONDS = 120.0
"""How long health probes that were started anew are given to show."""


class Keeper:
    """Follows the engine's events for the containers of one stack."""

    def __init__(self, stack: str, directory: Path) -> None:
        """Take the stack's name and its directory on this host."""
        self._stack = stack
        self._locks = directory / "locks"
        self._records = records.Records(directory / "records")
        self._pool = ThreadPoolExecutor(max_workers=8)
        self._stopped: dict[str, float] = {}
        self._resumed: dict[str, float] = {}
        self._ending = threading.Event()

    def run(self) -> None:
        """Work until SIGTERM, or until the engine is gone."""
        signal.signal(signal.SIGTERM, self._end)
        threading.Thread(target=self._sweep_regularly, daemon=True).start()
        threading.Thread(target=self._follow, daemon=True).start()
        self._ending.wait()
        # The last containers' ends may have come just before ours.
        self._guarded("sweep", self.sweep)

    def sweep(self) -> None:
        """Compare everything there is with what the labels ask for, and mend it."""
        for name, identifiers in ovs.bridges(self._stack).items():
            if bridges.restore(bridges.Bridge.recorded(name, identifiers)):
                log(f"{name}: put the host's address back")
        listed = {engine.name(summary): summary for summary in engine.containers(self._stack)}
        held = ovs.ports_by_container()
        jobs = [
            self._pool.submit(self._guarded, name, self._started, name, summary["Labels"], held.get(name, {}))
            for name, summary in listed.items()
            if summary["State"] == "running"
        ]
        jobs += [
            self._pool.submit(self._guarded, name, self._probed, name)
            for name, summary in listed.items()
            if "health" in summary["Status"]
        ]
        # Docker's health is cheaper to look at than every supervisord, and knows of what it gave up in 20 s.
        jobs += [
            self._pool.submit(self._guarded, name, self._start_given_up, name)
            for name, summary in listed.items()
            if "(unhealthy)" in summary["Status"]
        ]
        for job in jobs:
            job.result()
        running = {name for name, summary in listed.items() if summary["State"] == "running"}
        mine = self._ports() if any(owner not in running for owner in held) else set()
        for owner in held.keys() - running:
            for name in mine.intersection(name for names in held[owner].values() for name in names):
                if not _runs(owner):
                    run(["ovs-vsctl", "--timeout=30", "--if-exists", "del-port", name])
                    log(f"{owner}: removed its stale port {name}")
        self._records.keep_only(running | {name for name in self._records.names() - running if _runs(name)})

    def _follow(self) -> None:
        while not self._ending.is_set():
            try:
                for event in engine.events(self._stack):
                    if not event:
                        # Subscribed: whatever happened before now is found by a look at everything.
                        # On a thread of its own: it waits for the pool's workers.
                        threading.Thread(target=self._guarded, args=("sweep", self.sweep), daemon=True).start()
                        continue
                    attributes = event["Actor"]["Attributes"]
                    self._pool.submit(
                        self._guarded, attributes["name"], self._handle, event["Action"], attributes["name"], attributes
                    )
            except engine.EngineGone as error:
                # The socket that is mounted here is that of the engine that is gone; the next one makes another.
                # It starts this container again, as all that are to run and don't.
                log(f"{error}; ending until it is back")
                os.kill(os.getppid(), signal.SIGTERM)
                return
            except engine.EngineError as error:
                log(f"{error}; trying again")
                time.sleep(0.2)

    def _handle(self, action: str, name: str, labels: Mapping[str, str]) -> None:
        if action == "start":
            self._started(name, labels)
        elif action == "stop":
            self._stopped[name] = time.monotonic()
        elif action == "die":
            if _runs(name):
                # Started again before this was read: its new start takes care of the port.
                return
            self._records.remove(name)
            if "dockstack.bridge" in labels:
                ports.detach(name, self._stack, self._locks)
            # Not in a worker: a hundred ends at once must not keep a start waiting.
            timer = threading.Timer(STOP_NOTICE_SECONDS, self._guarded, (name, self._restart_if_killed, name))
            timer.daemon = True
            timer.start()
        elif action == "destroy":
            self._stopped.pop(name, None)

    def _started(self, name: str, labels: Mapping[str, str], held: ovs.Held | None = None) -> None:
        """Give a container its ports, unless those that it holds are right already, and publish its address."""
        self._stopped.pop(name, None)
        done = "present" if held and ports.present(name, held) else ports.attach(name, self._locks)
        if done == "attached":
            log(f"{name}: attached its port")
        if done == "none":
            return
        if "dockstack.fqdn" in labels and labels.get("dockstack.address"):
            self._records.add(name, labels["dockstack.address"].split("/")[0], labels["dockstack.fqdn"])

    def _probed(self, name: str) -> None:
        # A probe that was started anew comes after its interval: not to be started anew before that.
        now = time.monotonic()
        if now - self._resumed.get(name, -PROBE_SECONDS) >= PROBE_SECONDS and probes.resume(name):
            self._resumed[name] = now
            log(f"{name}: its health probes had ceased, started them anew")

    def _start_given_up(self, name: str) -> None:
        """Start what supervisord gave up in a container: the reason, such as a full disk, may have gone since."""
        found = engine.inspect(name)
        if found is None or not found["State"]["Running"]:
            return
        for program in programs.start_given_up(name, programs.SOCKET.format(pid=found["State"]["Pid"])):
            log(f"{name}: its program {program} had been given up, starting it again")

    def _restart_if_killed(self, name: str) -> None:
        """Start a container again that was killed: Docker takes `docker kill` for a wish and leaves it down."""
        if self._ending.is_set() or name in self._stopped:
            return
        found = engine.inspect(name)
        if found is None or found["HostConfig"]["RestartPolicy"]["Name"] in ("", "no"):
            return
        if found["State"]["Status"] == "exited":
            log(f"{name}: was killed, starting it again")
            engine.start(name)

    def _ports(self) -> set[str]:
        """Return the names of the ports on this stack's bridges."""
        return {
            name
            for bridge in ovs.bridges(self._stack)
            for name in run(["ovs-vsctl", "--timeout=30", "list-ports", bridge]).split()
        }

    def _sweep_regularly(self) -> None:
        while not self._ending.wait(SWEEP_SECONDS):
            self._guarded("sweep", self.sweep)

    def _guarded(self, what: str, work: Any, *arguments: Any) -> None:
        """Run a piece of work; a failure is logged, and the next sweep tries again."""
        try:
            work(*arguments)
        except StepError as error:
            # It names its container by itself.
            log(str(error))
        except (CommandFailed, OSError) as error:
            log(f"{what}: {error}")

    def _end(self, _signal: int, _frame: FrameType | None) -> None:
        self._ending.set()


def _runs(container: str) -> bool:
    found = engine.inspect(container)
    return found is not None and bool(found["State"]["Running"])


def log(message: str) -> None:
    """Write a line to the container's log."""
    print(f"{time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)
