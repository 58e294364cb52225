"""The demo beside the engine: what its program is given, what is recorded, and what a failure says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hostside import demo
from hostside.errors import StepError
from hostside.process import CommandFailed

LOGIN = {"username": "admin", "password": "the-password"}
IMAGE = {"image": {"name": "guest", "disk": "one"}}
KEY = {"key": {"name": "demo-key"}}


class Engine:
    """Plays `docker run` of the demo's program."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.lines: list[list[str]] = []
        self.removed: list[list[str]] = []
        self.failure = ""
        self.images = {"sha256:one", "sha256:two"}

    def run(self, arguments: Sequence[str], *, stdin: str | None = None, timeout: float = 60) -> str:
        line = list(arguments)
        self.lines.append(line)
        if line[-1] == "key":
            return json.dumps({"private": "PRIVATE\n", "public": "ssh-ed25519 AAAA demo-key\n"})
        assert stdin is not None
        self.orders.append(json.loads(stdin))
        if self.failure:
            raise CommandFailed(f"docker run --rm --interactive ended with status 1: {self.failure}")
        return "made image guest\n"

    def succeeds(self, arguments: Sequence[str], *, timeout: float = 60) -> bool:
        line = list(arguments)
        if line[:3] == ["docker", "image", "inspect"]:
            return line[-1] in self.images
        self.removed.append(line)
        return True


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    played = Engine()
    monkeypatch.setattr(demo, "run", played.run)
    monkeypatch.setattr(demo, "succeeds", played.succeeds)
    return played


def apply(directory: Path, wanted: dict[str, Any], image: str = "sha256:one") -> None:
    demo.apply(directory, "keystone1", image, directory / "demo-key", wanted, LOGIN)


def test_the_program_runs_in_keystones_network_and_is_told_what_is_wanted(tmp_path: Path, engine: Engine) -> None:
    apply(tmp_path, IMAGE)
    assert engine.orders == [{"login": LOGIN, "wanted": IMAGE, "made": [IMAGE]}]
    assert engine.lines[0][-5:-3] == ["--network", "container:keystone1"]
    assert engine.lines[0][-3:] == ["sha256:one", demo.PROGRAM, "apply"]


def test_the_program_has_the_authority_where_the_host_has_it(tmp_path: Path, engine: Engine) -> None:
    login = {**LOGIN, "cacert": "/somewhere/ca.pem"}
    demo.apply(tmp_path, "keystone1", "sha256:one", tmp_path / "demo-key", IMAGE, login)
    assert engine.orders[0]["login"] == login
    assert engine.lines[0][-5:-3] == ["--volume", "/somewhere/ca.pem:/somewhere/ca.pem:ro"]


def test_no_secret_is_among_the_arguments(tmp_path: Path, engine: Engine) -> None:
    apply(tmp_path, IMAGE | KEY)
    assert "the-password" not in str(engine.lines)
    assert "PRIVATE" not in str(engine.lines)


def test_a_lab_that_never_had_a_demo_asks_nobody(tmp_path: Path, engine: Engine) -> None:
    apply(tmp_path, {}, image="")
    assert engine.lines == []


def test_what_is_no_longer_wanted_is_known_from_the_record(tmp_path: Path, engine: Engine) -> None:
    apply(tmp_path, IMAGE)
    apply(tmp_path, {}, image="")
    assert engine.orders[-1] == {"login": LOGIN, "wanted": {}, "made": [IMAGE]}
    assert engine.lines[-1][-3] == "sha256:one"
    assert list(tmp_path.iterdir()) == []


def test_what_a_failed_run_may_have_made_is_known_to_the_next(tmp_path: Path, engine: Engine) -> None:
    other = {"image": {"name": "guest", "disk": "two"}}
    apply(tmp_path, IMAGE)
    engine.failure = "no"
    for _ in range(2):
        with pytest.raises(StepError):
            apply(tmp_path, other, image="sha256:two")
    engine.failure = ""
    apply(tmp_path, {}, image="")
    assert engine.orders[-1]["made"] == [IMAGE, other]


def test_the_program_of_a_run_that_was_cut_off_is_ended_first(tmp_path: Path, engine: Engine) -> None:
    apply(tmp_path, IMAGE)
    name = f"{tmp_path.name}-demo"
    assert engine.removed == [["docker", "rm", "--force", name]]
    assert name in engine.lines[0]


def test_the_key_is_made_once_and_is_for_its_owner_alone(tmp_path: Path, engine: Engine) -> None:
    for _ in range(2):
        apply(tmp_path, KEY)
    assert [line[-1] for line in engine.lines] == ["key", "apply", "apply"]
    assert engine.orders[-1]["wanted"]["key"] == {"name": "demo-key", "public": "ssh-ed25519 AAAA demo-key"}
    assert (tmp_path / "demo-key").read_text() == "PRIVATE\n"
    assert (tmp_path / "demo-key").stat().st_mode & 0o777 == 0o600


def test_a_removed_demo_takes_its_key_along(tmp_path: Path, engine: Engine) -> None:
    apply(tmp_path, KEY)
    apply(tmp_path, {}, image="")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_says_what_openstack_said(tmp_path: Path, engine: Engine) -> None:
    apply(tmp_path, IMAGE)
    engine.failure = "removing network demo: There are one or more ports still in use on the network."
    with pytest.raises(StepError) as caught:
        apply(tmp_path, {}, image="")
    assert str(caught.value) == (
        "demo: removing the demo failed: removing network demo: "
        "There are one or more ports still in use on the network."
    )


def test_a_demo_whose_image_is_gone_says_how_to_remove_it(tmp_path: Path, engine: Engine) -> None:
    apply(tmp_path, IMAGE)
    engine.images.clear()
    with pytest.raises(StepError, match="set dockstack:demo to true"):
        apply(tmp_path, {}, image="")
