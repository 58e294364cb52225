"""The lab's OpenStack as its administrator sees it from the host, for the tests of guests."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import openstack
import pytest

from tests.lab.connection import opened
from tests.lab.harness import eventually, run

BOOT_SECONDS = 300
FILLED_MIB = 8
"""What is written at the beginning of a volume, and read again."""
Cloud = Any
"""openstacksdk's connection, whose calls have no types."""


def environment(openrc: str) -> dict[str, str]:
    """Return the environment that a shell has after reading an openrc file."""
    shown = run("env", "-i", "sh", "-c", f". {openrc} && env").stdout
    settings = dict(line.split("=", 1) for line in shown.splitlines() if line.startswith("OS_"))
    return {**os.environ, **settings, "no_proxy": "*"}


def connect(openrc: str) -> Cloud:
    """Connect to the cloud of an openrc file."""
    os.environ["no_proxy"] = "*"
    shell = environment(openrc)
    settings: dict[str, Any] = {k.removeprefix("OS_").lower(): v for k, v in shell.items() if k.startswith("OS_")}
    # What kept a connection open over a drill finds it closed.
    return openstack.connect(load_yaml_config=False, load_envvars=False, connect_retries=2, **settings)


def has(cloud: Cloud, service: str) -> bool:
    """Return whether the catalogue has a service of that type."""
    return service in {entry["type"] for entry in cloud.service_catalog}


class Guest:
    """A running guest, with a key of its own to log in by."""

    def __init__(self, cloud: Cloud, server: Any, key: Path) -> None:
        """Take the server as the API describes it, and the private key whose public half it was given."""
        self.cloud, self.server, self.key = cloud, server, key
        self.floating = ""

    def console(self) -> str:
        """Return what it has written on its serial console."""
        return str(self.cloud.compute.get_server_console_output(self.server.id)["output"])

    def await_console(self, text: str, seconds: float = BOOT_SECONDS) -> str:
        """Wait until its console shows a text, and return the console."""
        self._await(f"{text!r} on the console of {self.server.name}", lambda: text in self.console(), seconds)
        return self.console()

    def address(self) -> str:
        """Return its address in the tenant's network."""
        ports = list(self.cloud.network.ports(device_id=self.server.id))
        return str(ports[0].fixed_ips[0]["ip_address"])

    def ssh(self, command: str, check: bool = True) -> str:
        """Run a command in the guest, through its floating address."""
        options = (
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "ConnectTimeout=10",
            "ServerAliveInterval=10",
            "LogLevel=ERROR",
        )
        flags = [flag for option in options for flag in ("-o", option)]
        return run("ssh", *flags, "-i", str(self.key), f"root@{self.floating}", command, check=check).stdout

    def await_ssh(self, seconds: float = 120) -> None:
        """Wait until it can be logged in to; the console tells why it can't."""
        self._await(f"{self.server.name} lets one in", lambda: "in" in self.ssh("echo in", check=False), seconds)

    def fill(self, device: str) -> str:
        """Write random bytes on a volume until they are kept, and return their checksum."""
        self.ssh(
            f"dd if=/dev/urandom bs=1M count={FILLED_MIB} of=/tmp/bytes && dd if=/tmp/bytes bs=1M of={device}"
            " && sync && rm -f /tmp/bytes"
        )
        return self.sum(device)

    def sum(self, device: str) -> str:
        """Return the checksum of what a volume holds, and not of what the guest's kernel remembers."""
        self.ssh("sync && echo 3 > /proc/sys/vm/drop_caches")
        found = self.ssh(f"dd if={device} bs=1M count={FILLED_MIB} 2>/dev/null | sha256sum").split()
        assert len(found[0]) == 64
        return found[0]

    def _await(self, what: str, condition: Callable[[], bool], seconds: float) -> None:
        try:
            eventually(what, condition, seconds, 2)
        except AssertionError as error:
            raise AssertionError(f"{error}; its console:\n{self.console()[-3000:]}") from None


@contextmanager
def guest(cloud: Cloud, name: str, directory: Path, *, floating: bool, **options: Any) -> Iterator[Guest]:
    """Boot the demonstration's guest, and take it away afterwards with all that it was given."""
    try:
        yield boot(cloud, name, directory, floating=floating, **options)
    finally:
        forget(cloud, name)


def boot(cloud: Cloud, name: str, directory: Path, *, floating: bool, **options: Any) -> Guest:
    """Boot the demonstration's guest, with a key of its own."""
    key = directory / name
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    cloud.compute.create_keypair(name=name, public_key=key.with_suffix(".pub").read_text())
    server = cloud.compute.create_server(
        name=name,
        image_id=cloud.image.find_image("guest", ignore_missing=False).id,
        flavor_id=cloud.compute.find_flavor("tiny", ignore_missing=False).id,
        networks=[{"uuid": cloud.network.find_network("demo", ignore_missing=False).id}],
        security_groups=[{"name": "demo"}],
        key_name=name,
        **options,
    )
    made = Guest(cloud, cloud.compute.wait_for_server(server, wait=BOOT_SECONDS, interval=1), key)
    if floating:
        outside = cloud.network.find_network("provider", ignore_missing=False)
        port = next(iter(cloud.network.ports(device_id=server.id)))
        address = cloud.network.create_ip(floating_network_id=outside.id, port_id=port.id)
        made.floating = address.floating_ip_address
    return made


def forget(cloud: Cloud, name: str) -> None:
    """Delete what :func:`boot` has made under a name, as far as it came."""
    server = cloud.compute.find_server(name)
    if server is not None:
        ports = {port.id for port in cloud.network.ports(device_id=server.id)}
        for address in cloud.network.ips():
            if address.port_id in ports:
                cloud.network.delete_ip(address.id)
        remove_server(cloud, server.id)
    cloud.compute.delete_keypair(name, ignore_missing=True)


def remove_server(cloud: Cloud, server: str) -> None:
    """Delete a guest and wait until it is gone."""
    cloud.compute.delete_server(server, ignore_missing=True)
    eventually(f"guest {server} is gone", lambda: cloud.compute.find_server(server) is None, interval=1)


@contextmanager
def volume(cloud: Cloud, name: str) -> Iterator[Any]:
    """Make a volume of 1 GB, and delete it afterwards."""
    made = cloud.block_storage.create_volume(name=name, size=1)
    try:
        cloud.block_storage.wait_for_status(made, "available", failures=["error"], interval=1, wait=120)
        yield made
    finally:
        cloud.block_storage.wait_for_status(made, "available", interval=1, wait=120)
        cloud.block_storage.delete_volume(made)
        cloud.block_storage.wait_for_delete(made, interval=1, wait=120)


@contextmanager
def attached(cloud: Cloud, machine: Guest, disk: Any) -> Iterator[str]:
    """Attach a volume to a guest, give the name of the device that it becomes there, and detach it."""
    before = set(machine.ssh("ls /dev/vd?").split())
    cloud.compute.create_volume_attachment(machine.server.id, volume_id=disk.id)
    cloud.block_storage.wait_for_status(disk, "in-use", failures=["error"], interval=1, wait=120)
    found: list[str] = []

    def appeared() -> bool:
        found[:] = sorted(set(machine.ssh("ls /dev/vd?").split()) - before)
        return bool(found)

    try:
        eventually(f"the volume appears in {machine.server.name}", appeared, interval=1)
        yield found[0]
    finally:
        cloud.compute.delete_volume_attachment(machine.server.id, disk.id)
        cloud.block_storage.wait_for_status(disk, "available", interval=1, wait=120)


def screen(url: str, authority: str) -> tuple[str, bytes]:
    """Open the screen that a noVNC URL leads to as its page does.

    Args:
        url: the URL.
        authority: file with the authority of the server's certificate; empty where it speaks in clear.

    Returns:
        The status line of the answer to the upgrade, and the first bytes that the screen's server then sends.
    """
    parts = urlsplit(url)
    path = parse_qs(parts.query)["path"][0]
    host = f"{parts.hostname}:{parts.port}"
    request = (
        f"GET /{path.lstrip('/')} HTTP/1.1\r\nHost: {host}\r\nOrigin: {parts.scheme}://{host}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Protocol: binary\r\n\r\n"
    )
    with opened(str(parts.hostname), int(parts.port or 0), authority, 30) as connection:
        connection.sendall(request.encode())
        received = b""
        deadline = time.monotonic() + 30
        while b"RFB " not in received and time.monotonic() < deadline:
            piece = connection.recv(4096)
            if not piece:
                break
            received += piece
    head, _, frames = received.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode(), frames


def needs(cloud: Cloud, *services: str) -> None:
    """Skip a test whose services this lab does without."""
    lacking = [service for service in services if not has(cloud, service)]
    if lacking:
        pytest.skip(f"this lab has no {', '.join(lacking)}")
