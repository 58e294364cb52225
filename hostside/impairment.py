"""Impaired ports: delay, loss and a limited rate, in both directions of a container's ports.

The kernel's netem (tc-netem(8)) does all three. A kernel without it limits the rate by a token bucket (tc-tbf(8)), and
loses packets by a program of four instructions in the traffic classifier (tc-bpf(8)); delay it has none.
What a container's ports are impaired by is a file in the stack's directory, so that the keeper impairs them again after
each restart of the container, and nothing outlives the lab.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from hostside import docker_api, files, namespace, ovs, ports
from hostside.errors import Refused, StepError
from hostside.process import CommandFailed, run, succeeds

DIRECTORY = "impairments"
"""Below the stack's directory: a file for each container whose ports are impaired."""
STEP = "impairing its ports"
QUEUE_PACKETS = 20000
"""How many packets wait at most while they are delayed; with netem's 1000, a fast link would lose most of them."""
BUCKET_SECONDS = 0.01
"""How much at a time the token bucket lets pass at least: the kernel fills it at every tick."""
BUCKET_BYTES = 2 * 9000
"""At least so much, whatever the rate: a packet larger than the bucket would never pass."""
WAIT = "50ms"
"""How long a packet waits for the bucket before it is lost."""
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
_TIME, _SHARE, _RATE = (re.compile(rf"(\d+(?:\.\d+)?)({units})") for units in ("us|ms|s", "%", "kbit|mbit|gbit"))
LONGEST_SECONDS = 60.0
SLOWEST_BITS = 8e3


@dataclass(frozen=True)
class Impairment:
    """What becomes of each packet, on its way out of a container and on its way in; empty for nothing."""

    delay: str = ""
    jitter: str = ""
    loss: str = ""
    rate: str = ""

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in asdict(self).items() if value)

    @property
    def handle(self) -> str:
        """Return the number that the kernel is given for what is set up: another impairment has another."""
        return f"{int(hashlib.sha256(str(self).encode()).hexdigest(), 16) % 0xFFFE + 1:x}"

    def faults(self) -> list[str]:
        """Return what is wrong with it, each with what it should look like."""
        found = []
        if not str(self):
            found.append("there is nothing to do: give DELAY=50ms, JITTER=5ms, LOSS=1% or RATE=10mbit, or CLEAR=1.")
        for name, value in (("DELAY", self.delay), ("JITTER", self.jitter)):
            if value and not 0 < amount(value, _TIME) <= LONGEST_SECONDS:
                found.append(f"{name}={value} is no time from 1us to 60s: give a number and one of us, ms, s.")
        if self.loss and not 0 < amount(self.loss, _SHARE) <= 100:
            found.append(f"LOSS={self.loss} is no share: give a number above 0 and up to 100, and %.")
        if self.rate and amount(self.rate, _RATE) < SLOWEST_BITS:
            found.append(f"RATE={self.rate} is no rate from 8kbit: give a number and one of kbit, mbit, gbit.")
        if self.jitter and not self.delay:
            found.append("JITTER=... varies a delay: give DELAY=... as well.")
        return found


def amount(text: str, form: re.Pattern[str]) -> float:
    """Return a quantity in seconds, bits a second or per cent; -1 for what isn't one."""
    found = form.fullmatch(text)
    return float(found[1]) * _UNITS.get(found[2], 1.0) if found else -1


@cache
def has_netem() -> bool:
    """Say whether this kernel has netem, loaded or loadable: tried in a network namespace that ends with the try."""
    return succeeds(["unshare", "--net", "tc", "qdisc", "add", "dev", "lo", "root", "netem"])


def lacking(impairment: Impairment) -> str:
    """Return what of an impairment this kernel can't do, as a sentence; nothing where it can do all."""
    if impairment.delay and not has_netem():
        return "this kernel has no sch_netem, without which DELAY and JITTER can't be had; LOSS and RATE can."
    return ""


def commands(impairment: Impairment, interface: str, netem: bool) -> list[list[str]]:
    """Return the commands that impair what leaves by an interface, over whatever it was impaired by before."""
    root = ["tc", "qdisc", "replace", "dev", interface, "root", "handle", f"{impairment.handle}:"]
    if netem:
        delayed = ["delay", impairment.delay, *([impairment.jitter] if impairment.jitter else [])]
        return [
            [
                *root, "netem", "limit", str(QUEUE_PACKETS),
                *(delayed if impairment.delay else []),
                *(["loss", impairment.loss] if impairment.loss else []),
                *(["rate", impairment.rate] if impairment.rate else []),
            ]
        ]  # fmt: skip
    # With none of a rate, the mark that it was set up is a queue that does nothing else.
    made = [[*root, "pfifo"]]
    if impairment.rate:
        burst = int(max(BUCKET_BYTES, amount(impairment.rate, _RATE) / 8 * BUCKET_SECONDS))
        made = [[*root, "tbf", "rate", impairment.rate, "burst", str(burst), "latency", WAIT]]
    if impairment.loss:
        made += [
            ["tc", "qdisc", "replace", "dev", interface, "clsact"],
            ["tc", "filter", "replace", "dev", interface, "egress", "pref", "1", "handle", "1", "bpf", "direct-action",
             "bytecode", _losing(amount(impairment.loss, _SHARE))],
        ]  # fmt: skip
    return made


def _losing(per_cent: float) -> str:
    """Return a classic BPF program, as tc-bpf(8) takes it, that takes away a share of the packets.

    It loads a random number (linux/filter.h: SKF_AD_OFF + SKF_AD_RANDOM) and returns -1 (go on) or 4 (TC_ACT_STOLEN:
    gone, without the sender being told, as it would be by TC_ACT_SHOT).
    """
    below = min(0xFFFFFFFF, int(per_cent / 100 * 2**32))
    kept = "6 0 0 4" if per_cent >= 100 else "6 0 0 4294967295"
    return f"4,32 0 0 4294963256,53 0 1 {below},{kept},6 0 0 4"


def impose(stack: str, directory: Path, container: str, wanted: Impairment) -> None:
    """Impair the ports of a container of this host.

    Args:
        stack: the stack.
        directory: its directory on this host.
        container: the container.
        wanted: by what.

    Raises:
        Refused: when the container doesn't run here, or this kernel can't do that.
        StepError: when the kernel refuses.
        OSError: when the engine can't be asked.
    """
    docker_api.process_of(stack, container)
    if reason := lacking(wanted):
        raise Refused(reason)
    Impairments(directory).set(container, wanted)


def relieve(directory: Path, container: str) -> list[str]:
    """Let the ports of a container of this host, or of all where it is empty, be as they were; return whose were not.

    Raises:
        OSError: when the engine can't be asked.
    """
    kept = Impairments(directory)
    impaired = [name for name in kept.all() if container in ("", name)]
    for name in impaired:
        kept.clear(name)
    return impaired


class Impairments:
    """The impaired ports of a stack on this host."""

    def __init__(self, directory: Path) -> None:
        """Take the stack's directory on this host."""
        self._files, self._locks = directory / DIRECTORY, directory / "locks"

    def all(self) -> dict[str, Impairment]:
        """Return the impairments by container."""
        listed = {path.stem: self.of(path.stem) for path in sorted(self._files.glob("*.json"))}
        return {name: found for name, found in listed.items() if found}

    def of(self, container: str) -> Impairment | None:
        """Return what a container's ports are impaired by; None for nothing."""
        try:
            given: Mapping[str, str] = json.loads(self._path(container).read_text())
            return Impairment(**given)
        except (FileNotFoundError, ValueError, TypeError):
            # What a power cut left of it is as good as none.
            return None

    def set(self, container: str, impairment: Impairment) -> None:
        """Impair a container's ports from now on, until :meth:`clear`, by this and nothing else.

        Raises:
            StepError: the kernel refuses; then nothing is impaired.
        """
        self.clear(container)
        files.put(self._path(container), json.dumps(asdict(impairment), sort_keys=True), 0o600)
        try:
            self.apply(container)
        except StepError:
            self.clear(container)
            raise

    def clear(self, container: str) -> None:
        """Let a container's ports be as they were; those that aren't impaired are left alone."""
        with ports.locked([container], self._locks):
            if self.of(container) is None:
                return
            self._path(container).unlink(missing_ok=True)
            for enter, interface in _ends(container):
                for parent in ("root", "clsact"):
                    succeeds([*enter, "tc", "qdisc", "delete", "dev", interface, parent])

    def apply(self, container: str) -> bool:
        """Impair a container's ports as they are to be; say whether they were not.

        Raises:
            StepError: the kernel refuses.
        """
        changed = False
        with ports.locked([container], self._locks):
            wanted = self.of(container)
            if wanted is None:
                return False
            try:
                for enter, interface in _ends(container):
                    if f" {wanted.handle}: root " in run([*enter, "tc", "qdisc", "show", "dev", interface]):
                        continue
                    changed = True
                    for command in commands(wanted, interface, has_netem()):
                        run([*enter, *command])
            except CommandFailed as error:
                raise StepError(container, STEP, str(error)) from error
        return changed

    def _path(self, container: str) -> Path:
        return self._files / f"{container}.json"


def _ends(container: str) -> list[tuple[Sequence[str], str]]:
    """Return both ends of each port that a container has: how to get to where it is, and its name there."""
    pid, wanted = ports.running(container)
    held = ovs.ports_of(container) if wanted else {}
    found: list[tuple[Sequence[str], str]] = []
    for port in wanted:
        if namespace.has(pid, port.interface):
            found.append((ports.inside(pid), port.interface))
        found += [((), name) for name in ports.own(held.get(port.interface, []), port.stack)]
    return found
