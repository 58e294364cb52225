"""What people's shells, makes and Git settings meet: `activate`, the Makefile and a clone."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from components import paths
from hostside import process

SU = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
"""The PATH of a user of Debian, which `su` leaves to root."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a DOCKSTACK_HOME in which this checkout has been prepared, with an engine that prints its environment."""
    record = tmp_path / "checkouts" / hashlib.sha256(str(paths.PROJECT).encode()).hexdigest()[:16]
    record.mkdir(parents=True)
    for name, program, text in (("venv", "bin/python3", "#!/bin/sh\n"), ("engine", "pulumi", "#!/bin/sh\nenv\n")):
        (record / name).write_text(f"{tmp_path / name}\n")
        path = tmp_path / name / program
        path.parent.mkdir(parents=True)
        path.write_text(text)
        path.chmod(0o755)
    return tmp_path


def shell(home: Path, script: str, interpreter: str = "sh", **environment: str) -> dict[str, str]:
    """Return the environment that a script prints after `activate`."""
    done = subprocess.run(
        [interpreter, "-euc", f". ./activate; {script}"], cwd=paths.PROJECT, capture_output=True, text=True, check=True,
        env={"PATH": SU, "HOME": str(home), "DOCKSTACK_HOME": str(home), **environment},
    )  # fmt: skip
    assert done.stderr == ""
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


@pytest.mark.parametrize("interpreter", ["sh", "bash"])
def test_activate_finds_the_administrators_programs_behind_all_others_once(home: Path, interpreter: str) -> None:
    found = shell(home, ". ./activate; env", interpreter)["PATH"].split(":")
    assert found[-3:] == ["/usr/local/sbin", "/usr/sbin", "/sbin"]
    assert found[2:-3] == SU.split(":")
    already = shell(home, "env", interpreter, PATH=f"/usr/sbin:{SU}")["PATH"].split(":")
    assert already[2] == "/usr/sbin"
    assert len(set(already)) == len(already)


def test_a_verb_finds_the_administrators_programs_whatever_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    for before in (SU, "/usr/bin", None):
        monkeypatch.setenv("PATH", before) if before else monkeypatch.delenv("PATH")
        process.complete_path()
        process.complete_path()
        found = os.environ["PATH"].split(":")
        assert set(process.ADMINISTRATORS) <= set(found)
        assert len(set(found)) == len(found)


TARGETS = (
    "lab", "preview", "up", "destroy", "purge", "status", "upgrade", "backup", "restore", "rotate", "token", "tempest",
)  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("how", ["argument", "blank argument", "environment"])
def test_an_empty_stack_is_refused_before_anything_is_done(target: str, how: str) -> None:
    arguments = {"argument": ["STACK="], "blank argument": ["STACK= "]}.get(how, [])
    environment = {**os.environ, **({} if arguments else {"STACK": ""})}
    done = subprocess.run(
        ["make", target, *arguments], cwd=paths.PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "STACK is empty. Fix: give it a value, or leave it out." in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("target", "name"), [("rotate", "SECRETS"), ("backup", "FILE"), ("tempest", "TESTS"), ("status", "JSON")]
)
def test_another_variable_that_is_empty_is_refused_as_well(target: str, name: str) -> None:
    done = subprocess.run(["make", target, f"{name}="], cwd=paths.PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{name} is empty" in done.stderr


def test_what_prepares_a_stack_refuses_an_empty_name() -> None:
    script = "source prepare/lib.sh; stack=$(chosen_stack); echo prepared"
    for name, printed in (("", ""), ("other", "prepared\n")):
        done = subprocess.run(
            ["bash", "-euc", script], cwd=paths.PROJECT, env={**os.environ, "STACK": name}, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.stdout == printed
        assert ("STACK is empty" in done.stderr) is (not name)


def test_the_directory_of_all_stacks_is_no_stacks_own() -> None:
    with pytest.raises(ValueError, match="name is empty"):
        paths.stack_directory("")


@pytest.mark.parametrize("settings", [["core.autocrlf=true"], ["core.eol=crlf"], ["core.autocrlf=input"]])
def test_a_clone_has_the_same_bytes_whatever_git_makes_of_line_ends(settings: list[str], tmp_path: Path) -> None:
    flags = [word for each in settings for word in ("-c", each)]
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", *flags, str(paths.PROJECT), str(clone)], check=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=clone, capture_output=True, text=True, check=True).stdout
    names = [name for name in listed.split("\0") if name]
    assert "activate" in names
    assert [name for name in names if b"\r\n" in (clone / name).read_bytes()] == []
