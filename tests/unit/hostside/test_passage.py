"""Whether packets pass: real ones, over the loopback and over a pair of links into a namespace."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hostside import passage

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets and namespaces are root's")

SPACE, LINK = "dsunit-passage", "dsunit0"
NEAR, FAR = "10.86.173.1", "10.86.173.2"


def ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=True)


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put a namespace beside the host, at the other end of a pair of links that take 9000 bytes."""
    monkeypatch.setattr(passage, "SECONDS", 0.6)
    ip("netns", "delete", SPACE, check=False)
    ip("netns", "add", SPACE)
    try:
        ip("link", "add", LINK, "mtu", "9000", "type", "veth", "peer", "name", "eth0", "mtu", "9000", "netns", SPACE)
        ip("address", "add", f"{NEAR}/24", "dev", LINK)
        ip("link", "set", LINK, "up")
        ip("-n", SPACE, "address", "add", f"{FAR}/24", "dev", "eth0")
        ip("-n", SPACE, "link", "set", "eth0", "up")
        yield
    finally:
        # By itself it goes only some time after its namespace.
        ip("link", "delete", LINK, check=False)
        ip("netns", "delete", SPACE)


def listed(address: str, mtu: int, state: str = "running") -> list[dict[str, Any]]:
    labels = {
        "dockstack.stack": "lab", "dockstack.bridge": "br-lab", "dockstack.mac": "02:42:0a:57:00:1e",
        "dockstack.mtu": str(mtu), "dockstack.address": f"{address}/24" if address else "",
    }  # fmt: skip
    return [{"Names": ["/web1"], "State": state, "Labels": labels}]


def test_all_that_answer_are_waited_for_and_no_longer() -> None:
    begin = time.monotonic()
    assert passage.unanswered({f"127.0.1.{number}": 1400 + number for number in range(1, 200)}) == set()
    assert time.monotonic() - begin < passage.SECONDS


@pytest.mark.usefixtures("link")
def test_a_path_that_takes_what_it_should_is_open() -> None:
    assert passage.blocked(listed(FAR, 9000)) == {}


@pytest.mark.usefixtures("link")
@pytest.mark.parametrize("end", ["near", "far"])
def test_an_end_that_takes_less_is_found(end: str) -> None:
    ip(*(("link", "set", LINK) if end == "near" else ("-n", SPACE, "link", "set", "eth0")), "mtu", "1500")
    assert passage.blocked(listed(FAR, 9000)) == {"web1": "no packet of 9000 bytes passes its port, smaller ones do"}
    assert passage.blocked(listed(FAR, 1500)) == {}


@pytest.mark.usefixtures("link")
def test_nobody_at_the_other_end_is_found() -> None:
    assert passage.blocked(listed("10.86.173.3", 1500)) == {"web1": "no packet passes its port"}


@pytest.mark.usefixtures("link")
def test_a_firewall_in_the_container_is_no_fault_of_its_ports() -> None:
    subprocess.run(
        ["ip", "netns", "exec", SPACE, "sysctl", "-q", "net.ipv4.icmp_echo_ignore_all=1"],
        check=True,
        capture_output=True,
    )
    assert passage.blocked(listed(FAR, 9000)) == {}


def test_what_does_not_run_or_has_no_address_of_ours_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passage, "unanswered", lambda sizes: set(sizes))
    assert passage.blocked(listed(FAR, 1500, "exited")) == {}
    assert passage.blocked(listed("", 1500)) == {}
    assert passage.blocked([{"Names": ["/lab-keeper"], "State": "running", "Labels": {}}]) == {}
