"""`make impair`: what may be asked, and the commands that it comes to, with netem and without."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import capture, impair, status
from components import paths
from hostside import docker_api, impairment, namespace, ovs, ports
from hostside.errors import StepError
from hostside.impairment import Impairment, Impairments
from hostside.process import CommandFailed
from tests.unit.played_hosts import STACK, Hosts, played

ALL = Impairment("50ms", "5ms", "1%", "10mbit")


@pytest.mark.parametrize(
    "given", [ALL, Impairment(delay="60s"), Impairment(loss="100%"), Impairment(loss="0.1%"), Impairment(rate="8kbit")]
)
def test_what_the_kernel_takes_has_no_fault(given: Impairment) -> None:
    assert given.faults() == []


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (Impairment(), "DELAY="),
        (Impairment(delay="50"), "DELAY=50"),
        (Impairment(delay="0ms"), "DELAY=0ms"),
        (Impairment(delay="61s"), "DELAY=61s"),
        (Impairment(delay="1ms", jitter="x"), "JITTER=x"),
        (Impairment(jitter="5ms"), "JITTER="),
        (Impairment(loss="1"), "LOSS=1"),
        (Impairment(loss="101%"), "LOSS=101%"),
        (Impairment(loss="0%"), "LOSS=0%"),
        (Impairment(rate="1kbit"), "RATE=1kbit"),
        (Impairment(rate="10mbit; reboot"), "RATE=10mbit; reboot"),
    ],
)
def test_what_is_wrong_is_told_with_what_it_should_look_like(given: Impairment, named: str) -> None:
    (fault,) = given.faults()
    assert named in fault
    assert "give" in fault


def test_netem_does_all_at_once() -> None:
    (command,) = impairment.commands(ALL, "eth0", netem=True)
    assert command[:8] == ["tc", "qdisc", "replace", "dev", "eth0", "root", "handle", f"{ALL.handle}:"]
    assert " ".join(command[8:]) == "netem limit 20000 delay 50ms 5ms loss 1% rate 10mbit"


def test_without_netem_a_bucket_limits_the_rate_and_a_program_loses() -> None:
    bucket, hook, program = impairment.commands(Impairment(loss="25%", rate="80mbit"), "eth0", netem=False)
    assert " ".join(bucket[8:]) == "tbf rate 80mbit burst 100000 latency 50ms"
    assert hook[-1] == "clsact"
    assert program[-1] == f"4,32 0 0 4294963256,53 0 1 {2**30},6 0 0 4294967295,6 0 0 4"


def test_a_slow_bucket_takes_the_largest_packet_and_all_is_lost_where_all_is_to_be() -> None:
    bucket, _, program = impairment.commands(Impairment(loss="100%", rate="8kbit"), "eth0", netem=False)
    assert bucket[bucket.index("burst") + 1] == "18000"
    assert program[-1].endswith("6 0 0 4,6 0 0 4")


def test_a_kernel_without_netem_is_told_and_only_where_it_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impairment, "has_netem", lambda: False)
    assert "sch_netem" in impairment.lacking(ALL)
    assert impairment.lacking(Impairment(loss="1%", rate="1mbit")) == ""
    monkeypatch.setattr(impairment, "has_netem", lambda: True)
    assert impairment.lacking(ALL) == ""


class Kernel:
    """The ends of one container's port, and what leaves by them."""

    def __init__(self) -> None:
        self.queues = {"eth0": "noqueue 0:", "abcde_l": "noqueue 0:"}
        self.refuses = False

    def run(self, arguments: list[str], **_options: Any) -> str:
        words = arguments[arguments.index("tc") :]
        interface = words[words.index("dev") + 1]
        if words[2] == "show":
            return f"qdisc {self.queues[interface]} root refcnt 2\n"
        if self.refuses:
            raise CommandFailed("tc ended with status 2")
        self.queues[interface] = f"{words[8]} {words[7]}"
        return ""

    def succeeds(self, arguments: list[str], **_options: Any) -> bool:
        words = arguments[arguments.index("tc") :]
        if words[-1] == "root":
            self.queues[words[words.index("dev") + 1]] = "noqueue 0:"
        return True


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    played = Kernel()
    port = ports.Port("web1", "lab", "eth0", "br-lab", "10.87.0.60/24", "10.87.0.1", "02:00:00:00:00:01", 1500)
    monkeypatch.setattr(impairment, "run", played.run)
    monkeypatch.setattr(impairment, "succeeds", played.succeeds)
    monkeypatch.setattr(impairment, "has_netem", lambda: True)
    monkeypatch.setattr(ports, "running", lambda _name: (7, [port]))
    monkeypatch.setattr(ports, "own", lambda names, _stack: list(names))
    monkeypatch.setattr(ovs, "ports_of", lambda _name: {"eth0": ["abcde_l"]})
    monkeypatch.setattr(namespace, "has", lambda _pid, _interface: True)
    return played


def test_both_ends_are_impaired_once_and_cleared(kernel: Kernel, tmp_path: Path) -> None:
    kept = Impairments(tmp_path)
    kept.set("web1", ALL)
    assert set(kernel.queues.values()) == {f"netem {ALL.handle}:"}
    assert kept.all() == {"web1": ALL}
    assert not kept.apply("web1")
    # As after a restart.
    kernel.queues["eth0"] = "noqueue 0:"
    assert kept.apply("web1")
    kept.clear("web1")
    assert set(kernel.queues.values()) == {"noqueue 0:"}
    assert kept.all() == {}
    assert not kept.apply("web1")


def test_what_somebody_else_has_set_up_is_not_cleared(kernel: Kernel, tmp_path: Path) -> None:
    kernel.queues["eth0"] = "htb 1:"
    Impairments(tmp_path).clear("web1")
    assert kernel.queues["eth0"] == "htb 1:"


def test_what_the_kernel_refuses_is_not_kept(kernel: Kernel, tmp_path: Path) -> None:
    kernel.refuses = True
    with pytest.raises(StepError, match="web1: impairing its ports failed"):
        Impairments(tmp_path).set("web1", ALL)
    assert Impairments(tmp_path).all() == {}


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kernel: Kernel) -> Path:
    labels = {"dockstack.stack": "lab"}
    known = {
        "web1": {"Config": {"Labels": labels}, "State": {"Running": True, "Pid": 7}},
        "off1": {"Config": {"Labels": labels}, "State": {"Running": False, "Pid": 0}},
        "other1": {"Config": {"Labels": {}}, "State": {"Running": True, "Pid": 8}},
    }
    monkeypatch.setattr(docker_api, "inspect", known.get)
    monkeypatch.setattr(docker_api, "containers", lambda _stack: [{"Names": ["/web1"]}, {"Names": ["/off1"]}])
    monkeypatch.setattr(paths, "stack_directory", lambda _stack: tmp_path)
    return tmp_path


def test_a_port_is_impaired_and_cleared_by_the_command(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert impair.main(["lab", "--container", "web1", "--loss", "1%"]) == 0
    assert "web1: loss 1%" in capsys.readouterr().out
    assert impair.main(["lab", "--clear"]) == 0
    assert capsys.readouterr().out == "web1: as it was\n"
    assert impair.main(["lab", "--clear"]) == 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--loss", "1%"], "make impair CONTAINER=..."),
        (["--container", "other1", "--loss", "1%"], "no container other1; it has off1 web1"),
        (["--container", "off1", "--loss", "1%"], "off1 does not run. Fix: docker start off1"),
        (["--container", "web1"], "there is nothing to do"),
        (["--clear", "--loss", "1%"], "CLEAR=1 takes no other value"),
        (["--clear", "--container", "web1"], "nothing of web1 is impaired"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    stack: Path, capsys: pytest.CaptureFixture[str], given: list[str], told: str
) -> None:
    assert impair.main(["lab", *given]) == 1
    assert told in capsys.readouterr().err
    assert Impairments(stack).all() == {}


def test_a_capture_asks_for_what_it_needs(
    stack: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", open("/dev/null", "w"))  # noqa: SIM115
    monkeypatch.setattr(shutil, "which", lambda _name: "/usr/bin/tcpdump")
    monkeypatch.setattr(namespace, "names", lambda _pid: {"lo", "eth0"})
    assert capture.main(["lab"]) == 1
    assert "say of which container: make capture CONTAINER=..." in capsys.readouterr().err
    assert capture.main(["lab", "--container", "web1", "--interface", "eth9"]) == 1
    assert "web1 has no interface eth9; it has eth0 lo" in capsys.readouterr().err
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert capture.main(["lab", "--container", "web1"]) == 1
    assert "make prepare" in capsys.readouterr().err


def test_a_terminal_is_not_shown_packets(
    stack: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert capture.main(["lab", "--container", "web1"]) == 1
    assert "a terminal can't show packets" in capsys.readouterr().err


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    """Play two hosts; a container there has the network of the tests."""
    with played(tmp_path, monkeypatch) as made:
        monkeypatch.setattr("commands.places.behind_ssh", lambda _stack: [made.host])
        made.here.add("web1")
        made.far.add("far1", pid=os.getpid())
        made.far.add("off1", state="exited")
        yield made


def test_a_port_on_another_host_is_impaired_and_cleared_there(hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    assert impair.main([STACK, "--container", "far1", "--loss", "1%"]) == 0
    assert "far1: loss 1%" in capsys.readouterr().out
    assert Impairments(hosts.far_directory).all() == {"far1": Impairment(loss="1%")}
    assert Impairments(hosts.directory).all() == {}
    assert status.impaired(STACK, [hosts.host]) == {"far1": "loss 1%"}
    assert impair.main([STACK, "--clear", "--container", "web1"]) == 1
    assert "nothing of web1 is impaired" in capsys.readouterr().err
    assert impair.main([STACK, "--clear"]) == 0
    assert capsys.readouterr().out == "far1: as it was\n"
    assert Impairments(hosts.far_directory).all() == {}


@pytest.mark.parametrize(
    ("container", "told"),
    [
        ("other1", "stack lab has no container other1; it has far1 off1 web1."),
        ("off1", "on host far: off1 does not run. Fix: docker start off1"),
    ],
)
def test_what_no_host_can_do_is_refused(
    hosts: Hosts, capsys: pytest.CaptureFixture[str], container: str, told: str
) -> None:
    assert impair.main([STACK, "--container", container, "--loss", "1%"]) == 1
    assert told in capsys.readouterr().err


def test_a_host_that_does_not_answer_is_told_where_the_container_may_be_there(
    hosts: Hosts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.ssh.command", lambda *_, **__: ["sh", "-c", "echo no route to host >&2; exit 255"])
    assert impair.main([STACK, "--container", "far1", "--loss", "1%"]) == 1
    assert "containerHosts.far: the host can't be asked: no route to host. Fix: " in capsys.readouterr().err
    assert impair.main([STACK, "--container", "web1", "--loss", "1%"]) == 0
    assert impair.main([STACK, "--clear"]) == 1
    said = capsys.readouterr()
    assert "web1: as it was" in said.out and "containerHosts.far: " in said.err


@pytest.fixture
def packets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have what writes the packets be a script, which says its end in a file."""
    programs, end = tmp_path / "bin", tmp_path / "end"
    programs.mkdir()
    script = f"trap 'echo over >{end}; echo last; exit 0' INT; echo \"$*\"; while :; do sleep 0.05; done"
    for name in ("nsenter", "tcpdump"):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return end


def test_packets_of_a_container_on_another_host_come_until_an_interruption(
    hosts: Hosts, packets: Path, tmp_path: Path
) -> None:
    file = tmp_path / "packets"

    def interrupt() -> None:
        while not (file.exists() and file.stat().st_size):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    waiting = threading.Thread(target=interrupt)
    waiting.start()
    given = ["--container", "far1", "--interface", "lo", "--filter", "icmp  or 'x'", "--file", str(file)]
    assert capture.main([STACK, *given]) == 0
    waiting.join()
    written = f"--net=/proc/{os.getpid()}/ns/net tcpdump -n -U -s 0 -i lo -w - -- icmp  or 'x'"
    assert file.read_text() == f"{written}\nlast\n"
    assert packets.read_text() == "over\n"


def test_packets_of_a_container_on_another_host_come_until_nobody_reads_them(
    hosts: Hosts, packets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stdout", os.fdopen(writing, "w"))

    def read() -> None:
        os.read(reading, 1)
        os.close(reading)

    threading.Thread(target=read).start()
    assert capture.main([STACK, "--container", "far1", "--interface", "lo"]) == 0
    assert packets.read_text() == "over\n"
