"""What is done to a lab beside Pulumi, over two hosts: backup and restore, logs, packets, worse ports, a drill."""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import drills
from tests.lab.harness import PATIENCE_SECONDS, PROJECT, Stack, brought_up, eventually, long_drill, outside_of_make, run
from tests.lab.hosts import Host, hosts, over_hosts
from tests.lab.packets import PCAP, captured

pytestmark = [pytest.mark.lab, long_drill]

NUMBER = 74
STACK = f"t{NUMBER}"
DNS, PUPPET, HERE = (f"{STACK}-{name}" for name in ("dns", "puppet", "here"))
DATABASE, FAR = f"{STACK}-db", f"{STACK}-far"
FAR_ADDRESS = f"10.86.{NUMBER}.21"
AUTHORITY = "/var/lib/puppet/ca/ca_crt.pem"


def configured(host: Host) -> dict[str, Any]:
    """Return the lab's configuration: a Puppet server here, the database that it provisions on the second host."""
    there = {"host": "far"}
    containers = {
        DNS: {"role": "dnsmasq"},
        PUPPET: {"role": "puppet"},
        HERE: {"role": "plain"},
        DATABASE: {"role": "galera", "address": f"10.86.{NUMBER}.20", **there},
        FAR: {"role": "plain", "address": FAR_ADDRESS, **there},
    }
    return over_hosts(NUMBER, containers, far=host)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Switch a second host on."""
    with hosts(tmp_path_factory.mktemp("hosts"), "dsh-ops") as (made,):
        yield made


@pytest.fixture(scope="module")
def pair(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Bring the lab up."""
    with brought_up(STACK, tmp_path_factory.mktemp("stack"), configured(host)) as made:
        yield made


def sql(host: Host, text: str) -> str:
    """Have the database on the second host do something, and return what it says."""
    return host.run(f"docker exec {DATABASE} mariadb --batch --skip-column-names --execute '{text}'").stdout.strip()


def authority() -> str:
    """Return what the certificate of the Puppet CA is told from another one by."""
    return run("docker", "exec", PUPPET, "sha256sum", AUTHORITY).stdout


def states(host: Host) -> list[str]:
    """Return state and start of the containers of both hosts."""
    own = f"docker inspect --format '{{{{.Name}}}} {{{{.State.Status}}}} {{{{.State.StartedAt}}}}' $(docker ps -aq \
        --filter label=dockstack.stack={STACK}) | sort"
    return [*run("sh", "-c", own).stdout.splitlines(), *host.run(own).stdout.splitlines()]


def test_a_backup_takes_both_hosts_at_one_moment_and_a_restore_gives_each_its_own(
    pair: Stack, host: Host, tmp_path: Path
) -> None:
    file = tmp_path / "pair.tar.zst"
    sql(host, 'CREATE DATABASE kept; CREATE TABLE kept.words (word TEXT); INSERT INTO kept.words VALUES ("first")')
    certificate, before = authority(), states(host)

    print(pair.make("backup", f"FILE={file}").stdout.splitlines()[0])
    assert states(host) == before
    assert file.stat().st_mode & 0o777 == 0o600

    sql(host, 'UPDATE kept.words SET word = "second"; CREATE DATABASE later')
    run("docker", "exec", PUPPET, "touch", "/var/lib/puppet/ca/later")
    pair.command("backup", "restore", STACK, str(file))
    pair.pulumi("up", "--yes", "--skip-preview", "--refresh")

    assert sql(host, "SELECT word FROM kept.words") == "first"
    assert "later" not in sql(host, "SHOW DATABASES").split()
    assert authority() == certificate
    assert run("docker", "exec", PUPPET, "ls", "/var/lib/puppet/ca/later", check=False).returncode != 0
    eventually("all works", lambda: pair.make("status", check=False).returncode == 0, interval=1)
    assert "_data.restored" not in host.run("ls /var/lib/docker/volumes/*").stdout


def test_a_backup_that_is_interrupted_lets_both_hosts_go_on(pair: Stack, host: Host, tmp_path: Path) -> None:
    # So much that it takes a while to pack.
    host.run(f"docker exec {DATABASE} sh -c 'head -c 512M /dev/urandom >/var/lib/mysql/ballast'")
    before = states(host)
    there = {line for line in before if FAR in line or DATABASE in line}
    command = ["python3", "-m", "commands.backup", "backup", STACK, str(tmp_path / "cut.tar.zst")]
    env = outside_of_make(pair.owners_env)

    def stands_still() -> bool:
        return all(" paused " in line for line in states(host))

    for number in (signal.SIGTERM, signal.SIGKILL):
        with subprocess.Popen(command, cwd=PROJECT, env=env, stderr=subprocess.PIPE) as process:
            try:
                eventually("both hosts stand still", stands_still, interval=0.01)
            finally:
                process.send_signal(number)
        eventually("the other host goes on", lambda: there <= set(states(host)))
        if number == signal.SIGKILL:
            # Here nobody is left who could; a person, or `make lab`, does.
            run("sh", "-c", f"docker unpause $(docker ps -q --filter label=dockstack.stack={STACK})")
        assert states(host) == before
        assert not list(tmp_path.glob("*.zst"))
    host.run(f"docker exec {DATABASE} rm /var/lib/mysql/ballast")


def test_logs_of_both_hosts_are_one_time_line(pair: Stack, host: Host) -> None:
    script = 'mkdir -p /var/log/supervisor; printf "%s\\n" "$1" >>/var/log/supervisor/sample.log'
    stamps = [time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - 5 + after)) for after in range(3)]
    run("docker", "exec", HERE, "sh", "-c", script, "sh", f"{stamps[0]}.100 first")
    host.run(f"docker exec {FAR} sh -c '{script}' sh '{stamps[1]}.100 second'")
    run("docker", "exec", HERE, "sh", "-c", script, "sh", f"{stamps[2]}.100 third")
    said = pair.make("logs", "GREP=first|second|third").stdout.splitlines()
    told = [line.split(" ", 2)[2] for line in said if " sample: " in line]
    assert told == [f"{HERE} sample: first", f"{FAR} sample: second", f"{HERE} sample: third"]
    everything = pair.make("logs", "SINCE=1h").stdout
    assert f" far/{STACK}-keeper keeper: " in everything and f" {STACK}-keeper keeper: " in everything
    assert f" {DATABASE} puppet: " in everything
    assert f"has no container nobody; it has {DATABASE}" in pair.make("logs", "CONTAINER=nobody", check=False).stderr


def captures(host: Host) -> list[str]:
    """Return the programs that capture packets on the second host."""
    return host.run("pgrep -x tcpdump", check=False).stdout.split()


def ping(count: int) -> float:
    """Ping the second host's container from this one's; return the share that was answered."""
    said = run(
        "docker", "exec", HERE, "ping", "-q", "-c", str(count), "-i", "0.02", "-W", "1", FAR_ADDRESS, check=False
    )
    received = re.search(r"(\d+) received", said.stdout)
    assert received, said
    return int(received[1]) / count


def test_packets_of_a_container_on_the_other_host_come_by_a_pipe_and_the_capture_ends_with_it(
    pair: Stack, host: Host
) -> None:
    with captured(STACK, FAR, "FILTER=icmp", env=pair.owners_env) as process:
        assert process.stdout
        ping(3)
        packets = b""
        while len(packets) < 24 + 6 * 98:
            packets += os.read(process.stdout.fileno(), 65536)
        assert struct.unpack_from("<I", packets)[0] == PCAP
        # Nobody reads any more; and without a packet, tcpdump doesn't notice.
        process.stdout.close()
        eventually("nothing captures there", lambda: not captures(host))
        assert process.wait(PATIENCE_SECONDS) == 0


def test_packets_of_a_container_on_the_other_host_go_to_a_file_until_an_interruption(
    pair: Stack, host: Host, tmp_path: Path
) -> None:
    file = tmp_path / "packets.pcap"
    with captured(STACK, FAR, f"FILE={file}", "FILTER=icmp", env=pair.owners_env) as process:
        ping(3)
        eventually("packets are there", lambda: file.exists() and file.stat().st_size > 6 * 98, interval=0.05)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=PATIENCE_SECONDS)
    assert captures(host) == []
    assert file.stat().st_mode & 0o777 == 0o600


def impaired(made: Stack) -> dict[str, str | None]:
    """Return what `make status` tells of worse ports."""
    told = json.loads(made.make("status", "JSON=1", check=False).stdout)
    return {row["name"]: row.get("impaired") for row in told["containers"] if "impaired" in row}


def test_a_worse_port_on_the_other_host_lasts_until_it_is_cleared(pair: Stack, host: Host) -> None:
    def queues() -> str:
        pid = host.run(f"docker inspect --format '{{{{.State.Pid}}}}' {FAR}").stdout.strip()
        return host.run(f"nsenter --net=/proc/{pid}/ns/net tc qdisc show dev eth0", check=False).stdout

    pair.make("impair", f"CONTAINER={FAR}", "LOSS=30%", "RATE=1mbit")
    # Twice 30 %: 49 % come through, and by chance 35 to 63.
    assert 0.3 < ping(200) < 0.7
    assert impaired(pair) == {FAR: "loss 30%, rate 1mbit"}
    # The keeper there remembers.
    host.run(f"docker restart -t 0 {FAR}")
    eventually("it is impaired again", lambda: "tbf" in queues() or "netem" in queues())
    assert pair.make("impair", "CLEAR=1").stdout == f"{FAR}: as it was\n"
    assert queues().split()[1] == "noqueue"
    assert impaired(pair) == {}
    eventually("packets pass", lambda: ping(20) > 0.8)


def test_a_drill_loses_a_container_of_the_other_host(pair: Stack) -> None:
    said = pair.make("drill", f"NAME=kill-{FAR}").stdout
    assert re.search(r"^all works again after \d+ s$", said, re.MULTILINE)


def test_a_drill_cuts_this_host_off_from_the_other_and_joins_them_again(pair: Stack) -> None:
    said = pair.make("drill", "NAME=partition").stdout
    of_here, of_far = (
        re.search(rf"^\| ping {name} +\| (\d+) +\| (\d+) +\| (\S+) ", said, re.M) for name in (HERE, FAR)
    )
    assert of_here and of_far
    assert of_here[2] == "0" and int(of_far[2]) > 5
    assert drills.HOLD_SECONDS - 2 < float(of_far[3]) < drills.HOLD_SECONDS + PATIENCE_SECONDS


@pytest.mark.parametrize("host_goes", [False, True])
def test_a_preview_tells_what_goes_with_a_container_of_the_other_host(pair: Stack, host: Host, host_goes: bool) -> None:
    changed = configured(host)
    if host_goes:
        changed["containerHosts"] = {"local": {}}
    changed["containers"] = {
        name: container
        for name, container in changed["containers"].items()
        if name != DATABASE and not (host_goes and "host" in container)
    }
    pair.configure(changed)
    try:
        said = " ".join(pair.preview().stdout.split())
    finally:
        pair.configure(configured(host))
    assert f"This change loses data: volume {DATABASE}-data of {DATABASE} is removed" in said
    assert f": {DATABASE} is removed" in said


def test_without_the_other_host_a_backup_is_refused_and_logs_go_on(pair: Stack, host: Host, tmp_path: Path) -> None:
    host.cut_power()
    try:
        refused = pair.make("backup", f"FILE={tmp_path / 'none.tar.zst'}", check=False)
        assert refused.returncode != 0
        assert "make backup: containerHosts.far: the host can't be asked: " in refused.stderr
        assert "Fix: Bring it back" in refused.stderr
        assert " paused " not in run("docker", "ps", "--all", "--format", "{{.Names}} {{.State}} ").stdout
        logs = pair.make("logs")
        assert "containerHosts.far: the host can't be asked" in logs.stderr and logs.stdout
    finally:
        host.switch_on()
    eventually("all works", lambda: pair.make("status", check=False).returncode == 0, interval=1)
