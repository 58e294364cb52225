"""Preparation that is interrupted while Docker builds an image: the build ends, and the next run makes it whole."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator

import pytest

from components.host import dockerfiles
from tests.lab.harness import PATIENCE_SECONDS, PROJECT, run

pytestmark = pytest.mark.lab

SECONDS = 4
RUNNER = "import json, sys; from prepare import __main__ as p; from prepare.jobs import run; \
run([p._image(json.load(sys.stdin), ())], 1)"


@pytest.fixture
def name() -> Iterator[str]:
    """Return the name of an image that there isn't; it goes with the test."""
    chosen = f"test-{uuid.uuid4().hex[:8]}"
    yield chosen
    run("docker", "image", "rm", f"dockstack/{chosen}:1", f"dockstack/{chosen}:latest", check=False)


def start(name: str) -> subprocess.Popen[str]:
    """Begin to prepare an image whose only step takes some seconds."""
    content = f"ARG PARENT\nFROM ${{PARENT}}\nRUN sleep {SECONDS} && : {name}\n"
    image = {
        "directory": name,
        "tag": f"dockstack/{name}:1",
        "parent": dockerfiles.tag("base"),
        "files": {"Dockerfile": {"content": content, "mode": "644"}},
        "packages": [],
    }
    process = subprocess.Popen(
        [sys.executable, "-B", "-c", RUNNER], cwd=PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps(image))
    process.stdin.close()
    process.stdin = None
    return process


def steps(name: str) -> list[str]:
    """Return the containers of a build."""
    listed = run("docker", "ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Command}}").stdout.splitlines()
    return [line for line in listed if f": {name}" in line]


def wait_for(name: str, there: bool, seconds: float = PATIENCE_SECONDS) -> None:
    end = time.monotonic() + seconds
    while bool(steps(name)) != there:
        assert time.monotonic() < end, steps(name)
        time.sleep(0.2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_ends_at_once_and_the_next_run_makes_the_image(name: str, number: signal.Signals) -> None:
    interrupted = start(name)
    wait_for(name, True)
    interrupted.send_signal(number)
    said, _ = interrupted.communicate(timeout=PATIENCE_SECONDS)
    assert "Interrupted" in said
    wait_for(name, False)
    assert not run("docker", "image", "ls", "--quiet", f"dockstack/{name}").stdout

    again = start(name)
    said, _ = again.communicate(timeout=PATIENCE_SECONDS)
    assert again.returncode == 0, said
    assert f"dockstack/{name}: built in" in said
    assert run("docker", "image", "ls", "--quiet", f"dockstack/{name}").stdout
