"""Fixtures: the lab of the stack `lab`, and throwaway stacks beside it."""

from __future__ import annotations

import json
import os
import urllib.error
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from hostside import web
from tests.lab import cloud as clouds
from tests.lab.acknowledged import Acknowledged
from tests.lab.harness import (
    PROJECT,
    STACK,
    Make,
    Stack,
    authority,
    eventually,
    inventory,
    run,
    take_away_throwaway_stacks,
    words_of_lab,
)
from tests.turns import is_first, take

pytestmark = pytest.mark.lab

UPDATE_SECONDS = 1200
FRESH_SECONDS = 3600
"""What `make lab` may take where nothing is there yet."""
HEALTHY_SECONDS = 300


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure what the lab says at that moment: a later test may mend it, and CI's machine takes it along."""
    report = yield
    if report.failed:
        report.sections.append(("what the lab says", words_of_lab(STACK)))
    return report


@dataclass(frozen=True)
class Lab:
    """The running lab and its outputs."""

    stack: str
    addresses: dict[str, str]
    endpoints: dict[str, str]
    openrc: str
    clouds: str
    services: dict[str, Any]

    def of_role(self, role: str) -> str:
        """Return the name of a role's container."""
        return next(name for name, service in self.services.items() if service["role"] == role)

    @property
    def authority(self) -> str:
        """Return the file with the authority of its certificates; empty without TLS."""
        return authority(self.stack)

    @property
    def apis(self) -> dict[str, str]:
        """Return the endpoints at the VIP that speak HTTP, in clear or by TLS."""
        return {name: url for name, url in self.endpoints.items() if url.startswith(("http://vip.", "https://vip."))}

    def settings(self) -> dict[str, Any]:
        """Return the stack's configuration file, to be changed."""
        return dict(yaml.safe_load((PROJECT / f"Pulumi.{self.stack}.yaml").read_text()))

    def pulumi(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Run a command on the lab's stack; return what it said, without the breaks that fit it to a screen."""
        command = ("pulumi", *arguments, "--stack", self.stack, "--non-interactive")
        done = run(*command, env=env, timeout=UPDATE_SECONDS)
        return " ".join((done.stdout + done.stderr).split())

    @contextmanager
    def changed(
        self, settings: Mapping[str, Any], directory: Path, by: Sequence[str] = (), loses: Sequence[str] = ()
    ) -> Iterator[str]:
        """Update the lab to another configuration, and back; give what the preview said.

        The stack's own file stays as it is.

        Args:
            settings: the other configuration.
            directory: where to put it.
            by: the command that updates; ``pulumi up`` when not given.
            loses: containers whose data may be lost on the way back.
        """
        file = directory / f"Pulumi.{self.stack}.yaml"
        file.write_text(yaml.safe_dump(settings))
        env = {
            **os.environ,
            "PULUMI_OPTION_CONFIG_FILE": str(file),
            "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        }
        said = self.pulumi("preview", env=env)
        try:
            if by:
                run(*by, env=env, timeout=UPDATE_SECONDS)
            else:
                self.pulumi("up", "--yes", "--skip-preview", env=env)
            yield said
        finally:
            if loses:
                own = self.settings()
                own["config"]["dockstack:common"]["mayLose"] = list(loses)
                file.write_text(yaml.safe_dump(own))
                self.pulumi("up", "--yes", "--skip-preview", env=env)
            else:
                self.pulumi("up", "--yes", "--skip-preview")

    def works(self) -> bool:
        """Say whether `make status` finds nothing broken."""
        return run("python3", "-m", "commands.status", self.stack, check=False).returncode == 0

    def await_healthy(self) -> None:
        """Wait until all works again after a loss or a restart, as `make status` tells it.

        Docker's health and APIs that answer don't suffice: agents that haven't reported yet do nothing for anyone.
        """
        eventually("all works", self.works, HEALTHY_SECONDS, 1)


def answers(url: str) -> bool:
    """Say whether there is an answer, and not haproxy's that nobody is there to give one."""
    try:
        web.opener(authority(STACK)).open(url, timeout=10).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def lab() -> Lab:
    """Bring the stack $STACK (`lab`) up with `make lab`, which is quick where it is up already."""
    with take("make-lab", alone=True):
        # Once a run of the tests: it would put back what a test in the other process has changed meanwhile.
        if is_first("made-lab"):
            run("make", "lab", f"STACK={STACK}", timeout=FRESH_SECONDS)
            take_away_throwaway_stacks()
    told = json.loads(run("pulumi", "stack", "output", "--json", "--stack", STACK).stdout)
    return Lab(STACK, told["addresses"], told["endpoints"], told["openrc"], told["clouds"], told["services"])


@pytest.fixture(scope="module")
def disk(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[clouds.Guest, str] | None]:
    """Boot a guest with a volume, and give it with the volume's device; none in a lab without these services."""
    cloud = clouds.connect(lab.openrc)
    if not all(clouds.has(cloud, service) for service in ("compute", "image", "network", "volumev3")):
        yield None
        return
    name = f"loss-{uuid.uuid4().hex[:8]}"
    with (
        clouds.volume(cloud, name) as volume,
        clouds.guest(cloud, name, tmp_path_factory.mktemp("keys"), floating=True) as guest,
    ):
        guest.await_ssh(clouds.BOOT_SECONDS)
        with clouds.attached(cloud, guest, volume) as device:
            yield guest, device


@pytest.fixture
def acknowledged(lab: Lab, disk: tuple[clouds.Guest, str] | None) -> Iterator[Acknowledged]:
    """Have the lab acknowledge a user, a message in a durable queue and a volume's bytes; remove them at the end."""
    made = Acknowledged(lab.openrc, lab.of_role("keystone"))
    try:
        assert made.add_user() and made.add_message()
        if disk:
            made.add_bytes(*disk)
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def before() -> dict[str, list[str]]:
    """What there is on the host before a file's lab."""
    return inventory()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Make]:
    """Make throwaway stacks, which are taken down at the end of the test."""
    made: list[Stack] = []

    def make(name: str, config: Mapping[str, Any]) -> Stack:
        made.append(Stack(name, tmp_path / name, config))
        return made[-1]

    yield make
    for each in reversed(made):
        each.end()
