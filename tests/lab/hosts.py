"""Container hosts for tests: each a network namespace with processes, mounts and a name of its own, on this machine.

Each has a Docker engine, an Open vSwitch and an sshd, as a machine would, and a link to a segment that all share with
this machine, 10.88.200.0/24. Process 1 of a host is the host: killed, all ends with it, as by a power cut.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.lab.harness import HOME, config, eventually, run

SEGMENT = "10.88.200"
WIRE = "dsh-wire"
"""The namespace of the segment, a Linux bridge, so that no packet filter of this machine sees it."""
PLACE = Path("/var/lib/dockstack-tests")
"""Where the hosts' disks are: Docker's overlay needs a file system that is no overlay itself."""

_INVENTORY = (
    "docker ps -aq; docker volume ls -q; ovs-vsctl list-br; ls /sys/class/net; ip route; ls -A /var/lib/dockstack"
)
_INIT = r"""
set -eu
mkdir -p "$DISK"/docker "$DISK"/openvswitch "$DISK"/ovs-log "$DISK"/home "$DISK"/cgroup
mount --rbind /sys/fs/cgroup "$DISK/cgroup"
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount --rbind "$DISK/cgroup" /sys/fs/cgroup
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd /run/lock "$LAB_HOME"
mount --bind "$DISK/docker" /var/lib/docker
mount --bind "$DISK/openvswitch" /etc/openvswitch
mount --bind "$DISK/ovs-log" /var/log/openvswitch
mount --bind "$DISK/home" "$LAB_HOME"
mount --bind "$DISK/hosts" /etc/hosts
hostname "$NAME"
/usr/share/openvswitch/scripts/ovs-ctl --no-monitor --system-id=random start </dev/null >"$DISK/ovs.log" 2>&1 || true
dockerd --live-restore --bridge=none --iptables=false --cgroup-parent="/$NAME" </dev/null >"$DISK/docker.log" 2>&1 &
/usr/sbin/sshd -D -e -f "$DISK/sshd_config" </dev/null >"$DISK/sshd.log" 2>&1 &
# As process 1 it looks after whatever loses its parent.
while :; do wait -n || :; sleep 1; done
"""


class Host:
    """One host, which is down until it is switched on."""

    def __init__(self, name: str, number: int, keys: Path) -> None:
        """Take the host's name, its last number on the segment, and the directory of the keys that ssh works with."""
        self.name, self.address = name, f"{SEGMENT}.{number}"
        self.disk = PLACE / name
        self._keys = keys
        self._init: subprocess.Popen[bytes] | None = None

    @property
    def ssh(self) -> dict[str, Any]:
        """Return how it is reached, as the configuration says so."""
        key = (self._keys / f"{self.name}.pub").read_text().split()[:2]
        return {"host": self.address, "privateKey": str(self._keys / "client"), "hostKey": " ".join(key)}

    def switch_on(self) -> None:
        """Start the host, and wait until its engine, its switch and its sshd answer."""
        self.disk.mkdir(parents=True, exist_ok=True)
        if not (self.disk / "hosts").exists():
            (self.disk / "hosts").write_text(f"127.0.0.1 localhost {self.name}\n")
        (self.disk / "sshd_config").write_text(
            f"ListenAddress {self.address}\nHostKey {self._keys / self.name}\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {self._keys / 'client.pub'}\nStrictModes no\nPasswordAuthentication no\n"
        )
        run("ip", "netns", "add", self.name)
        run("ip", "-netns", self.name, "link", "set", "lo", "up")
        plug(self.name, "uplink", self.address)
        environment = {**os.environ, "DISK": str(self.disk), "NAME": self.name, "LAB_HOME": str(HOME)}
        for variable in ("DOCKER_HOST", "PYTEST_XDIST_WORKER"):
            environment.pop(variable, None)
        self._init = subprocess.Popen(
            [
                "nsenter", f"--net=/run/netns/{self.name}", "unshare", "--mount", "--uts", "--pid", "--fork",
                "--kill-child", "--propagation", "private", "bash", "-c", _INIT,
            ],
            env=environment, stdin=subprocess.DEVNULL, stdout=(self.disk / "init.log").open("wb"),
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        eventually(f"{self.name} is up", self._answers)

    def _answers(self) -> bool:
        asked = self.run("docker version && ovs-vsctl --timeout=2 show && ovs-appctl version", check=False)
        return asked.returncode == 0

    def run(self, script: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a script on the host, by ssh."""
        known = f"{self.address} {self.ssh['hostKey']}"
        return run(
            "ssh", "-oBatchMode=yes", "-oConnectTimeout=5", f"-oKnownHostsCommand=/usr/bin/echo {known}",
            "-oUserKnownHostsFile=/dev/null", f"-i{self._keys / 'client'}", f"root@{self.address}",
            f"PATH=$PATH:/usr/sbin:/sbin; {script}", check=check,
        )  # fmt: skip

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command on the host, by ssh."""
        return self.run(shlex.join(arguments), check=check)

    def inventory(self) -> str:
        """Return what there is on the host that a lab could leave there."""
        return self.run(_INVENTORY, check=False).stdout

    def at_console(self, script: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a script on the host as one who sits at it, whom its network has nothing to do with."""
        enter = ("nsenter", f"--target={self._process_1()}", "--mount", "--net", "--pid", "--uts")
        return run(*enter, "sh", "-c", script, check=check)

    def unplug(self) -> None:
        """Take the cable out: the host runs on, and nobody reaches it."""
        run("ip", "-netns", WIRE, "link", "set", _end(self.name), "down")

    def plug_in(self) -> None:
        """Put the cable in again."""
        run("ip", "-netns", WIRE, "link", "set", _end(self.name), "up")

    def _process_1(self) -> int:
        assert self._init is not None
        (child,) = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text().split()
        return int(child)

    def cut_power(self) -> None:
        """Kill process 1, and with it all that runs there; the interfaces go, the disk stays."""
        assert self._init is not None
        for pid in (self._process_1(), self._init.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._init.wait()
        self._init = None
        run("ip", "netns", "delete", self.name)
        # The interfaces end with the last process of the namespace, which may take a moment.
        eventually(f"{self.name} is off", lambda: not _is_plugged(self.name))

    def end(self) -> None:
        """Take the host and its disk away."""
        if self._init is not None:
            self.cut_power()
        for directory in Path("/sys/fs/cgroup").glob(f"*/{self.name}"):
            for path, _, _ in os.walk(directory, topdown=False):
                with contextlib.suppress(OSError):
                    Path(path).rmdir()
        shutil.rmtree(self.disk, ignore_errors=True)


def plug(namespace: str, interface: str, address: str) -> None:
    """Give a namespace an interface on the segment; this machine is the namespace that has no name."""
    end = _end(namespace)
    # As a machine does, it keeps its Ethernet address.
    mac = f"02:88:{':'.join(f'{int(number):02x}' for number in address.split('.'))}"
    run("ip", "link", "add", end, "type", "veth", "peer", "name", f"{end}x", "address", mac)
    run("ip", "link", "set", end, "netns", WIRE)
    run("ip", "-netns", WIRE, "link", "set", end, "master", "wire", "up")
    inside = ["-netns", namespace] if namespace else []
    if namespace:
        run("ip", "link", "set", f"{end}x", "netns", namespace)
    run("ip", *inside, "link", "set", f"{end}x", "name", interface)
    run("ip", *inside, "address", "add", f"{address}/24", "dev", interface)
    run("ip", *inside, "link", "set", interface, "up")


def _end(namespace: str) -> str:
    return namespace[:14] or "dsh-main"


def _is_plugged(namespace: str) -> bool:
    return run("ip", "-netns", WIRE, "link", "show", "dev", _end(namespace), check=False).returncode == 0


def over_hosts(number: int, containers: Mapping[str, Mapping[str, Any]], **others: Host) -> dict[str, Any]:
    """Return the configuration of a throwaway stack on this machine and other hosts, each by its name in it.

    A container that names no host is here.
    """
    given = config(number, containers)
    given["containerHosts"] = {"local": {}, **{name: {"ssh": other.ssh} for name, other in others.items()}}
    given["containerDefaults"]["host"] = "local"
    return given


@contextlib.contextmanager
def hosts(directory: Path, *names: str) -> Iterator[list[Host]]:
    """Give hosts that are up, and take them away with all that there is of them.

    Args:
        directory: where keys can be kept.
        names: their names, each beginning with ``dsh-``.
    """
    _take_away(names)
    for name in ("client", *names):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name))
    made = [Host(name, number, directory) for number, name in enumerate(names, 11)]
    try:
        run("ip", "netns", "add", WIRE)
        run("ip", "-netns", WIRE, "link", "add", "wire", "type", "bridge")
        run("ip", "-netns", WIRE, "link", "set", "wire", "up")
        plug("", "dsh-main", f"{SEGMENT}.1")
        for host in made:
            host.switch_on()
        yield made
    finally:
        for host in made:
            host.end()
        _take_away(names)


def _take_away(names: tuple[str, ...]) -> None:
    """Remove what a run of the tests that was killed has left."""
    for name in (*names, WIRE):
        for pid in run("ip", "netns", "pids", name, check=False).stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        run("ip", "netns", "delete", name, check=False)
        shutil.rmtree(PLACE / name, ignore_errors=True)
    run("ip", "link", "delete", "dsh-main", check=False)
    with contextlib.suppress(OSError):
        PLACE.rmdir()
