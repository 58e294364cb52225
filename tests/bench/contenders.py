"""Who is measured: our program, docker-compose with a loop of ovs-docker, and one container after the other."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import yaml

from tests.bench.ground import Ground, Wanted
from tests.bench.likeness import Likeness
from tests.lab.harness import Stack, run

INTERFACE = "eth0"
Steps = Sequence[tuple[str, Callable[[], object]]]


class Contender(Protocol):
    """One way to bring up and take down a number of containers with a port each."""

    name: str

    def prepare(self, wanted: Sequence[Wanted]) -> None:
        """Do what is not measured: write the input."""

    def up(self) -> object:
        """Bring the containers up."""

    def between(self) -> Steps:
        """Return what else is measured while they are up: figure and step."""

    def down(self) -> object:
        """Take the containers down, the bridge included."""

    def clean(self) -> None:
        """Remove what :meth:`prepare` made, and whatever is left of a run that failed."""


class Dockstack:
    """Our program, with a stack and a backend of its own."""

    name = "dockstack"

    def __init__(self, ground: Ground, directory: Path) -> None:
        """Take the ground and an empty directory for the backend."""
        self._ground, self._directory = ground, directory
        self._stack: Stack | None = None
        self._down = True

    def prepare(self, wanted: Sequence[Wanted]) -> None:
        """Write the stack's configuration."""
        self._stack = Stack(self._ground.name, self._directory, configuration(self._ground, wanted))

    def up(self) -> object:
        """Bring the stack up."""
        assert self._stack is not None
        self._down = False
        return self._stack.up()

    def between(self) -> Steps:
        """Return a preview and an up that find nothing to do."""
        assert self._stack is not None
        stack = self._stack
        return [
            ("preview", lambda: stack.preview("--expect-no-changes")),
            (
                "no-op up",
                lambda: stack.pulumi("up", "--yes", "--skip-preview", "--suppress-outputs", "--expect-no-changes"),
            ),
        ]

    def down(self) -> object:
        """Destroy the stack."""
        assert self._stack is not None
        done = self._stack.destroy()
        self._down = True
        return done

    def clean(self) -> None:
        """Destroy the stack if it is not, and remove its backend."""
        if self._stack is not None and not self._down:
            self._stack.pulumi("cancel", "--yes", check=False)
            self._stack.destroy(check=False)
        self._stack = None
        shutil.rmtree(self._directory, ignore_errors=True)


class ByHand:
    """Ways that wire the containers in a loop, on a bridge that they lay themselves.

    They say how the containers are made and removed: all of them before and after the loop, or each within it.
    """

    def __init__(self, ground: Ground, likeness: Likeness) -> None:
        """Take the ground and what a container is."""
        self._ground, self._likeness = ground, likeness
        self._wanted: Sequence[Wanted] = ()

    def prepare(self, wanted: Sequence[Wanted]) -> None:
        """Take the containers to make."""
        self._wanted = wanted

    def up(self) -> object:
        """Lay the bridge; make and attach the containers."""
        self._ground.lay()
        self._make_all()
        for each in self._wanted:
            self._make(each)
            add_port(self._ground, each)
        return None

    def between(self) -> Steps:
        """Return nothing: there is no preview, and a second loop would refuse."""
        return []

    def down(self) -> object:
        """Detach and remove the containers, remove the bridge."""
        for each in self._wanted:
            del_ports(self._ground, each)
            self._remove(each)
        self._remove_all()
        self._ground.lift()
        return None

    def clean(self) -> None:
        """Do nothing: all that there is lies on the ground."""

    def _make_all(self) -> None:
        """Make all containers before the first is attached."""

    def _make(self, wanted: Wanted) -> None:
        """Make a container before it is attached."""

    def _remove(self, wanted: Wanted) -> None:
        """Remove a container that has been detached."""

    def _remove_all(self) -> None:
        """Remove all containers, the last one detached."""


class ComposeAndLoop(ByHand):
    """docker-compose makes all containers at once, then a loop gives each its port."""

    name = "compose + loop"

    def __init__(self, ground: Ground, likeness: Likeness, directory: Path, command: Sequence[str]) -> None:
        """Take the ground, what a container is, an empty directory, and the command that compose is."""
        super().__init__(ground, likeness)
        self._directory, self._command = directory, command

    def prepare(self, wanted: Sequence[Wanted]) -> None:
        """Write the compose file."""
        super().prepare(wanted)
        self._directory.mkdir()
        services = {
            each.name: {**self._likeness.compose(), "container_name": each.name, "hostname": each.name}
            for each in wanted
        }
        (self._directory / "docker-compose.yml").write_text(yaml.safe_dump({"version": "2.4", "services": services}))

    def clean(self) -> None:
        """Remove the compose file."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def _make_all(self) -> None:
        self._compose("up", "--detach")

    def _remove_all(self) -> None:
        self._compose("down", "--timeout", "10")

    def _compose(self, *arguments: str) -> None:
        # With fewer slots than services, docker-compose 1.29 hangs.
        limit = str(max(64, 2 * len(self._wanted)))
        environment: Mapping[str, str] = {**os.environ, "COMPOSE_PARALLEL_LIMIT": limit, "COMPOSE_HTTP_TIMEOUT": "300"}
        run(*self._command, "--project-name", self._ground.name, *arguments, cwd=self._directory, env=environment)


class OneByOne(ByHand):
    """The algorithm of 2015: run a container, give it its port, go on to the next."""

    name = "one by one (2015)"

    def _make(self, wanted: Wanted) -> None:
        names = ["--name", wanted.name, "--hostname", wanted.name]
        run("docker", "run", "--detach", *names, *self._likeness.run_options())

    def _remove(self, wanted: Wanted) -> None:
        run("docker", "rm", "--force", wanted.name)


def configuration(
    ground: Ground, wanted: Sequence[Wanted], roles: Mapping[str, str] | None = None
) -> dict[str, object]:
    """Return the configuration of a stack with these containers, plain ones unless a role is given by name."""
    return {
        "common": {"domain": f"{ground.name}.lab", "vip": str(ground.network[-3])},
        "containerDefaults": {"mask": ground.prefix, "gateway": ground.gateway, "bridge": ground.bridge},
        "containers": {
            each.name: {"role": (roles or {}).get(each.name, "plain"), "address": each.address} for each in wanted
        },
    }


def add_port(ground: Ground, container: Wanted) -> None:
    """Give a container its port, as a person does by hand."""
    address = [f"--ipaddress={container.address}/{ground.prefix}", f"--gateway={ground.gateway}"]
    run("ovs-docker", "add-port", ground.bridge, INTERFACE, container.name, *address)


def del_ports(ground: Ground, container: Wanted) -> None:
    """Take a container's ports away."""
    run("ovs-docker", "del-ports", ground.bridge, container.name)


def compose_command() -> list[str] | None:
    """Return the command of the docker-compose that is installed, the classic one or the plugin; None without one."""
    for command in (["docker-compose"], ["docker", "compose"]):
        try:
            found = subprocess.run([*command, "version"], capture_output=True, check=False)
        except FileNotFoundError:
            continue
        if found.returncode == 0:
            return command
    return None
