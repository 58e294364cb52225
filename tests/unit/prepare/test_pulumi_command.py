"""What stands before Pulumi's own command: it chooses the stack's file, and what the language host runs as Python."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from components import paths

STACKS = {"file:///other": "organization/dockstack/other", "file:///backend": "organization/dockstack/noted"}
Run = Callable[..., dict[str, str]]


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def pulumi(tmp_path: Path) -> Run:
    """Return a function that runs the command with an engine that tells its environment, and what it was asked."""
    engine = script(
        tmp_path / "engine", f'echo "$*" >> {tmp_path}/calls; [[ $* == *show-name ]] && echo asked || env -0'
    )
    project = hashlib.sha1(str(paths.PROJECT / "Pulumi.yaml").encode()).hexdigest()
    noted = tmp_path / f"home/workspaces/dockstack-{project}-workspace.json"
    noted.parent.mkdir(parents=True)
    noted.write_text(json.dumps({"stacks": STACKS}, indent=4))
    usual = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "GO", "DOCKSTACK_"))}
    given = {
        "DOCKSTACK_PULUMI": str(engine),
        "DOCKSTACK_HOME": str(tmp_path / "dockstack"),
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": "file:///backend",
    }

    def run(*arguments: str, **environment: str) -> dict[str, str]:
        done = subprocess.run(
            [paths.PROJECT / "prepare/bin/pulumi", *arguments], env={**usual, **given, **environment},
            cwd=paths.PROJECT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        told = dict(line.split("=", 1) for line in done.stdout.split("\0") if "=" in line)
        return {**told, "calls": (tmp_path / "calls").read_text()}

    return run


def stack_of(told: dict[str, str]) -> str:
    return Path(told["PULUMI_OPTION_CONFIG_FILE"]).name


def test_the_selected_stack_is_read_where_pulumi_notes_it_for_the_backend_in_use(pulumi: Run) -> None:
    told = pulumi("preview")
    assert (stack_of(told), told["calls"]) == ("Pulumi.noted.yaml", "preview\n")


@pytest.mark.parametrize("backend", ["file:///backen", "file:///a-third", ""])
def test_pulumi_is_asked_for_a_stack_that_is_not_noted(pulumi: Run, backend: str) -> None:
    told = pulumi("up", "--yes", PULUMI_BACKEND_URL=backend)
    assert stack_of(told) == "Pulumi.asked.yaml"
    assert told["calls"].splitlines()[-1] == "up --yes"


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--stack", "given"], {}),
        (["--stack=given"], {}),
        (["-s", "org/dockstack/given"], {}),
        ([], {"PULUMI_STACK": "given"}),
    ],
)
def test_a_stack_that_is_given_is_taken(pulumi: Run, arguments: list[str], environment: dict[str, str]) -> None:
    told = pulumi("preview", *arguments, **environment)
    assert stack_of(told) == "Pulumi.given.yaml"
    assert "show-name" not in told["calls"]


def test_a_file_of_the_users_own_stays_in_use(pulumi: Run) -> None:
    told = pulumi("preview", "--config-file", "own.yaml")
    assert "PULUMI_OPTION_CONFIG_FILE" not in told
    assert stack_of(pulumi("preview", PULUMI_OPTION_CONFIG_FILE="own.yaml")) == "own.yaml"


def test_only_what_runs_the_program_is_meddled_with_and_only_here(pulumi: Run, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").touch()
    for arguments in (["stack", "ls"], ["preview", "--cwd", str(tmp_path)]):
        assert not {"PULUMI_OPTION_CONFIG_FILE", "PULUMI_PYTHON_CMD", "GOGC"} & pulumi(*arguments).keys()
    assert {"PULUMI_PYTHON_CMD", "GOGC"} <= pulumi("preview").keys()
    assert pulumi("preview", GOGC="50")["GOGC"] == "50"


@pytest.mark.parametrize("option", ["-d", "--debug"])
def test_whoever_debugs_gets_the_programs_debug_messages_too(pulumi: Run, option: str) -> None:
    assert pulumi("preview", option)["PULUMI_OPTION_DEBUG"] == "true"
    assert "PULUMI_OPTION_DEBUG" not in pulumi("preview")


LIST = ("-m", "pip", "list", "-v", "--format", "json")


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., tuple[str, int]]:
    """Return a function that runs the language host's Python; it returns what is said and how often pip has listed."""
    environment = tmp_path / "venv"
    script(environment / "bin/python3", f'[[ $2 != pip ]] || echo x >> {tmp_path}/listed; echo "ran $*"')
    (environment / "lib/python3.11/site-packages").mkdir(parents=True)
    (environment / "pyvenv.cfg").touch()
    variables = {
        **os.environ,
        "PATH": f"{environment}/bin:{os.environ['PATH']}",
        "DOCKSTACK_HOME": str(tmp_path / "home"),
    }

    def run(*arguments: str) -> tuple[str, int]:
        done = subprocess.run(
            [paths.PROJECT / "prepare/bin/pulumi-python", *arguments], env=variables,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        listed = tmp_path / "listed"
        return done.stdout.strip(), len(listed.read_text().split()) if listed.exists() else 0

    return run


def test_packages_are_listed_once_until_one_comes_or_goes(
    python: Callable[..., tuple[str, int]], tmp_path: Path
) -> None:
    for _ in range(2):
        assert python(*LIST) == (f"ran {' '.join(LIST)}", 1)
    packages = tmp_path / "venv/lib/python3.11/site-packages"
    later = packages.stat().st_mtime + 60
    os.utime(packages, (later, later))
    assert python(*LIST)[1] == 2


def test_anything_else_is_python_itself(python: Callable[..., tuple[str, int]], tmp_path: Path) -> None:
    assert python("--version") == ("ran --version", 0)
    assert python("-m", "pip", "list") == ("ran -m pip list", 1)
    (tmp_path / "venv/pyvenv.cfg").unlink()
    for count in (2, 3):
        assert python(*LIST)[1] == count


@pytest.mark.parametrize(
    ("command", "configuration", "goes_on"),
    [("up", "ssh: {host: far}", True), ("up", "local: {}", False), ("destroy", "ssh: {host: far}", False)],
)
def test_an_up_goes_on_for_hosts_that_are_not_down(
    pulumi: Run, tmp_path: Path, command: str, configuration: str, goes_on: bool
) -> None:
    beside = tmp_path / "project"
    beside.mkdir()
    for name in ("__main__.py", "Pulumi.yaml"):
        (beside / name).symlink_to(paths.PROJECT / name)
    (beside / "Pulumi.far.yaml").write_text(f"config: {{'dockstack:containerHosts': {{one: {{{configuration}}}}}}}\n")
    told = pulumi(command, "--stack", "far", "--cwd", str(beside))
    assert told.get("PULUMI_CONTINUE_ON_ERROR", "") == ("true" if goes_on else "")
