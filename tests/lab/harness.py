"""What the tests of real labs share: running commands, throwaway stacks, and looking at the machine from outside."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.turns import take_name

PROJECT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("DOCKSTACK_HOME", "/var/lib/dockstack"))
ARTIFACTS = Path(os.environ.get("DOCKSTACK_ARTIFACTS", PROJECT / "build" / "artifacts"))
"""Where pictures and charts are kept, for people to look at."""
ALL_DRILLS = os.environ.get("DRILLS") == "all"
"""Whether what takes long is tried as well, and losses at all moments and of all kinds."""
DRILLS_UNTIL = float(os.environ.get("DRILLS_UNTIL", "inf"))
"""Seconds since the epoch after which no drill begins: on a slow machine, CI's time isn't enough for all."""
long_drill = pytest.mark.long_drill
STACK = os.environ.get("STACK", "lab")
"""The whole lab's stack."""
PUPPET_RUNS_AT_ONCE = 3
STACK_SECONDS = 1800.0
"""How long a command for a whole stack may take: hundreds of containers take their time."""
PATIENCE_SECONDS = 120.0
"""How long to wait for what shall come soon: how soon, the benchmarks measure, on a machine that does nothing else."""
HOST_DAEMONS = ("dockerd", "containerd", "docker-proxy", "ovsdb-server", "ovs-vswitchd")
HOME_DEPTH = 3
"""How many directories down to look into root's home."""
_OF_WORKER = b"PYTEST_XDIST_WORKER="
"""Variable that all has which is started by one of the processes that the tests run in."""
OF_LABS = ("containers", "volumes", "bridges", "ports", "links", "routes", "namespaces")
"""What of an inventory is made of labs, and of nothing else that a host does meanwhile."""
COMES_AND_GOES = frozenset({"processes", "links", "namespaces"})
"""What of an inventory is there for a moment whenever a container is wired, or a command runs, whoever's it is."""
_NAMELESS = re.compile(r"[a-z]+_[a-z]+\d?").fullmatch
"""Tells the name that Docker gives a container by itself, such as a build's, which lives for a step."""
PROGRAM = ("__main__.py", "Pulumi.yaml", "commands", "components", "hostside", "Dockerfiles", "dockervolumes")


def outside_of_make(env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what the make that runs the tests says to one that it starts itself."""
    return {key: value for key, value in env.items() if key not in ("MAKEFLAGS", "MAKELEVEL")}


def run(
    *arguments: str,
    check: bool = True,
    cwd: Path = PROJECT,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout: float = 900,
) -> subprocess.CompletedProcess[str]:
    """Run a command; a failure shows what it said."""
    done = subprocess.run(
        arguments,
        cwd=cwd,
        env=outside_of_make(env or os.environ),
        text=True,
        errors="replace",
        capture_output=True,
        timeout=timeout,
        check=False,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{arguments} ended with {done.returncode}\n{done.stdout[-8000:]}\n{done.stderr[-8000:]}")
    return done


Runs = Callable[..., subprocess.CompletedProcess[str]]
"""Runs a command somewhere, as :func:`run` does on this machine."""


def inside(container: str, *arguments: str, check: bool = True, stdin: str | None = None) -> str:
    """Run a command in a container and return what it printed."""
    return run("docker", "exec", "-i", container, *arguments, check=check, stdin=stdin).stdout


def puppet_runs(containers: Iterable[str], *options: str) -> dict[str, subprocess.CompletedProcess[str]]:
    """Run Puppet's agent in containers, a few at a time, and return how each run ended."""
    command = ("puppet", "agent", "--color", "false", *options)
    with ThreadPoolExecutor(PUPPET_RUNS_AT_ONCE) as pool:
        done = {name: pool.submit(run, "docker", "exec", name, *command, check=False) for name in containers}
        return {name: each.result() for name, each in done.items()}


def eventually(
    what: str, condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS, interval: float = 0.2
) -> float:
    """Wait until a condition holds and return the seconds it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"{what}: not within {seconds} s"
        time.sleep(interval)
    return time.monotonic() - started


def inspect(container: str, on: Runs = run) -> dict[str, Any]:
    """Return what Docker knows of a container, of this machine unless said otherwise."""
    return dict(json.loads(on("docker", "inspect", container).stdout)[0])


def listing(stack: str) -> list[str]:
    """Return the command that prints the names of a stack's containers that run; with ``--all``, of the others too."""
    return ["docker", "ps", "--filter", f"label=dockstack.stack={stack}", "--format", "{{.Names}}"]


def authority(stack: str) -> str:
    """Return the file with the authority of a stack's certificates; empty for a stack without TLS."""
    path = HOME / "stacks" / stack / "ca.pem"
    return str(path) if path.exists() else ""


def started_at(stack: str) -> dict[str, str]:
    """Return when each container of a stack was started."""
    names = run(*listing(stack), "--all").stdout.split()
    return {name: inspect(name)["State"]["StartedAt"] for name in names}


def words_of_lab(stack: str) -> str:
    """Return what of a lab is broken by its own account, and the last errors that its programs have logged."""

    def lines(*command: str) -> list[str]:
        try:
            return run(*command, check=False, timeout=60).stdout.splitlines()
        except subprocess.TimeoutExpired as error:
            return [str(error)]

    said = [*lines("make", "status", f"STACK={stack}"), *lines("uptime")]
    # Of each program, or the loudest would be the only one heard.
    errors = """cd /var/log/supervisor && for log in *.log; do
        grep --text -E '(ERROR|CRITICAL|FATAL)' "$log" | tail --lines=2 | sed "s/^/$log: /"
    done"""
    for name in lines(*listing(stack)):
        said += [f"{name}: {line[:300]}" for line in lines("docker", "exec", name, "sh", "-c", errors)]
    return "\n".join(said)


def network_of(container: str, on: Runs = run) -> list[str]:
    """Return what a command begins with that runs in a container's network, with the host's programs and rights."""
    return ["nsenter", f"--net=/proc/{inspect(container, on)['State']['Pid']}/ns/net"]


def interface(container: str, on: Runs = run) -> tuple[str, str, int] | None:
    """Return address with prefix, gateway and MTU of a container's eth0, read in its namespace; None without one."""
    enter = [*network_of(container, on), "ip", "-j"]
    shown = on(*enter, "address", "show", "dev", "eth0", check=False)
    routed = on(*enter, "route", "show", "default", check=False)
    if shown.returncode or routed.returncode:
        return None
    link, routes = json.loads(shown.stdout), json.loads(routed.stdout)
    addresses = [f"{a['local']}/{a['prefixlen']}" for a in link[0]["addr_info"] if a["family"] == "inet"]
    if not addresses or not routes:
        return None
    return addresses[0], routes[0]["gateway"], link[0]["mtu"]


def take_away_throwaway_stacks() -> None:
    """Remove the stacks of tests that were cut off: Docker starts their containers again, which keeps it busy."""
    for left in (HOME / "stacks").glob("t[0-9]*"):
        if held := take_name(left.name, wait=False):
            with held:
                run("python3", "-m", "commands.cleanup", "clear", left.name)


class Stack:
    """A throwaway stack with a backend, a passphrase and a directory of its own, beside the user's."""

    def __init__(self, name: str, directory: Path, config: Mapping[str, Any]) -> None:
        """Lay out the project as links to the checkout, with this stack's configuration beside them."""
        self.name = name
        self._held = take_name(name, wait=True)
        self.directory = directory
        (directory / "backend").mkdir(parents=True)
        for entry in PROGRAM:
            (directory / entry).symlink_to(PROJECT / entry)
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PULUMI_CONFIG_PASSPHRASE")},
            "PULUMI_BACKEND_URL": f"file://{directory}/backend",
            "PULUMI_CONFIG_PASSPHRASE": "only-for-this-test",
            "PULUMI_STACK": name,
        }
        self.configure(config)
        # An earlier run of the tests may have been cut off.
        run("python3", "-m", "commands.cleanup", "clear", name)
        self.pulumi("stack", "init", name)

    def configure(self, config: Mapping[str, Any]) -> None:
        """Write the stack's configuration, keys without the namespace."""
        path = self.directory / f"Pulumi.{self.name}.yaml"
        before = yaml.safe_load(path.read_text()) if path.exists() else {}
        before["config"] = {f"dockstack:{key}": value for key, value in config.items()}
        path.write_text(yaml.safe_dump(before))

    def configured(self) -> dict[str, Any]:
        """Return the stack's configuration, keys without the namespace."""
        given = yaml.safe_load((self.directory / f"Pulumi.{self.name}.yaml").read_text())["config"]
        return {key.removeprefix("dockstack:"): value for key, value in given.items()}

    def pulumi(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run pulumi on this stack."""
        return run(
            "pulumi", *arguments, "--non-interactive", check=check, cwd=self.directory, env=self.env,
            timeout=STACK_SECONDS,
        )  # fmt: skip

    def up(self, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Bring the stack up."""
        return self.pulumi("up", "--yes", "--skip-preview", check=check)

    def start_up(self) -> subprocess.Popen[str]:
        """Start bringing the stack up, and return the process."""
        return self._start("up")

    def start_destroy(self) -> subprocess.Popen[str]:
        """Start taking the stack down, and return the process."""
        return self._start("destroy")

    def _start(self, command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["pulumi", command, "--yes", "--skip-preview", "--non-interactive"],
            cwd=self.directory, env=self.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip

    def preview(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Preview the stack."""
        return self.pulumi("preview", *arguments, check=check)

    def destroy(self, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Take the stack down."""
        return self.pulumi("destroy", "--yes", "--skip-preview", check=check)

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs."""
        return dict(json.loads(self.pulumi("stack", "output", "--json").stdout))

    def rotate(self, *names: str) -> None:
        """Have other values made of some secrets, and brought to all that read them."""
        self.make("rotate", f"SECRETS={' '.join(names)}")

    @property
    def owners_env(self) -> dict[str, str]:
        """Return the environment of the owner's commands, which work in the checkout, where the stack has no file."""
        return {**self.env, "PULUMI_OPTION_CONFIG_FILE": str(self.directory / f"Pulumi.{self.name}.yaml")}

    def make(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one of the owner's commands on the stack."""
        return run("make", *words, f"STACK={self.name}", check=check, env=self.owners_env, timeout=STACK_SECONDS)

    def command(self, called: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run what one of the owner's commands does, on what its arguments say."""
        command = ("python3", "-m", f"commands.{called}", *arguments)
        return run(*command, check=check, env=self.owners_env, timeout=STACK_SECONDS)

    def end(self) -> None:
        """Take down whatever is there, for the end of a test that may have failed."""
        self.pulumi("cancel", "--yes", check=False)
        done = self.destroy(check=False)
        shutil.rmtree(self.directory, ignore_errors=True)
        if self._held:
            self._held.close()
        assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def brought_up(name: str, directory: Path, settings: Mapping[str, Any]) -> Iterator[Stack]:
    """Bring a throwaway stack up, whose project is made in a directory, tell how long that took, and take it down."""
    made = Stack(name, directory / name, settings)
    try:
        begun = time.monotonic()
        made.up()
        print(f"\nup: {time.monotonic() - begun:.0f} s")
        yield made
    finally:
        made.end()


Make = Callable[[str, Mapping[str, Any]], Stack]
"""Makes a stack of a name and a configuration: the fixture ``stack``, which takes it down at the end of the test."""


def kill(pids: Iterable[int], by: signal.Signals = signal.SIGKILL) -> None:
    """Kill processes, or send them another signal; one that has ended already is none."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, by)


def made_so_far(stack: str) -> int:
    """Return how many containers a stack has, running or not."""
    return len(run(*listing(stack), "--all").stdout.split())


def kill_engine(process: subprocess.Popen[str]) -> None:
    """Kill the engine alone; its plugins and the program are left to notice."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kill_all(process: subprocess.Popen[str]) -> None:
    """Kill the engine and all that it started, the way a lost machine ends them."""
    family, found = [], [process.pid]
    while found:
        # Who stands still starts nobody else, who would be missed.
        kill(found, signal.SIGSTOP)
        family += found
        pairs = [tuple(map(int, line.split())) for line in run("ps", "-eo", "pid=,ppid=").stdout.splitlines()]
        found = [pid for pid, of in pairs if of in family and pid not in family]
    kill(family)
    process.wait()


def kill_container(name: str) -> None:
    """Kill process 1 of a container, and with it all that runs there, behind Docker's back."""
    kill([int(inspect(name)["State"]["Pid"])])


def kill_containers(stack: str) -> None:
    """Kill process 1 of every container of a stack at once, and with it all that runs there, behind Docker's back."""
    names = run(*listing(stack)).stdout.split()
    pids = [int(inspect(name)["State"]["Pid"]) for name in names]
    # One that Docker is about to start again has the number 0, which would mean ourselves.
    kill(filter(None, pids))


def cut_power(made: Stack, process: subprocess.Popen[str]) -> None:
    """End the engine, all that it started, and all that runs in the stack's containers."""
    kill_all(process)
    kill_containers(made.name)
    # The file backend's lock is the one thing that a person has to release, as its message says.
    made.pulumi("cancel", "--yes")


def has_changed_something(container: str) -> bool:
    """Say whether the Puppet run of a throwaway stack's container is on its way."""
    log = HOME / "stacks" / container.split("-")[0] / "logs" / f"{container}.puppet.log"
    return log.exists() and "/Stage[main]/" in log.read_text()


def kill_host() -> None:
    """Kill Docker, Open vSwitch and all that runs in containers, as a power cut does; what the kernel holds stays."""
    containers = run("docker", "ps", "-q", "--no-trunc").stdout.split()
    assert containers

    def none_left() -> bool:
        kill(found := _doomed(containers))
        return not found

    # Again and again: some of them start others until their own end.
    eventually("nothing of Docker's and of the switch's runs", none_left)


def _doomed(containers: Collection[str]) -> list[int]:
    """Return the processes of Docker and Open vSwitch on this host, and all those in containers."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            name, groups = (process / "comm").read_text().strip(), (process / "cgroup").read_text()
            # One that has ended and that nobody has looked after yet has no command line.
            runs = bool((process / "cmdline").read_bytes())
        except OSError:
            continue
        in_container = any(container in groups for container in containers)
        if runs and (in_container or name in HOST_DAEMONS or name.startswith("containerd-shim")):
            found.append(int(process.name))
    return found


def config(number: int, containers: Mapping[str, Mapping[str, Any]], **common: Any) -> dict[str, Any]:
    """Return the configuration of a throwaway stack on the subnet 10.86.NUMBER.0/24."""
    return {
        "common": {"domain": f"t{number}.lab", "vip": f"10.86.{number}.250", **common},
        "containerDefaults": {"mask": 24, "gateway": f"10.86.{number}.1", "bridge": f"br-t{number}"},
        "containers": {
            name: {"address": f"10.86.{number}.{10 + index}", **container}
            for index, (name, container) in enumerate(containers.items())
        },
    }


def plain(number: int, count: int, **common: Any) -> dict[str, Any]:
    """Return the configuration of a stack of plain containers."""
    return config(number, {f"t{number}-p{i}": {"role": "plain"} for i in range(1, count + 1)}, **common)


def example(file: str, *renamed: tuple[str, str]) -> dict[str, Any]:
    """Return the configuration of a stack file in the checkout, under names of a test's own: its stack may be up.

    Args:
        file: its path in the checkout.
        renamed: text that stands in the file, each with what is to stand there instead.
    """
    text = (PROJECT / file).read_text()
    for theirs, ours in renamed:
        assert theirs in text, f"{file} has no {theirs}"
        text = text.replace(theirs, ours)
    return {key.removeprefix("dockstack:"): value for key, value in yaml.safe_load(text)["config"].items()}


@dataclass(frozen=True)
class _Containers:
    """What tells the whole lab's part of an inventory from others': it is changed by tests that run meanwhile."""

    ids: frozenset[str]
    """The numbers of all containers, the lab's and others'."""
    lab: frozenset[str]
    """The names of the lab's."""

    def has(self, name: str) -> bool:
        """Say whether a container, a volume or an interface is the lab's, or its tests'."""
        return name in self.lab or name.startswith((f"{STACK}-", *(f"{each}-" for each in self.lab)))


def _containers() -> _Containers:
    stack = '{{.ID}} {{.Names}} {{.Label "dockstack.stack"}}'
    rows = [line.split(" ") for line in _lines("docker", "ps", "--all", "--no-trunc", "--format", stack)]
    return _Containers(frozenset(row[0] for row in rows), frozenset(row[1] for row in rows if row[2:] == [STACK]))


def inventory(stack_home: Path = HOME) -> dict[str, list[str]]:
    """Return all that a lab could leave on the host, taken from the outside, without what is the whole lab's."""
    containers = _containers()
    ports = _ports()
    links = [str(link["ifname"]) for link in json.loads(run("ip", "-j", "link").stdout)]
    ports |= _ports()
    taken = {
        "containers": [name for name in _lines("docker", "ps", "-a", "--format", "{{.Names}}") if not _NAMELESS(name)],
        "volumes": _lines("docker", "volume", "ls", "-q"),
        "networks": _lines("docker", "network", "ls", "--format", "{{.Name}}"),
        "bridges": _lines("ovs-vsctl", "list-br"),
        "ports": sorted(ports.values()),
        "links": sorted(link for link in links if not containers.has(ports.get(link, link))),
        "namespaces": _lines("ip", "netns"),
        # IPv6 has link-local routes of its own for each link, which come a moment after it.
        # Docker's own bridge is down while nothing is built.
        "routes": [
            line.removesuffix(" linkdown")
            for line in _lines("ip", "-4", "route", "show", "table", "all")
            if f"dev {STACK}-" not in line
        ],
        "filters": [line for line in _lines("iptables-save") if not line.startswith(("#", ":"))],
        "processes": _daemons(containers.ids),
        "files": sorted(_files([Path("/etc"), Path("/run"), Path("/root"), stack_home], stack_home)),
        "hosts": Path("/etc/hosts").read_text().splitlines(),
    }
    named = ("containers", "volumes", "ports", "namespaces")
    return {kind: [i for i in items if kind not in named or not containers.has(i)] for kind, items in taken.items()}


def _lines(*command: str) -> list[str]:
    return sorted(line.strip() for line in run(*command, check=False).stdout.splitlines() if line.strip())


def _ports() -> dict[str, str]:
    """Return what each interface of the switch is, by its name: a container's by that one's, any other by its own."""
    told = json.loads(run("ovs-vsctl", "--format=json", "--columns=name,external_ids", "list", "interface").stdout)
    found = {}
    for name, (_, ids) in told["data"]:
        given = dict(ids)
        found[name] = f"{given['container_id']}-{given['container_iface']}" if "container_id" in given else name
    return found


def _daemons(containers: Collection[str]) -> list[str]:
    """Return what runs on the host outside the tests' own sessions, the kernel, and the containers that there are."""
    own, worker = os.getsid(0), _OF_WORKER + os.environ.get("PYTEST_XDIST_WORKER", "").encode()
    found = []
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        try:
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            session = os.getsid(int(path.name))
            groups = (path / "cgroup").read_text()
            started_by = [each for each in (path / "environ").read_bytes().split(b"\0") if each.startswith(_OF_WORKER)]
        except (OSError, ProcessLookupError):
            continue
        # The engine's process for a container names it on its command line.
        of_container = any(number in groups or number in command for number in containers)
        of_others = session == own or any(each != worker for each in started_by)
        if command and not of_others and not of_container and not command.startswith("sleep "):
            found.append(command[:120])
    return sorted(found)


def _files(roots: Iterable[Path], home: Path) -> Iterable[str]:
    # What was prepared, the backend's history and caches stay; Docker's and containerd's run directories are theirs.
    kept = {
        home / name for name in ("checkouts", "engine", "venv", "backend", "pulumi", "cache", "log", f"stacks/{STACK}")
    }
    # Namespaces are listed by themselves.
    kept.add(Path("/run/netns"))
    kept |= {Path(name) for name in ("/run/docker", "/run/containerd", "/root/.cache", "/root/.pulumi")}
    kept |= {Path(name) for name in ("/run/systemd", "/run/user", "/run/udev", "/run/log")}
    for root in roots:
        for directory, names, files in os.walk(root):
            # A home may hold whole toolchains; what a program leaves there begins further up.
            deep = root == Path("/root") and len(Path(directory).parts) > HOME_DEPTH
            names[:] = [] if deep else [name for name in names if Path(directory, name) not in kept]
            yield directory
            yield from (str(Path(directory, name)) for name in files)


def differences(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return what came (+) and what went (-), by kind; empty when nothing did."""
    found = {
        kind: [f"+{item}" for item in sorted(set(after[kind]) - set(before[kind]))]
        + [f"-{item}" for item in sorted(set(before[kind]) - set(after[kind])) if kind not in COMES_AND_GOES]
        for kind in before
    }
    return {kind: items for kind, items in found.items() if items}


def left_since(
    before: Mapping[str, list[str]], kinds: Collection[str] = (), seconds: float = 30
) -> dict[str, list[str]]:
    """Return what came and what went since an inventory, and lasts: a health probe of another lab's is gone soon.

    Args:
        before: the inventory.
        kinds: what to look at; everything when not given.
        seconds: how long something has to be there, or away, to count.
    """
    compared = {kind: before[kind] for kind in kinds or before}
    deadline = time.monotonic() + seconds
    while (found := differences(compared, inventory())) and time.monotonic() < deadline:
        time.sleep(1)
    return found
