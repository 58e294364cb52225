"""The keeper: puts ports back after restarts that nobody announced, and publishes the addresses of what runs.

It also starts again what was killed, or what a supervisord gave up, and impairs the ports that are to be impaired.

It keeps no state of its own. What a container needs is in the container's labels, what a bridge needs is in the
bridge's external_ids, so after any loss it only has to look.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from hostside import batch, docker_api, leaving, metrics, ovs, ports, probes, programs, records, ways
from hostside import bridge as bridges
from hostside import labels as names
from hostside.errors import StepError
from hostside.gatherer import Gatherer
from hostside.impairment import Impairments
from hostside.journal import Journal
from hostside.process import CommandFailed, run
from hostside.watch import Watch

T = TypeVar("T")

METRICS = "DOCKSTACK_METRICS"
"""Variable with address and port at which it serves metrics; none where it isn't set."""
RECONCILE_SECONDS = 10.0
"""How often everything is compared, besides on events: repairs what a person or another program took away."""
GATHER_SECONDS = 0.8
"""How long what starts or ends after another is gathered, to change the switch for all of it at once."""
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
        self._impairments = Impairments(directory)
        self._counters = metrics.Counters()
        self._served = False
        self._journal = Journal()
        self._watch = Watch(stack, directory, self._journal, f"{stack}-keeper")
        self._directory = directory
        self._pool = ThreadPoolExecutor(max_workers=8)
        self._starts = Gatherer(GATHER_SECONDS, partial(self._guarded, "ports", self._started))
        self._ends = Gatherer(GATHER_SECONDS, partial(self._guarded, "ports", self._ended))
        self._stopped: dict[str, float] = {}
        self._resumed: dict[str, float] = {}
        self._ending = threading.Event()

    def run(self) -> None:
        """Work until SIGTERM, or until the engine is gone."""
        signal.signal(signal.SIGTERM, self._end)
        threading.Thread(target=self._reconcile_regularly, daemon=True).start()
        threading.Thread(target=self._follow, daemon=True).start()
        self._ending.wait()
        # Containers that ended just before the keeper have their records removed, too.
        self._guarded("reconcile", self.reconcile)

    def reconcile(self) -> None:
        """Compare everything there is with what the labels ask for, and mend it."""
        for name, identifiers in ovs.bridges(self._stack).items():
            if bridges.restore(bridges.Bridge.recorded(name, identifiers)):
                self._report("bridge", name, "put the host's address back")
            way = ways.recorded(identifiers)
            if way is not None and ways.lack(way):
                self._rejoin(name)
        self._guarded("metrics", self._serve)
        listed = {docker_api.name(summary): summary for summary in docker_api.containers(self._stack)}
        held = ovs.ports_by_container()
        self._compare({name: s for name, s in listed.items() if s["State"] == "running"}, held)
        jobs = [
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
        jobs += [
            self._pool.submit(self._guarded, name, self._impair, name)
            for name in self._impairments.all()
            if name in listed
        ]
        for job in jobs:
            job.result()
        running = {name for name, summary in listed.items() if summary["State"] == "running"}
        mine = self._ports() if any(owner not in running for owner in held) else set()
        stale = {
            name: owner
            for owner in held.keys() - running
            for name in mine.intersection(name for names in held[owner].values() for name in names)
            if not _runs(owner)
        }
        ports.remove(stale)
        for name, owner in stale.items():
            self._report("port", owner, f"removed its stale port {name}")
        # One by one, by name: what has started meanwhile has a record that is not among these.
        for name in self._records.names() - running:
            if not _runs(name):
                self._records.remove(name)

    def _serve(self) -> None:
        """Serve metrics, as soon as the address is there."""
        address, _, port = os.environ.get(METRICS, "").rpartition(":")
        if self._served or not address:
            return
        metrics.serve(
            address,
            int(port),
            lambda: metrics.text(self._stack, self._counters, self._impairments.all()),
            self._watch.answer,
        )
        self._served = True
        log(f"metrics: http://{address}:{port}{metrics.PATH}")

    def _rejoin(self, bridge: str) -> None:
        """Put back what joins a bridge with other hosts, unless an operation is about to."""
        with ports.locked([bridges.LOCK], self._locks):
            way = ways.recorded(ovs.bridges(self._stack).get(bridge, {}))
            if way is not None and ways.restore(way):
                self._report("bridge", bridge, "joined it with the other hosts again")

    def _follow(self) -> None:
        while not self._ending.is_set():
            try:
                for event in docker_api.events(self._stack):
                    if not event:
                        # Subscribed: whatever happened before now is found by a look at everything.
                        # On a thread of its own: it waits for the pool's workers.
                        threading.Thread(target=self._guarded, args=("reconcile", self.reconcile), daemon=True).start()
                        continue
                    attributes = event["Actor"]["Attributes"]
                    self._pool.submit(
                        self._guarded, attributes["name"], self._handle, event["Action"], attributes["name"], attributes
                    )
            except docker_api.EngineGone as error:
                # The socket that is mounted here is that of the engine that is gone; the next one makes another.
                # It starts this container again, as all that are to run and don't.
                log(f"{error}; ending until it is back")
                os.kill(os.getppid(), signal.SIGTERM)
                return
            except docker_api.EngineError as error:
                log(f"{error}; trying again")
                time.sleep(0.2)

    def _handle(self, action: str, name: str, labels: Mapping[str, str]) -> None:
        if action == "start":
            self._stopped.pop(name, None)
            self._counters.started(name)
            self._tell("started", name, "started")
            self._starts.add(name, labels)
        elif action == "stop":
            self._stopped[name] = time.monotonic()
            self._tell("stopped", name, "stopped, as it was asked to")
        elif action == "die":
            if _runs(name):
                # Started again before this was read: its new start takes care of the port.
                return
            self._watch.ended(name)
            self._tell("ended", name, f"ended with status {labels.get('exitCode', 'unknown')}")
            self._records.remove(name)
            if names.BRIDGE in labels:
                self._ends.add(name, labels)
            # Not in a worker: a hundred ends at once must not keep a start waiting.
            timer = threading.Timer(STOP_NOTICE_SECONDS, self._guarded, (name, self._restart_if_killed, name))
            timer.daemon = True
            timer.start()
        elif action == "destroy":
            self._stopped.pop(name, None)
            self._tell("removed", name, "removed")

    def _compare(self, running: Mapping[str, Mapping[str, Any]], held: Mapping[str, ovs.Held]) -> None:
        """Give those their ports that lack them, and publish the addresses of all."""
        left_alone = leaving.going(self._directory)
        looked = {
            name: self._pool.submit(self._guarded, name, ports.present, name, held.get(name, {}))
            for name in running
            if running[name]["Id"] not in left_alone
        }
        # None where a container could not be inspected, such as one that ended meanwhile: the next round does it.
        present = {name: job.result() for name, job in looked.items()}
        for name in (name for name, is_present in present.items() if is_present):
            self._publish(name, running[name]["Labels"])
        lacking = {name: running[name]["Labels"] for name, is_present in present.items() if is_present is False}
        for name in self._started(lacking):
            self._counters.repaired(name)

    def _started(self, group: Mapping[str, Mapping[str, str]]) -> list[str]:
        """Give containers their ports, unless they have them already, and publish their addresses.

        Returns:
            Those that got theirs here.
        """
        attached = []
        for name, done in batch.attach(group, self._locks).items():
            if isinstance(done, StepError):
                # The error names the container.
                log(str(done))
                continue
            if done == "attached":
                attached.append(name)
                self._report("port", name, "attached its port")
            if done != "none":
                self._publish(name, group[name])
                self._guarded(name, self._impair, name)
        return attached

    def _publish(self, name: str, labels: Mapping[str, str]) -> None:
        if names.FQDN in labels and labels.get(names.ADDRESS):
            self._records.add(name, labels[names.ADDRESS].split("/")[0], labels[names.FQDN])

    def _impair(self, name: str) -> None:
        if self._impairments.apply(name):
            self._report("impaired", name, "impaired its ports again")

    def _ended(self, group: Mapping[str, Mapping[str, str]]) -> None:
        batch.detach(group, self._stack, self._locks)

    def _probed(self, name: str) -> None:
        # A probe that was started anew comes after its interval: not to be started anew before that.
        now = time.monotonic()
        if now - self._resumed.get(name, -PROBE_SECONDS) >= PROBE_SECONDS and probes.resume(name):
            self._resumed[name] = now
            self._report("mended", name, "its health probes had ceased, started them anew")

    def _start_given_up(self, name: str) -> None:
        """Start what supervisord gave up in a container: the reason, such as a full disk, may have gone since."""
        pid = docker_api.pid(name)
        if pid is None:
            return
        for program in programs.start_given_up(name, programs.SOCKET.format(pid=pid)):
            self._report("mended", name, f"its program {program} had been given up, starting it again")

    def _restart_if_killed(self, name: str) -> None:
        """Start a container again that was killed: Docker takes `docker kill` for a wish and leaves it down."""
        if self._ending.is_set() or name in self._stopped:
            return
        found = docker_api.inspect(name)
        if found is None or found["HostConfig"]["RestartPolicy"]["Name"] in ("", "no"):
            return
        if found["State"]["Status"] == "exited":
            self._report("killed", name, "was killed, starting it again")
            docker_api.start(name)

    def _ports(self) -> set[str]:
        """Return the names of the ports on this stack's bridges."""
        return {
            name
            for bridge in ovs.bridges(self._stack)
            for name in run(["ovs-vsctl", "--timeout=30", "list-ports", bridge]).split()
        }

    def _reconcile_regularly(self) -> None:
        while not self._ending.wait(RECONCILE_SECONDS):
            self._guarded("reconcile", self.reconcile)

    def _guarded(self, what: str, work: Callable[..., T], *arguments: Any) -> T | None:
        """Return what a piece of work does; a failure is logged and gives None, and the next time tries again."""
        try:
            return work(*arguments)
        except StepError as error:
            # It names its container by itself.
            log(str(error))
        except (CommandFailed, OSError) as error:
            log(f"{what}: {error}")
        return None

    def _report(self, kind: str, name: str, text: str) -> None:
        """Log what was done, and tell it."""
        log(f"{name}: {text}")
        self._tell(kind, name, text)

    def _tell(self, kind: str, name: str, text: str) -> None:
        self._journal.record(kind, name, text)
        self._watch.happened(name)

    def _end(self, _signal: int, _frame: FrameType | None) -> None:
        self._ending.set()


def _runs(container: str) -> bool:
    found = docker_api.inspect(container)
    return found is not None and bool(found["State"]["Running"])


def log(message: str) -> None:
    """Write a line to the container's log."""
    print(f"{time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)
