"""Whether packets pass to the containers: as large as their interfaces take, and in one piece.

Addresses, sizes and links may all be as they should, and a path may carry less than its ends. One socket asks all: a
``ping`` for each would cost more than looking at all ports does.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from hostside import docker_api
from hostside.errors import StepError, raise_as_one
from hostside.ports import STEP, Port

SECONDS = 3.0
"""How long answers may take, on a machine that is busy."""
AGAIN_SECONDS = 0.5
SMALL = 84
"""Bytes of a packet that every path carries."""
_HEADERS = 28
"""Bytes of the headers of IPv4 and ICMP: RFC 791, RFC 792."""
_ECHO, _ECHO_REPLY = 8, 0
_MTU_DISCOVER, _DO_NOT_FRAGMENT = 10, 2
"""Linux's IP_MTU_DISCOVER and IP_PMTUDISC_DO, which Python's socket module doesn't name."""
_COMPLETE = 0x2
"""Flag of a neighbour in /proc/net/arp whose Ethernet address is known."""


def blocked(listed: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the running containers to which not all packets pass from this host, each with what does not.

    A container that answers nothing at all, but whose Ethernet address is known, has a firewall of its own.

    Args:
        listed: containers as the engine lists them.
    """
    running = {docker_api.name(each): each.get("Labels") or {} for each in listed if each.get("State") == "running"}
    ports = [port for name, labels in running.items() for port in Port.of(name, labels)]
    # One that gets its address by DHCP has none that we know.
    wanted = {port.container: port for port in ports if port.address}
    full = {port.address.partition("/")[0]: port.mtu for port in wanted.values()}
    silent = unanswered(full)
    if not silent:
        return {}
    quiet = unanswered(dict.fromkeys(silent, SMALL))
    neighbours = _neighbours()
    found = {}
    for name, port in wanted.items():
        address = port.address.partition("/")[0]
        if address in silent and address not in quiet:
            found[name] = f"no packet of {port.mtu} bytes passes its port, smaller ones do"
        elif address in quiet and address not in neighbours:
            found[name] = "no packet passes its port"
    return found


def prove(stack: str, containers: Collection[str]) -> None:
    """Make sure that packets pass the ports of some containers.

    Raises:
        StepError: with what does not pass to which.
    """
    listed = [each for each in docker_api.containers(stack) if docker_api.name(each) in containers]
    raise_as_one([StepError(name, STEP, reason) for name, reason in blocked(listed).items()])


def unanswered(sizes: Mapping[str, int]) -> set[str]:
    """Return the addresses that don't answer an ICMP echo request.

    Args:
        sizes: address to the length of the whole packet in bytes, which is not to be fragmented.
    """
    waiting = set(sizes)
    identifier = os.getpid() & 0xFFFF
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as asking:
        asking.setsockopt(socket.IPPROTO_IP, _MTU_DISCOVER, _DO_NOT_FRAGMENT)
        asking.setblocking(False)
        deadline, again = time.monotonic() + SECONDS, 0.0
        while waiting and (now := time.monotonic()) < deadline:
            if now >= again:
                again = now + AGAIN_SECONDS
                for address in sorted(waiting):
                    _ask(asking, address, identifier, sizes[address])
                    # The socket's buffer is small: take out what has come.
                    waiting -= _answers(asking, identifier, 0)
            if waiting:
                waiting -= _answers(asking, identifier, max(0.0, min(again, deadline) - time.monotonic()))
    return waiting


def _ask(asking: socket.socket, address: str, identifier: int, size: int) -> None:
    body = bytes(size - _HEADERS)
    checksum = 0xFFFF - _sum(struct.pack("!BBHHH", _ECHO, 0, 0, identifier, 1))
    try:
        asking.sendto(struct.pack("!BBHHH", _ECHO, 0, checksum, identifier, 1) + body, (address, 0))
    except OSError:
        # Larger than this host's own link takes, or no route: nothing will answer.
        return


def _answers(asking: socket.socket, identifier: int, seconds: float) -> set[str]:
    """Return whose answers come within some seconds: all that have come, once there is one."""
    found: set[str] = set()
    while select.select([asking], [], [], 0 if found else seconds)[0]:
        packet, (address, _) = asking.recvfrom(65535)
        header = (packet[0] & 0xF) * 4
        kind, _, _, echoed = struct.unpack_from("!BBHH", packet, header)
        if (kind, echoed) == (_ECHO_REPLY, identifier):
            found.add(str(address))
    return found


def _sum(data: bytes) -> int:
    """Return the ones' complement sum of RFC 1071."""
    total = int(sum(struct.unpack(f"!{len(data) // 2}H", data)))
    return (total & 0xFFFF) + (total >> 16)


def _neighbours() -> set[str]:
    lines = [line.split() for line in Path("/proc/net/arp").read_text().splitlines()[1:]]
    return {line[0] for line in lines if int(line[2], 16) & _COMPLETE}
