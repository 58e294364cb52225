"""One ICMP echo out of the host's bridge, by a socket of our own: not every host has `ping`."""

from __future__ import annotations

import os
import socket
import struct
import time

REQUEST, REPLY = 8, 0


def answers(address: str, device: str, seconds: float) -> bool:
    """Say whether an address answers an echo request in time.

    Args:
        address: IPv4 address.
        device: the only interface that the request may leave by.
        seconds: how long to wait for the answer.
    """
    identifier = os.getpid() & 0xFFFF
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        raw.sendto(_request(identifier), (address, 0))
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            raw.settimeout(left)
            try:
                packet, (source, _) = raw.recvfrom(1024)
            except TimeoutError:
                return False
            # The header of the IP packet comes along; its length is in the low half of its first byte.
            kind, _, _, told, _ = struct.unpack_from("!BBHHH", packet, (packet[0] & 0xF) * 4)
            if (source, kind, told) == (address, REPLY, identifier):
                return True
    return False


def _request(identifier: int) -> bytes:
    bare = struct.pack("!BBHHH", REQUEST, 0, 0, identifier, 1)
    total = sum(struct.unpack("!4H", bare))
    checksum = ~(total + (total >> 16)) & 0xFFFF
    return struct.pack("!BBHHH", REQUEST, 0, checksum, identifier, 1)
