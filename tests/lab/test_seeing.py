"""Logs, packets and worse ports of a small lab, by the commands that its owner has."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import time
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import drill, drills
from commands.drill import Lab
from hostside import impairment
from hostside.impairment import Impairments
from tests.lab.harness import (
    HOME,
    PATIENCE_SECONDS,
    Stack,
    brought_up,
    eventually,
    inside,
    inspect,
    interface,
    network_of,
    plain,
    run,
)
from tests.lab.packets import PCAP, captured

pytestmark = pytest.mark.lab

NUMBER = 85
NAME, FIRST, SECOND = f"t{NUMBER}", f"t{NUMBER}-p1", f"t{NUMBER}-p2"
ADDRESS = f"10.86.{NUMBER}.10"
SVG = "{http://www.w3.org/2000/svg}"
NEARLY_ALL = 0.8
"""The share of packets that come through where none is lost on purpose: on a busy machine some are late."""
NEEDS_NETEM = pytest.mark.skipif(not impairment.has_netem(), reason="this kernel has no sch_netem")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Bring a lab of two plain containers up."""
    with brought_up(NAME, tmp_path_factory.mktemp(NAME), plain(NUMBER, 2)) as made:
        yield made


def ping(count: int, *options: str) -> tuple[float, float]:
    """Ping the first container from the host; return the share that was answered, and the mean in milliseconds."""
    said = run("ping", "-q", "-c", str(count), "-i", "0.01", "-W", "1", *options, ADDRESS, check=False).stdout
    received = re.search(r"(\d+) received", said)
    mean = re.search(r"= [\d.]+/([\d.]+)/", said)
    assert received, said
    return int(received[1]) / count, float(mean[1]) if mean else float("inf")


def test_logs_of_all_containers_are_one_time_line(small: Stack) -> None:
    script = 'mkdir -p /var/log/supervisor; printf "%s\\n" "$@" >> /var/log/supervisor/sample.log'
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now - 2))
    later = time.strftime("[%a %b %d %H:%M:%S %Y]", time.gmtime(now - 1))
    run("docker", "exec", FIRST, "sh", "-c", script, "sh", f"{stamp}.100 ERROR failed", "Traceback", "  last line")
    run("docker", "exec", SECOND, "sh", "-c", script, "sh", f"{stamp}.200 INFO then", f"{later} and then")

    said = small.make("logs", "GREP=failed|then$").stdout.splitlines()
    assert [line.split(" ", 2)[2] for line in said] == [
        f"{FIRST} sample: ERROR failed",
        f"{FIRST} sample: Traceback",
        f"{FIRST} sample:   last line",
        f"{SECOND} sample: INFO then",
        f"{SECOND} sample: and then",
    ]
    assert said == sorted(said, key=lambda line: line[:23])
    everything = small.make("logs").stdout
    assert "supervisord: INFO supervisord started" in everything
    assert f"{NAME}-keeper tool: keeper-start {NAME}-keeper: done" in everything

    # What a container that is down has written, can be read.
    run("docker", "stop", "--time", "5", SECOND)
    try:
        assert f"{SECOND} sample: and then" in small.make("logs", f"CONTAINER={SECOND}").stdout
    finally:
        run("docker", "start", SECOND)
    attached = f"{NAME}-keeper keeper: {SECOND}: attached its port"
    eventually("the keeper says what it did", lambda: attached in small.make("logs", "SINCE=1m").stdout, interval=1)
    assert "has no container nobody" in small.make("logs", "CONTAINER=nobody", check=False).stderr


def metric(name: str, container: str) -> float:
    """Return a metric of a container's, as the keeper tells it at the bridge's address."""
    with urllib.request.urlopen(f"http://10.86.{NUMBER}.1:9105/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = re.search(rf'^{name}{{container="{container}"[^}}]*}} (\S+)$', text, re.MULTILINE)
    assert found, text
    return float(found[1])


def test_metrics_tell_of_starts_and_repairs_on_the_bridge_alone(small: Stack) -> None:
    assert metric("dockstack_container_running", SECOND) == 1
    starts, repairs = (metric(f"dockstack_{name}_total", SECOND) for name in ("container_starts", "port_repairs"))
    run("docker", "restart", "--time", "5", SECOND)
    eventually("its start counts", lambda: metric("dockstack_container_starts_total", SECOND) == starts + 1)
    eventually("it has its port", lambda: interface(SECOND) is not None)
    run("ovs-docker", "del-port", f"br-{NAME}", "eth0", SECOND)
    eventually("its repair counts", lambda: metric("dockstack_port_repairs_total", SECOND) == repairs + 1)
    assert interface(SECOND)
    inside(SECOND, "curl", "--silent", "--fail", "--max-time", "5", f"http://10.86.{NUMBER}.1:9105/metrics")
    listening = run("ss", "-Hltn", "sport = :9105").stdout.split()
    assert f"10.86.{NUMBER}.1:9105" in listening and "0.0.0.0:9105" not in listening


def captures() -> list[int]:
    """Return the programs that capture in a container's network namespace."""
    namespaces = {os.readlink(f"/proc/{inspect(name)['State']['Pid']}/ns/net") for name in (FIRST, SECOND)}
    found = []
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if path.name.isdigit() and (path / "comm").read_text() == "tcpdump\n":
                found += [int(path.name)] if os.readlink(path / "ns/net") in namespaces else []
    return found


def protocols(packets: bytes) -> set[int]:
    """Return the IP protocols of the packets of a pcap stream."""
    assert struct.unpack_from("<I", packets)[0] == PCAP
    found, at = set(), 24
    while at < len(packets):
        (length,) = struct.unpack_from("<I", packets, at + 8)
        # 14 bytes of Ethernet; the protocol is the tenth of IPv4's.
        found.add(packets[at + 16 + 14 + 9])
        at += 16 + length
    return found


def test_packets_come_by_a_pipe_and_the_capture_ends_with_it(small: Stack) -> None:
    with captured(NAME, FIRST, "FILTER=icmp or udp port 9") as process:
        assert process.stdout
        ping(3)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(b"x", (ADDRESS, 9))
        packets = b""
        while len(packets) < 24 or 17 not in protocols(packets):
            packets += os.read(process.stdout.fileno(), 65536)
        assert protocols(packets) == {1, 17}
        # Nobody reads any more; and without a packet, tcpdump doesn't notice.
        process.stdout.close()
        eventually("nothing captures", lambda: not captures(), interval=0.05)
        assert process.wait(PATIENCE_SECONDS) == 0


def test_packets_go_to_a_file_until_the_capture_is_interrupted(small: Stack, tmp_path: Path) -> None:
    file = tmp_path / "packets.pcap"
    with captured(NAME, FIRST, f"FILE={file}", "INTERFACE=eth0") as process:
        ping(3)
        eventually("packets are there", lambda: file.exists() and file.stat().st_size > 6 * 98, interval=0.05)
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert said == b""
    assert captures() == []
    assert 1 in protocols(file.read_bytes())
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def worse(small: Stack) -> Iterator[Stack]:
    """Give the lab, whose ports are as they were at the test's end."""
    yield small
    Impairments(HOME / "stacks" / NAME).clear(FIRST)


def queues(container: str) -> str:
    return run(*network_of(container), "tc", "qdisc", "show", "dev", "eth0", check=False).stdout


def test_a_worse_port_lasts_until_it_is_cleared(worse: Stack) -> None:
    untouched = queues(FIRST)
    assert ping(20)[0] > NEARLY_ALL
    worse.make("impair", f"CONTAINER={FIRST}", "LOSS=30%", "RATE=1mbit")
    kept, _ = ping(200)
    # Twice 30 %: 49 % come through, and by chance 35 to 63.
    assert 0.3 < kept < 0.7
    rows = {row["name"]: row for row in json.loads(worse.make("status", "JSON=1", check=False).stdout)["containers"]}
    assert (rows[FIRST].get("impaired"), rows[SECOND].get("impaired")) == ("loss 30%, rate 1mbit", None)

    # The keeper remembers.
    run("docker", "restart", "--time", "5", FIRST)
    eventually("it is impaired again", lambda: "tbf" in queues(FIRST) or "netem" in queues(FIRST))
    worse.make("impair", f"CONTAINER={FIRST}", "RATE=2mbit")
    assert ping(20)[0] > NEARLY_ALL
    assert 0.2 < megabits() < 2.2
    worse.make("impair", "CLEAR=1")
    assert queues(FIRST).split()[1] == untouched.split()[1] == "noqueue"
    assert ping(20)[0] > NEARLY_ALL
    assert megabits() > 5
    assert not list((HOME / "stacks" / NAME / "impairments").glob("*.json"))


def megabits() -> float:
    """Return how much TCP carries from the first container to the host in a second, in Mbit/s."""
    with socket.create_server((f"10.86.{NUMBER}.1", 0)) as listening:
        script = f"exec cat /dev/zero >/dev/tcp/10.86.{NUMBER}.1/{listening.getsockname()[1]}"
        with subprocess.Popen(["docker", "exec", FIRST, "timeout", "10", "bash", "-c", script]) as sending:
            listening.settimeout(10)
            receiving, _ = listening.accept()
            with receiving:
                receiving.settimeout(5)
                since, received = time.monotonic(), 0
                while time.monotonic() - since < 1.5:
                    received += len(receiving.recv(1 << 20))
                spent = time.monotonic() - since
            # Nobody reads any more, which ends it.
            sending.wait(PATIENCE_SECONDS)
    return received * 8 / spent / 1e6


@NEEDS_NETEM
def test_packets_are_delayed_each_way(worse: Stack) -> None:
    worse.make("impair", f"CONTAINER={FIRST}", "DELAY=20ms")
    assert ping(10)[1] > 38


@pytest.mark.skipif(impairment.has_netem(), reason="this kernel has sch_netem")
def test_without_netem_a_delay_is_refused_with_the_reason(small: Stack) -> None:
    done = small.make("impair", f"CONTAINER={FIRST}", "DELAY=20ms", check=False)
    assert done.returncode != 0
    assert "no sch_netem" in done.stderr
    assert queues(FIRST).split()[1] == "noqueue"


def test_a_picture_shows_what_an_update_would_do(small: Stack, tmp_path: Path) -> None:
    """Only drawn: the first container would be replaced, the second removed, and the third is new."""
    changed = plain(NUMBER, 3)
    changed["containers"][FIRST]["address"] = f"10.86.{NUMBER}.77"
    del changed["containers"][SECOND]
    before = (small.directory / f"Pulumi.{NAME}.yaml").read_text()
    try:
        small.configure(changed)
        file = tmp_path / "change.svg"
        small.make("graph", "CHANGE=1", f"FILE={file}")
        words = [text.text for text in ET.parse(file).iter(f"{SVG}text")]
        drawn = small.make("graph", "FORMAT=mermaid").stdout
    finally:
        (small.directory / f"Pulumi.{NAME}.yaml").write_text(before)
    assert f"{FIRST} 10.86.{NUMBER}.77 (replaced)" in words
    assert f"{SECOND} (removed)" in words
    assert f"{NAME}-p3 10.86.{NUMBER}.12 (added)" in words
    # From the configuration alone, nothing of what there is.
    assert drawn.startswith("flowchart LR\n")
    assert SECOND not in drawn and f"{NAME}-p3<br/>10.86.{NUMBER}.12" in drawn


def test_a_drill_tells_what_users_notice_and_refuses_on_a_lab_that_is_broken(
    small: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert "power-cut" in small.make("drill", "LIST=1").stdout
    table = tmp_path / "losses.md"
    said = small.make("drill", "NAME=kill-plain", f"FILE={table}").stdout
    assert re.search(r"^all works again after \d+ s$", said, re.MULTILINE)
    of_first, of_second = (re.search(rf"^\| ping {name} +\| (\d+) +\| (\d+) ", said, re.M) for name in (FIRST, SECOND))
    assert of_first and of_second
    assert int(of_first[2]) < int(of_first[1]) and of_second[2] == "0"
    assert inspect(FIRST)["State"]["Running"]
    assert re.search(r"\| ping t85-p1 [\d.]+, all \d+ \|.*\| `make drill NAME=kill-plain` \|$", table.read_text(), re.M)

    monkeypatch.setattr(drills, "HOLD_SECONDS", 3.0)
    outputs = small.outputs()
    assert drill.run(Lab(NAME, outputs), drills.listed(NAME, outputs)["cut-plain"]).well
    cut = re.search(rf"^\| ping {FIRST} +\| (\d+) +\| (\d+) +\| ([\d.]+) ", capsys.readouterr().out, re.M)
    assert cut
    assert int(cut[2]) >= 2 and float(cut[3]) > 2
    assert queues(FIRST).split()[1] == "noqueue"

    run("docker", "stop", "--time", "5", SECOND)
    try:
        done = small.make("drill", "NAME=kill-plain", check=False)
        assert done.returncode != 0
        assert f"{SECOND}: the container is exited" in done.stderr
    finally:
        run("docker", "start", SECOND)
