"""Packets as large as a container's interface takes pass to it and from it, and what lets them pass no more is told."""

from __future__ import annotations

import socket
import threading

import pytest

from commands import status
from tests.lab.harness import Make, Stack, eventually, inspect, network_of, plain, run

pytestmark = pytest.mark.lab

NUMBER = 174
LARGE, USUAL = f"t{NUMBER}-p1", f"t{NUMBER}-p2"
GATEWAY = f"10.86.{NUMBER}.1"
BYTES = 2 << 20


def pings(container: str, address: str, size: int) -> bool:
    """Say whether a container reaches an address with packets of that size, which nobody may break up."""
    ping = ("ping", "-c", "1", "-W", "2", "-M", "do", "-s", str(size - 28), address)
    return run(*network_of(container), *ping, check=False).returncode == 0


def received(container: str) -> int:
    """Return how many bytes come from a container by TCP."""
    with socket.create_server((GATEWAY, 0)) as server:
        server.settimeout(20)
        script = f"head -c {BYTES} /dev/zero > /dev/tcp/{GATEWAY}/{server.getsockname()[1]}"
        sender = threading.Thread(target=lambda: run(*network_of(container), "bash", "-c", script, check=False))
        sender.start()
        connection, _ = server.accept()
        count = 0
        with connection:
            connection.settimeout(20)
            while chunk := connection.recv(65536):
                count += len(chunk)
        sender.join()
    return count


def await_rest(made: Stack) -> None:
    """Wait until nothing is broken: supervisord takes a keeper for started some seconds after its start."""
    eventually("nothing is broken", lambda: status.find(made.name, made.outputs()) == [], interval=1)


def test_large_packets_pass_and_a_port_that_they_do_not_pass_is_broken(stack: Make) -> None:
    config = plain(NUMBER, 2)
    config["containers"][LARGE]["mtu"] = 9000
    made = stack(f"t{NUMBER}", config)
    made.up()
    assert pings(LARGE, GATEWAY, 9000)
    assert not pings(USUAL, GATEWAY, 1501)
    assert pings(USUAL, GATEWAY, 1500)
    assert received(LARGE) == received(USUAL) == BYTES
    await_rest(made)

    # Behind everybody's back: the host's end takes less again.
    held = run("ovs-vsctl", "--bare", "--columns=name", "find", "interface", f"external_ids:container_id={LARGE}")
    run("ip", "link", "set", held.stdout.strip(), "mtu", "1500")
    run("docker", "pause", f"{made.name}-keeper")
    assert LARGE in {fault.subject for fault in status.find(made.name, made.outputs())}
    said = made.preview()
    assert LARGE in said.stdout + said.stderr
    made.up()
    assert pings(LARGE, GATEWAY, 9000)
    made.preview("--expect-no-changes")


def test_a_port_that_passes_nothing_is_broken_although_all_looks_right(stack: Make) -> None:
    made = stack(f"t{NUMBER}", plain(NUMBER, 1))
    made.up()
    await_rest(made)
    bridge, address = f"br-t{NUMBER}", inspect(LARGE)["Config"]["Labels"]["dockstack.address"].partition("/")[0]
    run("ovs-ofctl", "add-flow", bridge, "priority=100,actions=drop")
    run("ip", "neighbour", "flush", "dev", bridge)
    assert [fault.subject for fault in status.find(made.name, made.outputs())] == [LARGE]
    failed = made.up(check=False)
    assert failed.returncode != 0
    assert "no packet passes its port" in failed.stdout + failed.stderr
    run("ovs-ofctl", "del-flows", bridge, "priority=100", "--strict")
    made.up()
    assert run("ping", "-c", "1", "-W", "2", address, check=False).returncode == 0
