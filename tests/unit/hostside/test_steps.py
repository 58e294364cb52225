"""The steps of a container beside its engine: registration, certificate, Puppet run, health; and what they say."""

from __future__ import annotations

import http.server
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from hostside import (
    certificate,
    certificate_authority,
    containers,
    docker_api,
    health,
    programs,
    provisioning,
    registration,
)
from hostside.errors import StepError
from hostside.process import CommandFailed
from hostside.programs import Program

SECRET = "the-enrolment-secret"
HIERA = Path(__file__).resolve().parents[3] / "dockervolumes/puppet/code/environments/production/hiera.yaml"


class Inside:
    """Plays `docker exec`: remembers each call, and answers or fails as told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str], str | None]] = []
        self.answers: dict[str, str] = {}
        self.failures: dict[str, str] = {}

    def execute(self, container: str, arguments: Sequence[str], *, stdin: str | None = None, timeout: float = 0) -> str:
        self.calls.append((container, list(arguments), stdin))
        line = " ".join(arguments)
        for part, words in self.failures.items():
            if part in line:
                raise CommandFailed(words)
        return next((answer for part, answer in self.answers.items() if part in line), "")

    def lines(self) -> list[str]:
        return [" ".join(arguments) for _, arguments, _ in self.calls]


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Inside:
    played = Inside()
    monkeypatch.setattr(containers, "execute", played.execute)
    monkeypatch.setattr(certificate_authority, "execute", played.execute)
    return played


# What an error says.


def test_an_error_names_container_step_and_reason_and_shows_the_log_below() -> None:
    error = StepError("galera1", "its Puppet run", "it failed", ["first  ", "second"])
    assert str(error) == "galera1: its Puppet run failed: it failed\n    first\n    second"


def test_an_error_without_a_log_is_one_line() -> None:
    assert str(StepError("galera1", "attaching its port", "no such bridge")).splitlines() == [
        "galera1: attaching its port failed: no such bridge"
    ]


# The Puppet run.


Agent = Callable[[list[str], int], None]


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch, inside: Inside) -> Agent:
    inside.answers["puppet.conf"] = "puppet1.dockstack.lab"

    def plays(lines: list[str], status: int) -> None:
        def stream(container: str, arguments: Sequence[str], line: Callable[[str], None], *_waiting: object) -> int:
            assert container == "galera1"
            # Not before its server is there.
            assert inside.calls[-1][1][-1] == "puppet1.dockstack.lab"
            assert "--detailed-exitcodes" in arguments
            for text in lines:
                line(text)
            return status

        monkeypatch.setattr(containers, "stream", stream)

    return plays


@pytest.mark.parametrize("status", [0, 2])
def test_a_puppet_run_that_changed_nothing_or_something_is_a_success(tmp_path: Path, agent: Agent, status: int) -> None:
    agent(["Notice: Applied catalog in 1.00 seconds"], status)
    assert provisioning.provision("galera1", tmp_path / "logs") == status


@pytest.mark.parametrize("status", [1, 4, 6])
def test_a_puppet_run_that_failed_is_a_failure_with_its_status(tmp_path: Path, agent: Agent, status: int) -> None:
    agent(["Error: it failed"], status)
    with pytest.raises(StepError, match=f"status {status} "):
        provisioning.provision("galera1", tmp_path / "logs")


@pytest.mark.parametrize(("first", "runs"), [("No more routes to puppet", 2), ("Could not find class role::galera", 1)])
def test_a_puppet_run_that_lost_its_server_and_no_other_is_repeated(
    tmp_path: Path, agent: Agent, monkeypatch: pytest.MonkeyPatch, first: str, runs: int
) -> None:
    agent([], 0)
    statuses = [1, 0]
    waited = []
    monkeypatch.setattr(certificate, "await_server", lambda *asked: waited.append(asked))

    def stream(_container: str, _arguments: object, line: Callable[[str], None], *_waiting: object) -> int:
        line(f"Error: Could not retrieve catalog from remote server: {first}")
        return statuses.pop(0)

    monkeypatch.setattr(containers, "stream", stream)
    if runs == 1:
        with pytest.raises(StepError, match=first):
            provisioning.provision("galera1", tmp_path)
    else:
        assert provisioning.provision("galera1", tmp_path) == 0
    assert len(waited) == runs
    assert (tmp_path / "galera1.puppet.log").read_text().count(first) == runs


def test_a_failed_puppet_run_shows_the_failing_resource_and_the_last_lines_and_no_more(
    tmp_path: Path, agent: Agent
) -> None:
    failing = "Error: /Stage[main]/Profile::Galera/Exec[root account]/returns: change failed"
    lines = [f"Notice: line {n}" for n in range(100)]
    agent([*lines[:20], failing, *lines[20:]], 6)
    with pytest.raises(StepError) as caught:
        provisioning.provision("galera1", tmp_path / "logs")
    error = caught.value
    assert (error.container, error.log[0]) == ("galera1", failing)
    assert error.log[1:] == tuple(lines[-containers.LOG_LINES :])
    assert str(tmp_path / "logs/galera1.puppet.log") in error.reason


def test_an_error_among_the_last_lines_is_shown_once(tmp_path: Path, agent: Agent) -> None:
    agent(["Notice: start", "Error: the reason", "Notice: end"], 4)
    with pytest.raises(StepError) as caught:
        provisioning.provision("galera1", tmp_path)
    assert sorted(caught.value.log) == ["Error: the reason", "Notice: end", "Notice: start"]


def test_many_errors_do_not_flood_the_screen(tmp_path: Path, agent: Agent) -> None:
    agent([f"Error: number {n}" for n in range(500)], 6)
    with pytest.raises(StepError) as caught:
        provisioning.provision("galera1", tmp_path)
    assert caught.value.log[0] == "Error: number 0"
    assert len(caught.value.log) <= 25


def test_the_whole_output_of_a_puppet_run_is_in_a_log_for_its_owner_only(tmp_path: Path, agent: Agent) -> None:
    agent(["Notice: one", "Notice: two"], 0)
    provisioning.provision("galera1", tmp_path / "logs")
    log = tmp_path / "logs/galera1.puppet.log"
    assert log.read_text() == "Notice: one\nNotice: two\n"
    assert (log.stat().st_mode & 0o777, log.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_long_puppet_run_tells_where_it_is(
    tmp_path: Path, agent: Agent, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(provisioning, "PROGRESS_SECONDS", 0.0)
    agent(["Notice: /Stage[main]/Mysql::Server/Package[mysql]/ensure: created"], 2)
    provisioning.provision("galera1", tmp_path)
    said = capfd.readouterr().err
    assert "galera1: Puppet" in said
    assert "Mysql::Server/Package[mysql]" in said


# Health.


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(docker_api, "inspect", lambda _name: {"State": {"Running": True, "Pid": 4711}})
    monkeypatch.setattr(programs, "follow_files", lambda *_arguments: None)
    monkeypatch.setattr(containers, "program_logs", lambda _container: ["mariadb FATAL", "-- its log"])


RUNNING: dict[str, Any] = {
    "State": {"Status": "running", "Running": True, "Paused": False, "Pid": 4711, "Health": {"Status": "healthy"}}
}
EXITED: dict[str, Any] = {"State": {"Status": "exited", "Running": False, "Paused": False, "Pid": 0}}


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[Program]:
    """Play the container's supervisord; return the list of its programs, for a test to change."""
    there = [Program("mariadb", "RUNNING", "")]
    monkeypatch.setattr(docker_api, "inspect", lambda _container: RUNNING)
    monkeypatch.setattr(programs, "listed", lambda _container, _path: there)
    return there


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def web() -> Iterator[tuple[int, list[int]]]:
    statuses: list[int] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port, statuses
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.usefixtures("impatient", "listed")
def test_a_container_whose_programs_run_and_whose_checks_succeed_is_healthy(
    inside: Inside, web: tuple[int, list[int]]
) -> None:
    port, statuses = web
    statuses.append(300)
    checks: list[dict[str, Any]] = [
        {"kind": "tcp", "address": "127.0.0.1", "port": port},
        {"kind": "http", "url": f"http://127.0.0.1:{port}/v3", "status": [200, 300]},
        {"kind": "exec", "command": ["/etc/dockstack/bin/own-check"]},
    ]
    health.await_healthy("keystone1", checks, 5)
    assert inside.lines() == ["/etc/dockstack/bin/own-check"]


@pytest.mark.usefixtures("impatient", "inside", "listed")
def test_programs_whose_files_have_changed_are_started_anew_before_the_checks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(programs, "follow_files", lambda *arguments: asked.append(arguments))
    health.await_healthy("keystone1", [], 5)
    assert asked == [("keystone1", "/proc/4711/root/run/supervisor.sock")]


@pytest.mark.usefixtures("impatient", "inside", "listed")
def test_a_supervisord_that_does_not_answer_is_left_to_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def refuses(*arguments: object) -> None:
        asked.append(arguments)
        raise ConnectionRefusedError

    monkeypatch.setattr(programs, "follow_files", refuses)
    health.await_healthy("keystone1", [], 5)
    assert len(asked) == 1


@pytest.mark.usefixtures("impatient", "inside", "listed")
def test_a_service_that_needs_a_moment_is_waited_for(web: tuple[int, list[int]]) -> None:
    port, statuses = web
    statuses.extend([503, 503, 200])
    health.await_healthy("keystone1", [{"kind": "http", "url": f"http://127.0.0.1:{port}/", "status": [200]}], 10)
    assert statuses == [200]


@pytest.mark.usefixtures("impatient", "inside")
def test_a_program_that_does_not_run_is_told_with_its_log(listed: list[Program]) -> None:
    listed += [Program("one", "FATAL", "no such file"), Program("two", "BACKOFF", "")]
    with pytest.raises(StepError) as caught:
        health.await_healthy("galera1", [], 0.05)
    assert "not every program runs: one is FATAL (no such file), two is BACKOFF" in caught.value.reason
    assert caught.value.log == ("mariadb FATAL", "-- its log")


@pytest.mark.usefixtures("impatient", "inside")
@pytest.mark.parametrize(
    ("found", "error", "told"),
    [
        (None, None, "it does not run"),
        (EXITED, None, "it does not run"),
        (RUNNING, StepError("galera1", "its programs", "supervisord does not answer"), "supervisord does not answer"),
        (RUNNING, docker_api.EngineError("the Docker engine does not answer"), "the Docker engine does not answer"),
    ],
)
def test_a_container_whose_programs_cannot_be_asked_for_is_not_healthy(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, Any] | None, error: Exception | None, told: str
) -> None:
    def ask(*_arguments: object) -> list[Program]:
        assert error
        raise error

    monkeypatch.setattr(docker_api, "inspect", lambda _container: found)
    monkeypatch.setattr(programs, "listed", ask)
    with pytest.raises(StepError, match=told):
        health.await_healthy("galera1", [], 0.05)


@pytest.mark.usefixtures("impatient", "inside", "listed")
def test_a_port_that_refuses_is_told_with_the_check_that_failed() -> None:
    port = free_port()
    with pytest.raises(StepError, match=f'"port": {port}.*refused'):
        health.await_healthy("galera1", [{"kind": "tcp", "address": "127.0.0.1", "port": port}], 0.05)


@pytest.mark.usefixtures("impatient", "inside", "listed")
def test_a_wrong_status_is_told(web: tuple[int, list[int]]) -> None:
    port, statuses = web
    statuses.append(503)
    with pytest.raises(StepError, match="answered with status 503"):
        health.await_healthy("k", [{"kind": "http", "url": f"http://127.0.0.1:{port}/", "status": [200]}], 0.05)


@pytest.mark.usefixtures("impatient", "listed")
def test_a_check_inside_that_fails_is_told(inside: Inside) -> None:
    inside.failures["own-check"] = "the VIP is elsewhere"
    with pytest.raises(StepError, match="the VIP is elsewhere"):
        health.await_healthy("haproxy1", [{"kind": "exec", "command": ["own-check"]}], 0.05)


@pytest.mark.usefixtures("impatient", "inside", "listed")
def test_an_answer_that_is_no_http_is_a_check_that_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1024)
                    connection.sendall(b"I am no web server\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(StepError):
            health.await_healthy("k", [{"kind": "http", "url": url, "status": [200]}], 0.05)


@pytest.mark.usefixtures("impatient", "inside", "listed")
def test_a_proxy_of_the_host_has_no_part_in_a_check(
    web: tuple[int, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, statuses = web
    statuses.append(200)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    health.await_healthy("k", [{"kind": "http", "url": f"http://127.0.0.1:{port}/", "status": [200]}], 0.05)


# The certificate.


def issue() -> str:
    return certificate.issue(
        "galera1", fqdn="galera1.dockstack.lab", server="puppet1.dockstack.lab", role="galera", secret=SECRET
    )


def test_a_container_that_has_its_certificate_asks_for_nothing(inside: Inside) -> None:
    inside.answers["private_keys"] = "yes\n"
    assert issue() == "present"
    assert not any(line.startswith(("puppet", "rm")) or "cat >" in line for line in inside.lines())


def test_a_certificate_is_asked_for_once_the_server_answers(inside: Inside) -> None:
    inside.answers["private_keys"] = "no\n"
    assert issue() == "issued"
    order = [
        next(i for i, line in enumerate(inside.lines()) if part in line)
        for part in ("private_keys", "8140", certificate.REQUEST)
    ]
    assert order == sorted(order)
    assert inside.lines()[-1] == f"{certificate.REQUEST} puppet1.dockstack.lab galera1.dockstack.lab galera"


def test_the_secret_travels_over_standard_input_only(inside: Inside) -> None:
    inside.answers["private_keys"] = "no\n"
    issue()
    assert not any(SECRET in line for line in inside.lines())
    assert [stdin for _, _, stdin in inside.calls if stdin is not None] == [f"{SECRET}\n"]


def test_a_refused_certificate_is_told(inside: Inside) -> None:
    inside.answers["private_keys"] = "no\n"
    inside.failures[certificate.REQUEST] = "\n".join(f"line {n}" for n in range(30))
    with pytest.raises(StepError) as caught:
        issue()
    assert caught.value.container == "galera1"
    assert caught.value.log[-1] == "line 29"
    assert len(caught.value.log) <= 15
    assert SECRET not in str(caught.value)


def test_a_server_that_can_not_be_reached_is_told_before_the_secret_is_written(inside: Inside) -> None:
    inside.answers["private_keys"] = "no\n"
    inside.failures["8140"] = "no route"
    with pytest.raises(StepError, match=r"puppet1.dockstack.lab:8140 can't be reached"):
        issue()
    assert not any(stdin for _, _, stdin in inside.calls)


# The registration.


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: Inside) -> Path:
    """Return the rendered directory of a Puppet server that runs."""
    monkeypatch.setattr(docker_api, "inspect", lambda _name: {"State": {"Running": True, "Status": "running"}})
    monkeypatch.setattr(os, "chown", lambda *_arguments: None)
    monkeypatch.setattr(shutil, "chown", lambda *_arguments, **_options: None)
    assert not inside.calls
    return tmp_path / "volumes/puppet1"


def entry(server: Path, container_id: str = "first", *, own: bool = False) -> registration.NodeEntry:
    return registration.NodeEntry(
        fqdn="galera1.dockstack.lab", container_id=container_id, server="puppet1", directory=str(server), group=8140,
        data="profile::galera::bootstrap: true\n", secrets="profile::galera::root_password: p\n",
        grant="0123\ngalera\n", own=own,
    )  # fmt: skip


def cleaned(inside: Inside) -> list[str]:
    return [line for line in inside.lines() if "clean" in line]


def written(server: Path) -> set[str]:
    return {str(path.relative_to(server)) for path in server.rglob("*") if path.is_file()}


def test_an_entry_is_node_data_for_all_and_secrets_and_grant_for_the_server_alone(server: Path) -> None:
    entry(server).register()
    modes = {name: (server / name).stat().st_mode & 0o777 for name in written(server)}
    private = {name for name in modes if modes[name] == 0o640}
    assert private == {"secrets/nodes/galera1.dockstack.lab.yaml", "autosign/galera1.dockstack.lab"}
    assert len(modes) == 3
    for name in private:
        assert (server / name).parent.stat().st_mode & 0o777 == 0o750


def test_an_entry_is_where_hiera_and_the_policy_look_for_it(server: Path) -> None:
    entry(server).register()
    hierarchy = {level["name"]: level for level in yaml.safe_load(HIERA.read_text())["hierarchy"]}
    for name, content in {"Secrets of the node": "root_password", "Node": "bootstrap"}.items():
        level = hierarchy[name]
        directory = Path("/etc/dockstack/code/environments/production") / level["datadir"]
        path = directory / level["path"].replace("%{trusted.certname}", "galera1.dockstack.lab")
        assert content in (server / path.relative_to("/etc/dockstack")).read_text()
    assert (server / "autosign/galera1.dockstack.lab").read_text() == "0123\ngalera\n"


def test_the_certificate_of_an_earlier_container_is_cleaned_and_that_of_the_same_one_is_kept(
    server: Path, inside: Inside
) -> None:
    entry(server, "first").register()
    assert len(cleaned(inside)) == 1
    entry(server, "first").register()
    assert len(cleaned(inside)) == 1
    entry(server, "second").register()
    assert len(cleaned(inside)) == 2
    assert all("galera1.dockstack.lab" in line for line in cleaned(inside))


def test_a_cleaning_that_failed_is_done_again(server: Path, inside: Inside) -> None:
    inside.failures["clean"] = "the authority answers 500"
    with pytest.raises(StepError, match="the authority answers 500"):
        entry(server).register()
    inside.failures.clear()
    entry(server).register()
    assert len(cleaned(inside)) == 2


def test_the_server_never_cleans_its_own_certificate(server: Path, inside: Inside) -> None:
    entry(server, "first", own=True).register()
    entry(server, "second", own=True).register()
    entry(server, "second", own=True).withdraw()
    assert inside.calls == []


def test_a_withdrawn_entry_leaves_nothing_behind(server: Path, inside: Inside) -> None:
    entry(server).register()
    entry(server).withdraw()
    assert written(server) == set()
    assert len(cleaned(inside)) == 2
    left = {path for path in server.parent.rglob("*") if path.is_file()}
    assert left == set()


def test_withdrawing_twice_is_no_error(server: Path) -> None:
    entry(server).register()
    entry(server).withdraw()
    entry(server).withdraw()
    assert written(server) == set()


def test_withdrawing_from_a_server_that_is_gone_is_no_error(
    server: Path, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry(server).register()
    monkeypatch.setattr(docker_api, "inspect", lambda _name: None)
    inside.calls.clear()
    entry(server).withdraw()
    assert inside.calls == []
    assert written(server) == set()


def test_withdrawing_from_a_server_that_was_stopped_is_no_error(
    server: Path, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry(server).register()
    monkeypatch.setattr(docker_api, "inspect", lambda _name: {"State": {"Running": False, "Status": "exited"}})
    inside.failures["clean"] = "Container puppet1 is not running"
    entry(server).withdraw()
    assert written(server) == set()


def test_registering_at_a_server_that_was_stopped_is_an_error(
    server: Path, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_api, "inspect", lambda _name: {"State": {"Running": False, "Status": "exited"}})
    inside.failures["clean"] = "Container puppet1 is not running"
    with pytest.raises(StepError, match="not running"):
        entry(server).register()


def test_an_entry_that_comes_again_after_it_was_withdrawn_cleans_whatever_is_left(server: Path, inside: Inside) -> None:
    entry(server).register()
    entry(server).withdraw()
    entry(server).register()
    assert len(cleaned(inside)) == 3
