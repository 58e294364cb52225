"""Calls of the Docker Engine API, against a small server on a socket of the test's own."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from hostside import docker_api, process

ATTACHED = {"Detach": False, "Tty": False}


class Engine:
    """Answers each request with what the test has laid out, and remembers what it was asked."""

    def __init__(self, path: Path) -> None:
        self.asked: list[tuple[str, str, dict[str, list[str]]]] = []
        self.answers: list[bytes] = []
        self.given: list[Any] = []
        self.stdin = b""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def answer(self, status: int, body: object = None) -> None:
        text = b"" if body is None else json.dumps(body).encode()
        self.raw(f"HTTP/1.0 {status} Whatever\r\nContent-Type: application/json\r\n\r\n".encode() + text)

    def raw(self, text: bytes) -> None:
        self.answers.append(text)

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                request = b""
                while b"\r\n\r\n" not in request:
                    part = connection.recv(4096)
                    if not part:
                        break
                    request += part
                if not request:
                    return
                head, _, body = request.partition(b"\r\n\r\n")
                method, target, _ = head.split(b"\r\n")[0].decode().split()
                parts = urlsplit(target)
                self.asked.append((method, parts.path, parse_qs(parts.query)))
                while len(body) < int(head.split(b"Content-Length: ")[1].split()[0]):
                    body += connection.recv(4096)
                self.given.append(json.loads(body or b"null"))
                connection.sendall(self.answers.pop(0))
                if self.given[-1] == ATTACHED and self.given[-2]["AttachStdin"]:
                    while part := connection.recv(4096):
                        self.stdin += part

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(self._socket.getsockname())
        self._thread.join(5)
        self._socket.close()


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr(process, "SOCKET", tmp_path / "docker.sock")
    server = Engine(tmp_path / "docker.sock")
    yield server
    server.close()


def test_a_container_is_inspected_by_its_name(docker: Engine) -> None:
    docker.answer(200, {"State": {"Running": True}})
    assert docker_api.inspect("galera1") == {"State": {"Running": True}}
    assert docker.asked == [("GET", "/containers/galera1/json", {})]


def test_a_container_that_there_is_not_is_none(docker: Engine) -> None:
    docker.answer(404, {"message": "No such container: galera1"})
    assert docker_api.inspect("galera1") is None


def test_any_other_refusal_is_told_with_the_engines_words(docker: Engine) -> None:
    docker.answer(500, {"message": "the disk is full"})
    with pytest.raises(docker_api.EngineError, match=r"inspecting galera1.*the disk is full"):
        docker_api.inspect("galera1")


def test_all_containers_of_one_stack_are_listed_running_or_not(docker: Engine) -> None:
    docker.answer(200, [{"Id": "1"}])
    assert docker_api.containers("lab") == [{"Id": "1"}]
    _, path, query = docker.asked[0]
    assert path == "/containers/json"
    assert query["all"] == ["1"]
    assert json.loads(query["filters"][0]) == {"label": ["dockstack.stack=lab"]}


@pytest.mark.parametrize("status", [204, 304, 404, 409])
def test_starting_what_runs_already_or_is_gone_is_no_error(docker: Engine, status: int) -> None:
    docker.answer(status)
    docker_api.start("galera1")
    assert docker.asked == [("POST", "/containers/galera1/start", {})]


@pytest.mark.parametrize("status", [204, 404, 409])
def test_removing_what_is_gone_or_going_is_no_error(docker: Engine, status: int) -> None:
    docker.answer(status)
    docker_api.remove("galera1")
    method, path, query = docker.asked[0]
    assert (method, path, query["force"]) == ("DELETE", "/containers/galera1", ["1"])


def test_a_removal_that_fails_is_told(docker: Engine) -> None:
    docker.answer(500, {"message": "device is busy"})
    with pytest.raises(docker_api.EngineError, match="device is busy"):
        docker_api.remove("galera1")


def frame(number: int, text: bytes) -> bytes:
    return bytes([number, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


def plays(docker: Engine, *frames: bytes, status: int = 0) -> None:
    """Have the engine run a command that writes this."""
    docker.answer(201, {"Id": "e1"})
    docker.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n" + b"".join(frames))
    # The engine may hear of a command's end after its output has ended.
    docker.answer(200, {"Running": True, "ExitCode": None})
    docker.answer(200, {"Running": False, "ExitCode": status})


def test_a_command_is_run_and_what_it_wrote_is_told_apart(docker: Engine) -> None:
    plays(docker, frame(1, b"on"), frame(2, b"alas"), frame(1, b"e\n"), status=3)
    assert docker_api.execute("galera1", ["cat", "/a"], timeout=5) == docker_api.Ended(3, "one\n", "alas")
    assert [asked[:2] for asked in docker.asked[:3]] == [
        ("POST", "/containers/galera1/exec"),
        ("POST", "/exec/e1/start"),
        ("GET", "/exec/e1/json"),
    ]
    assert docker.given[0] == {"AttachStdin": False, "AttachStdout": True, "AttachStderr": True, "Cmd": ["cat", "/a"]}


def test_a_command_is_given_its_input_and_nobody_elses_list_of_processes_shows_it(docker: Engine) -> None:
    plays(docker)
    assert docker_api.execute("galera1", ["cat"], stdin="s3cret", timeout=5) == docker_api.Ended(0, "", "")
    assert docker.stdin == b"s3cret"
    assert "s3cret" not in json.dumps(docker.given)


def test_a_command_that_the_engine_refuses_is_told_with_its_words(docker: Engine) -> None:
    docker.answer(409, {"message": "Container 1 is not running"})
    with pytest.raises(docker_api.EngineError, match="running cat in galera1: Container 1 is not running"):
        docker_api.execute("galera1", ["cat"], timeout=5)
    docker.answer(201, {"Id": "e1"})
    docker.raw(b"HTTP/1.0 400 Bad\r\n\r\nno such program")
    with pytest.raises(docker_api.EngineError, match="running cat in galera1: no such program"):
        docker_api.execute("galera1", ["cat"], timeout=5)


def test_a_command_that_does_not_end_is_not_waited_for(docker: Engine) -> None:
    docker.answer(201, {"Id": "e1"})
    docker.raw(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(30):
        docker.answer(200, {"Running": True, "ExitCode": None})
    with pytest.raises(TimeoutError):
        docker_api.execute("galera1", ["sleep", "60"], timeout=0.1)


def test_events_begin_with_the_word_that_they_are_followed_and_end_with_an_error(docker: Engine) -> None:
    events = [{"Action": "die", "Actor": {}}, {"Action": "start", "Actor": {}}]
    lines = b"".join(json.dumps(event).encode() + b"\n" for event in events)
    docker.raw(b"HTTP/1.0 200 OK\r\n\r\n" + lines)
    got = []
    with pytest.raises(docker_api.EngineError, match="closed"):
        for event in docker_api.events("lab"):
            got.append(event)
    assert got == [{}, *events]
    filters = json.loads(docker.asked[0][2]["filters"][0])
    assert filters["label"] == ["dockstack.stack=lab"]
    assert {"start", "die", "stop", "destroy"} <= set(filters["event"])


def test_an_engine_that_is_killed_while_it_tells_an_event_is_an_engine_that_went_away(docker: Engine) -> None:
    docker.raw(b'HTTP/1.0 200 OK\r\n\r\n{"Action": "die", "Act')
    with pytest.raises(docker_api.EngineError):
        list(docker_api.events("lab"))


def test_an_engine_that_is_killed_while_it_answers_is_an_engine_that_went_away(docker: Engine) -> None:
    docker.raw(b'HTTP/1.0 200 OK\r\n\r\n[{"Id": "12')
    with pytest.raises(docker_api.EngineError):
        docker_api.containers("lab")


def test_events_that_are_refused_are_an_error(docker: Engine) -> None:
    docker.answer(500, {"message": "no"})
    with pytest.raises(docker_api.EngineError, match="500"):
        next(docker_api.events("lab"))


def test_an_engine_that_closes_the_connection_is_an_error(docker: Engine) -> None:
    docker.raw(b"")
    with pytest.raises(docker_api.EngineError, match="closed the connection"):
        docker_api.inspect("galera1")


CALLS: list[Callable[[], object]] = [
    lambda: docker_api.inspect("a"),
    lambda: docker_api.containers("lab"),
    lambda: docker_api.start("a"),
    lambda: docker_api.remove("a"),
    lambda: next(docker_api.events("lab")),
]


@pytest.mark.parametrize("call", CALLS, ids=["inspect", "containers", "start", "remove", "events"])
def test_an_engine_that_is_not_there_is_an_error_that_says_so(
    call: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "SOCKET", tmp_path / "nobody.sock")
    with pytest.raises(docker_api.EngineGone, match="is gone"):
        call()


def test_the_socket_of_an_engine_that_ended_is_told_from_a_slow_engines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "SOCKET", tmp_path / "docker.sock")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(f"{tmp_path}/docker.sock")
        with pytest.raises(docker_api.EngineGone, match="is gone"):
            docker_api.inspect("galera1")
        left.listen()
        with pytest.raises(docker_api.EngineError, match="timed out") as slow:
            docker_api.call("GET", "/info", timeout=0.05)
    assert not isinstance(slow.value, docker_api.EngineGone)


def test_the_engine_is_this_hosts_whatever_the_environment_names(
    docker: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2376")
    docker.answer(404, {"message": "none"})
    assert docker_api.inspect("galera1") is None


def test_images_are_told_by_their_names(docker: Engine) -> None:
    docker.answer(
        200, [{"RepoTags": ["dockstack/base:1", "dockstack/base:latest"]}, {"RepoTags": None}, {"RepoTags": []}]
    )
    assert docker_api.images() == {"dockstack/base:1", "dockstack/base:latest"}
    docker.answer(500, {"message": "no"})
    with pytest.raises(docker_api.EngineError, match="listing images"):
        docker_api.images()


def test_a_name_can_not_reach_another_path(docker: Engine) -> None:
    docker.answer(404, {"message": "none"})
    docker_api.inspect("a?b=c")
    assert docker.asked[0][1:] == ("/containers/a%3Fb%3Dc/json", {})
