"""What is said of a broker whose users and cluster are not as wanted; the broker is played."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.scripts import load

PASSWORD = "of-the-broker"


class Broker:
    """Plays erl_call's other end."""

    def __init__(self, script: Any) -> None:
        self.script = script
        self.runs = ["true"]
        self.wrong: list[str] = []
        self.asked: list[str] = []

    def ask(self, code: str) -> str:
        self.asked.append(code)
        if code == self.script.RUNS:
            answer = self.runs.pop(0) if len(self.runs) > 1 else self.runs[0]
            if answer == "silent":
                raise self.script.Silent("the broker does not answer")
            return answer
        return json.dumps(self.wrong) if "Wrong =" in code else "done"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    return load("rabbitmq/bin/rabbitmq-settle", monkeypatch)


@pytest.fixture
def broker(script: Any, monkeypatch: pytest.MonkeyPatch) -> Broker:
    played = Broker(script)
    monkeypatch.setattr(script, "ask", played.ask)
    monkeypatch.setattr(script.time, "sleep", lambda _seconds: None)
    return played


def given() -> str:
    return base64.b64encode(json.dumps({"openstack": PASSWORD}).encode()).decode()


def test_a_broker_with_its_users_has_no_fault(script: Any, broker: Broker) -> None:
    assert script.fault(given(), cluster=False) == ""
    assert given() in broker.asked[-1]


def test_users_that_are_not_as_wanted_are_named(script: Any, broker: Broker) -> None:
    broker.wrong = ["openstack", "guest"]
    assert script.fault(given(), cluster=False) == "not as wanted: openstack, guest"


@pytest.mark.parametrize("state", ["false", "silent"])
def test_a_broker_that_does_not_run_is_not_asked_for_its_users(script: Any, broker: Broker, state: str) -> None:
    broker.runs = [state]
    assert script.fault(given(), cluster=False)
    assert broker.asked == [script.RUNS]


def test_a_broker_that_starts_is_waited_for(script: Any, broker: Broker) -> None:
    broker.runs = ["silent", "false", "true"]
    script.apply(given(), cluster=False)
    assert len(broker.asked) == 4


def test_a_broker_that_does_not_start_is_an_error(script: Any, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    broker.runs = ["silent"]
    monkeypatch.setattr(script, "WAIT_SECONDS", 0)
    with pytest.raises(script.Silent, match="has not started"):
        script.apply(given(), cluster=False)


def test_what_is_sent_to_the_broker_ends_as_erl_call_wants_it(script: Any) -> None:
    for code in (script.RUNS, script.COMMON + script.CHECK, script.COMMON + script.APPLY):
        assert code.endswith(".\n")


def test_only_a_cluster_is_asked_for_what_a_cluster_has(script: Any, broker: Broker) -> None:
    for cluster, said in ((False, "Cluster = false"), (True, "Cluster = true")):
        script.apply(given(), cluster=cluster)
        assert said in broker.asked[-1]


def test_no_password_is_an_argument(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: tuple[str, ...], *, input: str, **_options: object) -> subprocess.CompletedProcess[str]:
        assert PASSWORD in input and PASSWORD not in " ".join(command) and command[-1] == "-e"
        return subprocess.CompletedProcess(command, 0, "done")

    monkeypatch.setattr(subprocess, "run", run)
    assert load("rabbitmq/bin/broker.py", monkeypatch).ask(PASSWORD) == "done"


def test_a_new_cookie_is_told_to_a_broker_that_runs_before_it_is_what_others_ask_with(
    script: Any, broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "COOKIE", tmp_path / "cookie")
    monkeypatch.setattr(script.pwd, "getpwnam", lambda _name: SimpleNamespace(pw_uid=os.getuid(), pw_gid=os.getgid()))
    script.COOKIE.write_text("the-new-one")
    file = tmp_path / ".erlang.cookie"
    script.tell_cookie(file)
    assert not broker.asked and file.read_text() == "the-new-one"
    file.chmod(0o600)
    file.write_text("the-old-one")

    def ask(code: str) -> str:
        broker.asked.append(file.read_text() + code)
        return "done"

    monkeypatch.setattr(script, "ask", ask)
    script.tell_cookie(file)
    assert broker.asked[0].startswith("the-old-one") and base64.b64encode(b"the-new-one").decode() in broker.asked[0]
    assert file.read_text() == "the-new-one" and file.stat().st_mode & 0o777 == 0o400
