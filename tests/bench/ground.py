"""The ground that the contenders share: subnet, names, bridge, and looking at what they made from outside."""

from __future__ import annotations

import ipaddress
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hostside import bridge as bridges
from tests.bench import echo
from tests.lab.harness import HOME, run

NETNS = Path("/run/netns")
LINKS = Path("/sys/class/net")
MTU = 1500
SAMPLES = 5
"""How many containers are asked for an echo through the bridge."""
ECHOES = 5


class NotWired(Exception):
    """A contender's containers are not as they have to be, or something of them is left."""


@dataclass(frozen=True)
class Wanted:
    """A container that a contender has to make."""

    name: str
    address: str


@dataclass(frozen=True)
class Ground:
    """Where a measurement takes place. The first address of the network is the host's, the last one stays free."""

    name: str
    """Stack, prefix of the containers, and, after ``br-``, bridge."""
    network: ipaddress.IPv4Network

    @property
    def bridge(self) -> str:
        """Return the bridge's name."""
        return f"br-{self.name}"

    @property
    def gateway(self) -> str:
        """Return the host's address on the bridge."""
        return str(self.network[1])

    @property
    def prefix(self) -> int:
        """Return the network's prefix length."""
        return self.network.prefixlen

    @property
    def _described(self) -> bridges.Bridge:
        return bridges.Bridge(self.bridge, self.name, str(self.network), f"{self.gateway}/{self.prefix}", MTU)

    def containers(self, count: int) -> list[Wanted]:
        """Return the containers to make.

        Raises:
            ValueError: when the network has not so many addresses.
        """
        if count < 1 or count > self.network.num_addresses - 14:
            raise ValueError(f"{self.network} has no room for {count} containers")
        return [Wanted(f"{self.name}-{n}", str(self.network[9 + n])) for n in range(1, count + 1)]

    def lay(self) -> None:
        """Make the bridge, for contenders that don't do it themselves: as ours does, the blackhole route first."""
        bridges.up(self._described)

    def lift(self) -> None:
        """Remove the bridge and the blackhole route."""
        bridges.down(self._described)

    def clear(self) -> None:
        """Remove all that carries this ground's name, whoever made it and however far it had come."""
        if names := self.present():
            run("docker", "rm", "--force", "--volumes", *names, check=False)
        if volumes := self.volumes():
            run("docker", "volume", "rm", *volumes, check=False)
        ports = [name for wired in self.ports().values() for name in wired]
        self.lift()
        for name in ports:
            if (LINKS / name).exists():
                run("ip", "link", "delete", name, check=False)
        shutil.rmtree(HOME / "stacks" / self.name, ignore_errors=True)

    def present(self) -> list[str]:
        """Return the names of the containers that are there, stopped ones too."""
        listed = run("docker", "ps", "--all", "--filter", f"name=^/{self.name}-", "--format", "{{.Names}}")
        return listed.stdout.split()

    def volumes(self) -> list[str]:
        """Return the names of the Docker volumes that are there."""
        return run("docker", "volume", "ls", "--quiet", "--filter", f"label=dockstack.stack={self.name}").stdout.split()

    def ports(self) -> dict[str, list[str]]:
        """Return the names of the Open vSwitch ports by container."""
        columns = "--columns=name,external_ids"
        found = json.loads(run("ovs-vsctl", "--format=json", columns, "list", "interface").stdout)
        ports: dict[str, list[str]] = {}
        for name, (_, pairs) in found["data"]:
            owner = str(dict(pairs).get("container_id", ""))
            if owner.startswith(f"{self.name}-"):
                ports.setdefault(owner, []).append(str(name))
        return ports

    def verify(self, wanted: Sequence[Wanted]) -> Callable[[], None]:
        """Prove that every container has its address, its gateway and one port, and that a sample answers.

        Returns:
            What proves, after they are gone, that nothing of them is left.

        Raises:
            NotWired: with the first container that is not as it has to be.
        """
        pids = _process_ids([each.name for each in wanted])
        ports = self.ports()
        for each in wanted:
            if len(ports.get(each.name, [])) != 1:
                raise NotWired(f"{each.name} has the ports {ports.get(each.name, [])}")
            if (held := _interface(pids[each.name])) != (f"{each.address}/{self.prefix}", self.gateway):
                raise NotWired(f"{each.name} has {held}")
        for each in wanted[:: max(1, len(wanted) // SAMPLES)]:
            # The first packets of a new port may go before the bridge has learnt of it.
            if not any(echo.answers(each.address, self.bridge, 1) for _ in range(ECHOES)):
                raise NotWired(f"{each.name} does not answer at {each.address}")
        links = [name for wired in ports.values() for name in wired]
        return lambda: self.verify_gone(links, list(pids.values()))

    def verify_gone(self, links: Sequence[str], pids: Sequence[int]) -> None:
        """Prove that no container, port, bridge, link, namespace, route or directory is left.

        Raises:
            NotWired: with what is left.
        """
        deadline = time.monotonic() + 5
        while left := self._left(links, pids):
            # The kernel takes links down a moment after the namespace that they ended in.
            if time.monotonic() > deadline:
                raise NotWired(f"left behind: {', '.join(left)}")
            time.sleep(0.2)

    def _left(self, links: Sequence[str], pids: Sequence[int]) -> list[str]:
        routes = [line.strip() for line in run("ip", "route", "show", "table", "all").stdout.splitlines()]
        return [
            *self.present(),
            *self.volumes(),
            *self.ports(),
            *(name for name in (*links, self.bridge) if (LINKS / name).exists()),
            *(f"namespace {pid}" for pid in pids if (NETNS / str(pid)).is_symlink()),
            *(route for route in routes if str(self.network) in route),
            *(str(path) for path in [HOME / "stacks" / self.name] if path.exists()),
        ]


def _process_ids(names: Sequence[str]) -> dict[str, int]:
    told = subprocess.run(
        ["docker", "inspect", "--format", "{{.Name}} {{.State.Pid}}", *names],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if told.returncode != 0:
        raise NotWired(told.stderr.strip())
    return {name.lstrip("/"): int(pid) for name, pid in (line.split() for line in told.stdout.splitlines())}


def _interface(pid: int) -> tuple[str, str] | None:
    """Return address with prefix and gateway of the interface eth0 in a process's network namespace."""
    script = "ip -j -4 address show dev eth0 && ip -j route show default"
    shown = run("nsenter", f"--net=/proc/{pid}/ns/net", "sh", "-c", script, check=False)
    parts = [json.loads(line) for line in shown.stdout.splitlines() if line.startswith("[")]
    if len(parts) != 2 or not all(parts):
        return None
    link, routes = parts
    return f"{link[0]['addr_info'][0]['local']}/{link[0]['addr_info'][0]['prefixlen']}", str(routes[0]["gateway"])
