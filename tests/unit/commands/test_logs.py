"""`make logs`: times as programs write them, and lines of several programs in one order."""

from __future__ import annotations

import io
import os
import re
import shutil
import tarfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from commands import logs
from components import paths
from hostside import docker_api, stamps
from hostside import logs as hostside_logs
from tests.unit.played_hosts import STACK, Hosts, played

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
AT = datetime(2026, 11, 28, 9, 25, 15, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("line", "fraction", "rest"),
    [
        ("2026-11-28 09:25:15.123 7 INFO nova.api [-] up", 0.123, "7 INFO nova.api [-] up"),
        ("2026-11-28 09:25:15,500 INFO spawned: 'x'", 0.5, "INFO spawned: 'x'"),
        ("2026-11-28  9:25:15 0 [Note] Starting MariaDB", 0, "0 [Note] Starting MariaDB"),
        ("2026-11-28 09:25:15.123456+00:00 [info] <0.9.0> x", 0.123456, "[info] <0.9.0> x"),
        ("2026-11-28T09:25:15.123Z INFO  [main] [o.e.j.s.Server] x", 0.123, "INFO  [main] [o.e.j.s.Server] x"),
        ("2026-11-28T10:25:15.250+0100 7f12 0 mon.a", 0.25, "7f12 0 mon.a"),
        ("2026-11-28T09:25:15.123Z|00001|vlog|INFO|opened", 0.123, "|00001|vlog|INFO|opened"),
        ("2026-11-28 09:25:15.123+0000: 12: info : libvirt", 0.123, "12: info : libvirt"),
        ("2026-11-28T09:25:15.123456789Z a line of Docker's", 0.123456, "a line of Docker's"),
        ("Sat Nov 28 09:25:15 2026: (lab) Entering MASTER STATE", 0, "(lab) Entering MASTER STATE"),
        ("[Sat Nov 28 09:25:15.5 2026] [core:notice] x", 0.5, "[core:notice] x"),
        ("Nov 28 09:25:15 dnsmasq[7]: started", 0, "dnsmasq[7]: started"),
        ("7:C 28 Nov 2026 09:25:15.123 # Redis is starting", 0.123, "# Redis is starting"),
        ("28/11/2026 09:25:15 : epoch 1 : ganesha", 0, ": epoch 1 : ganesha"),
    ],
)
def test_a_time_at_the_beginning_is_read_and_taken_away(line: str, fraction: float, rest: str) -> None:
    told, said = stamps.split(line, NOW)
    assert told == pytest.approx(AT + fraction)
    assert said == rest


@pytest.mark.parametrize(
    "line",
    [
        "10.87.0.1:4711 [28/Nov/2026:09:25:15.000] keystone keystone/keystone1 0/0/1/2/3 200",
        '10.87.0.1 - - [28/Nov/2026:10:25:15 +0100] "GET / HTTP/1.1" 200 1',
        "[pid: 7|app: 0|req: 1/1] 10.87.0.2 () {30 vars in 400 bytes} [Sat Nov 28 09:25:15 2026] GET /v3 => 1 bytes",
    ],
)
def test_a_time_within_a_line_is_read_and_stays(line: str) -> None:
    assert stamps.split(line, NOW) == (AT, line)


@pytest.mark.parametrize(
    "line", ["Traceback (most recent call last):", "", "2026-13-28 09:25:15 x", "  File 'x', line 7"]
)
def test_a_line_without_a_time_tells_none(line: str) -> None:
    assert stamps.split(line, NOW) == (None, line)


def test_a_time_without_a_year_is_not_in_the_future() -> None:
    told, _ = stamps.split("Dec 24 09:25:15 x", NOW)
    assert told == datetime(2025, 12, 24, 9, 25, 15, tzinfo=UTC).timestamp()


def test_lines_without_a_time_follow_the_one_before_and_the_first_the_one_after() -> None:
    lines = ["half of a line", "2026-11-28 09:25:15 ERROR x", "Traceback", "  File", "2026-11-28 09:25:16 INFO y"]
    found = list(hostside_logs.entries_of("nova1", "nova-api", lines, 0.0))
    assert [(each.time - AT, each.lines) for each in found] == [
        (0, ("half of a line",)),
        (0, ("ERROR x", "Traceback", "  File")),
        (1, ("INFO y",)),
    ]


def test_a_log_without_any_time_is_as_old_as_its_file() -> None:
    (found,) = hostside_logs.entries_of("cache1", "memcached", ["a", "b"], 17.0)
    assert (found.time, found.lines) == (17.0, ("a", "b"))


def test_of_a_long_log_only_the_end_is_read_that_reaches_back_far_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostside_logs, "BLOCK_BYTES", 64)
    text = "".join(f"2026-11-28 09:25:{second:02} line {second}\n" for second in range(60)).encode()
    read = hostside_logs.end_of(io.BytesIO(text), AT + 35)
    assert read[-1].endswith("line 59")
    # Whole lines, some of which are older; not all of them.
    assert all(re.fullmatch(r"2026-11-28 09:25:\d\d line \d+", line) for line in read)
    assert 10 < len(read) < 60


@pytest.mark.parametrize(("given", "wanted"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400)])
def test_a_duration_is_a_number_and_a_unit(given: str, wanted: float) -> None:
    assert logs.seconds(given) == wanted


@pytest.mark.parametrize("given", ["10", "m", "-1m", "1 m", "1w"])
def test_what_is_no_duration_is_told(given: str) -> None:
    with pytest.raises(ValueError, match="give a number"):
        logs.seconds(given)


class Host:
    """An engine with a keeper, a container that runs, and one that doesn't."""

    def __init__(self) -> None:
        self.states = {"lab-keeper": "running", "web1": "exited"}
        self.files = {"./x.log": b"2026-11-28 09:25:16 of the stopped one\n"}

    def containers(self, _stack: str) -> list[dict[str, Any]]:
        return [{"Names": [f"/{name}"], "State": state} for name, state in self.states.items()]

    def logs(self, container: str, _since: float) -> list[str]:
        if container == "lab-keeper":
            return ["2026-11-28T09:25:15.100Z 09:25:15 web1: attached its port"]
        return ["2026-11-28T09:25:15.000Z 2026-11-28 09:25:14,999 INFO spawned: 'x' with pid 8"]

    def archive(self, container: str, path: str) -> bytes:
        assert path == "/var/log/supervisor"
        if container == "lab-keeper":
            return b""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, text in self.files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mtime = len(text), int(AT) + 60
                archive.addfile(member, io.BytesIO(text))
        return packed.getvalue()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    played = Host()
    monkeypatch.setattr(docker_api, "containers", played.containers)
    monkeypatch.setattr(docker_api, "logs", played.logs)
    monkeypatch.setattr(docker_api, "archive", played.archive)
    monkeypatch.setattr(docker_api, "pid", lambda _name: None)
    monkeypatch.setattr(time, "time", lambda: AT + 60)
    monkeypatch.setattr(paths, "stack_directory", lambda _stack: tmp_path)
    (tmp_path / "logs").mkdir()
    run = tmp_path / "logs" / "web1.puppet.log"
    run.write_text("Notice: Applied catalog\n")
    os.utime(run, (AT + 2, AT + 2))
    (tmp_path / "done").mkdir()
    record = tmp_path / "done" / "port-attach web1.json"
    record.write_text("{}")
    os.utime(record, (AT + 3, AT + 3))
    return played


def test_all_that_was_written_is_in_one_order_with_its_program(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert logs.main(["lab"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "2026-11-28 09:25:15.000 web1 supervisord: INFO spawned: 'x' with pid 8",
        "2026-11-28 09:25:15.100 lab-keeper keeper: web1: attached its port",
        "2026-11-28 09:25:16.000 web1 x: of the stopped one",
        "2026-11-28 09:25:17.000 web1 puppet: Notice: Applied catalog",
        "2026-11-28 09:25:18.000 web1 tool: port-attach web1: done",
    ]


def test_a_container_a_time_and_a_pattern_choose(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert logs.main(["lab", "--container", "lab-keeper"]) == 0
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == ["lab-keeper"]
    assert logs.main(["lab", "--since", "58s"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert logs.main(["lab", "--grep", "spawned|catalog$"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--container", "nobody1"], "no container nobody1; it has lab-keeper web1"),
        (["--since", "yesterday"], "is no duration"),
        (["--grep", "("], "no regular expression"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    host: Host, capsys: pytest.CaptureFixture[str], given: list[str], told: str
) -> None:
    assert logs.main(["lab", *given]) == 1
    assert told in capsys.readouterr().err


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    """Play two hosts, each with a keeper and a container whose Puppet run has just ended."""
    with played(tmp_path, monkeypatch) as made:
        monkeypatch.setattr("commands.places.behind_ssh", lambda _stack: [made.host])
        for number, (each, directory) in enumerate([(made.here, made.directory), (made.far, made.far_directory)], 1):
            each.add("lab-keeper", state="exited")
            each.add(f"web{number}", state="exited")
            for name in ("logs", "done"):
                (directory / name).mkdir()
            (directory / f"logs/web{number}.puppet.log").write_text(f"Notice: Applied catalog {number}\n")
            record = directory / "done/keeper-start lab-keeper.json"
            record.write_text("{}")
            os.utime(record, (time.time() - 7 + number,) * 2)
        yield made


def words(said: str) -> list[str]:
    """Return what was printed, without times."""
    return [line.split(" ", 2)[2] for line in said.splitlines()]


def test_logs_of_all_hosts_are_one_time_line(hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    assert logs.main([STACK]) == 0
    assert words(capsys.readouterr().out) == [
        "lab-keeper tool: keeper-start lab-keeper: done",
        "far/lab-keeper tool: keeper-start lab-keeper: done",
        "web1 puppet: Notice: Applied catalog 1",
        "web2 puppet: Notice: Applied catalog 2",
    ]
    assert logs.main([STACK, "--container", "web2"]) == 0
    assert words(capsys.readouterr().out) == ["web2 puppet: Notice: Applied catalog 2"]
    assert logs.main([STACK, "--grep", "catalog 2"]) == 0
    assert words(capsys.readouterr().out) == ["web2 puppet: Notice: Applied catalog 2"]
    assert logs.main([STACK, "--container", "web3"]) == 1
    assert "stack lab has no container web3; it has lab-keeper web1 web2" in capsys.readouterr().err


def test_logs_of_a_host_that_does_not_answer_are_told_as_lacking(
    hosts: Hosts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.ssh.command", lambda *_, **__: ["sh", "-c", "echo no route to host >&2; exit 255"])
    assert logs.main([STACK]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 2
    assert "make logs: containerHosts.far: the host can't be asked: no route to host. Fix: " in said.err


def test_a_host_of_the_configuration_that_has_nothing_yet_is_none_of_it(
    hosts: Hosts, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(hosts.far_directory / "tool")
    assert logs.main([STACK, "--container", "web1"]) == 0
    assert capsys.readouterr().err == ""
