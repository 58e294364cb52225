"""What people's shells, makes and Git settings meet: `activate`, the Makefile and a clone."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components import paths
from hostside import process

SU = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
"""The PATH of a user of Debian, which `su` leaves to root."""


@pytest.fixture(autouse=True)
def no_make_above(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what a make that runs the tests says to one that it would start itself."""
    for name in ("MAKEFLAGS", "MAKELEVEL"):
        monkeypatch.delenv(name, raising=False)


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


def test_a_command_finds_the_administrators_programs_whatever_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
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


PROXY = "http://someone:s3cret@192.0.2.1:3128"
LOOPBACK = "localhost,127.0.0.1,::1"
BYPASSES = [
    # What is set before, and what is set by us.
    ({}, {"no_proxy": LOOPBACK, "NO_PROXY": LOOPBACK}),
    ({"no_proxy": "a.b"}, {"no_proxy": f"a.b,{LOOPBACK}", "NO_PROXY": f"a.b,{LOOPBACK}"}),
    ({"NO_PROXY": "a.b, ::1"}, {"no_proxy": f"a.b, ::1,{LOOPBACK}", "NO_PROXY": f"a.b, ::1,{LOOPBACK}"}),
    ({"no_proxy": "localhost", "NO_PROXY": "::1"}, {"no_proxy": LOOPBACK, "NO_PROXY": "::1,localhost,127.0.0.1"}),
    ({"no_proxy": "*"}, {"no_proxy": "*", "NO_PROXY": "*", "no_grpc_proxy": LOOPBACK}),
    ({"no_grpc_proxy": "x"}, {"no_proxy": LOOPBACK, "NO_PROXY": LOOPBACK, "no_grpc_proxy": f"x,{LOOPBACK}"}),
]
NAMES = ("no_proxy", "NO_PROXY", "no_grpc_proxy")


@pytest.mark.parametrize("interpreter", ["sh", "bash"])
@pytest.mark.parametrize(("before", "after"), BYPASSES)
def test_activate_keeps_a_proxy_away_from_the_loopback_once(
    home: Path, interpreter: str, before: dict[str, str], after: dict[str, str]
) -> None:
    for proxy in ("http_proxy", "HTTPS_PROXY", "all_proxy", "grpc_proxy"):
        found = shell(home, ". ./activate; env", interpreter, **{proxy: PROXY}, **before)
        assert {name: found[name] for name in NAMES if name in found} == after
        assert found[proxy] == PROXY


def test_without_a_proxy_nothing_is_said_of_what_needs_none(home: Path) -> None:
    assert not [name for name in NAMES if name in shell(home, "env")]


def test_the_engine_gets_the_same_where_a_proxy_is_set_after_activate(home: Path) -> None:
    found = shell(home, f"export https_proxy={PROXY}; pulumi version")
    assert found["no_proxy"] == LOOPBACK


CALL = """
import sys
from concurrent import futures
import grpc
server = grpc.server(futures.ThreadPoolExecutor(1))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    grpc.channel_ready_future(channel).result(timeout=int(sys.argv[1]))
"""


def test_grpc_needs_that_and_takes_it(home: Path) -> None:
    def reached(environment: dict[str, str], seconds: str) -> bool:
        called = [sys.executable, "-c", CALL, seconds]
        return not subprocess.run(called, env=environment, capture_output=True, check=False).returncode

    proxy = {"PATH": SU, "https_proxy": "http://127.0.0.1:1"}
    assert not reached(proxy, "1")
    for before in ({}, {"no_proxy": "*"}, {"NO_PROXY": "a.b"}):
        found = shell(home, "env", **proxy, **before)
        assert reached({**proxy, **{name: value for name, value in found.items() if name in NAMES}}, "10"), before


def test_what_prepares_a_machine_knows_a_proxy_by_each_name() -> None:
    script = "source prepare/lib.sh; env"
    for before in ({"http_proxy": "a", "HTTPS_PROXY": "b"}, {"ALL_PROXY": "a", "https_proxy": "b"}):
        done = subprocess.run(
            ["bash", "-euc", script], cwd=paths.PROJECT, env={"PATH": SU, **before}, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        assert [found[name] for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY")] == [*"aabb"]
