"""Fixtures: the lab of the stack `lab`, and throwaway stacks beside it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.harness import PROJECT, Stack, eventually, inspect, run

pytestmark = pytest.mark.lab

UPDATE_SECONDS = 1200


@dataclass(frozen=True)
class Lab:
    """The running lab and its outputs."""

    stack: str
    addresses: dict[str, str]
    endpoints: dict[str, str]
    openrc: str
    services: dict[str, Any]

    def of_role(self, role: str) -> str:
        """Return the name of a role's container."""
        return next(name for name, service in self.services.items() if service["role"] == role)

    def settings(self) -> dict[str, Any]:
        """Return the stack's configuration file, to be changed."""
        return dict(yaml.safe_load((PROJECT / f"Pulumi.{self.stack}.yaml").read_text()))

    @contextmanager
    def changed(self, settings: Mapping[str, Any], directory: Path) -> Iterator[str]:
        """Update the lab to another configuration, and back; give what the preview said, on one line.

        The stack's own file stays as it is.
        """
        file = directory / f"Pulumi.{self.stack}.yaml"
        file.write_text(yaml.safe_dump(settings))
        env = {
            **os.environ,
            "PULUMI_OPTION_CONFIG_FILE": str(file),
            "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        }
        on = ("--stack", self.stack, "--non-interactive")
        update = ("pulumi", "up", "--yes", "--skip-preview", *on)
        said = run("pulumi", "preview", *on, env=env)
        try:
            run(*update, env=env, timeout=UPDATE_SECONDS)
            yield " ".join((said.stdout + said.stderr).split())
        finally:
            run(*update, timeout=UPDATE_SECONDS)

    def settled(self) -> None:
        """Wait until all works again after a restart: Docker's health, the Puppet server's port, and every API."""
        for name in self.services:
            eventually(f"{name} is healthy", lambda name=name: _health(name) == "healthy", 240, 1)  # type: ignore[misc]
        server = self.addresses[self.of_role("puppet")]
        eventually("the Puppet server answers", lambda: _accepts(server, 8140), 120, 0.5)
        for service, url in self.endpoints.items():
            if url.startswith("http://"):
                eventually(f"{service} answers at {url}", lambda url=url: _answers(url), 240, 0.5)  # type: ignore[misc]


def _health(name: str) -> str:
    return str(inspect(name)["State"].get("Health", {}).get("Status"))


def _answers(url: str) -> bool:
    """Say whether there is an answer, and not haproxy's that nobody is there to give one."""
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


def _accepts(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False


@pytest.fixture(scope="session")
def lab() -> Lab:
    """Bring the stack $STACK (`lab`) up with `make lab`, which is quick where it is up already."""
    stack = os.environ.get("STACK", "lab")
    with subprocess.Popen(["make", "lab", f"STACK={stack}"], cwd=PROJECT, text=True, stdout=subprocess.PIPE) as made:
        said = made.communicate()[0]
    assert made.returncode == 0, said[-4000:]
    told = json.loads(run("pulumi", "stack", "output", "--json", "--stack", stack).stdout)
    return Lab(stack, told["addresses"], told["endpoints"], told["openrc"], told["services"])


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Callable[[str, Mapping[str, Any]], Stack]]:
    """Make throwaway stacks, which are taken down at the end of the test."""
    made: list[Stack] = []

    def make(name: str, config: Mapping[str, Any]) -> Stack:
        made.append(Stack(name, tmp_path / name, config))
        return made[-1]

    yield make
    for each in reversed(made):
        each.end()
