"""Fixtures of the engine's contract suite."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.harness import Project, publisher, pulumi_environment

OURS = "applies to Dockstack's own plugin only, and this one is Pulumi's"


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of every `pulumi` command."""
    variables = pulumi_environment(tmp_path_factory.mktemp("pulumi-home"))
    if shutil.which("pulumi", path=variables["PATH"]) is None:
        pytest.skip("no `pulumi` on PATH: put a built engine or Pulumi's release there")
    return variables


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Callable[[str], Project]:
    """A function that makes an empty project with a stack."""

    def make(name: str) -> Project:
        return Project(tmp_path_factory.mktemp(name) / "project", environment)

    return make


@pytest.fixture(scope="session")
def own_command(environment: dict[str, str]) -> None:
    """Skip a test that is about engine/command where the plugin is Pulumi's."""
    if publisher("command", "1.2.1", environment) != "Dockstack":
        pytest.skip(OURS)


@pytest.fixture(scope="session")
def own_docker(environment: dict[str, str]) -> None:
    """Skip a test that is about engine/docker where the plugin is Pulumi's."""
    if publisher("docker", "5.1.0", environment) != "Dockstack":
        pytest.skip(OURS)


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory into which the commands of a test module write what they did."""
    return tmp_path_factory.mktemp("notes")
