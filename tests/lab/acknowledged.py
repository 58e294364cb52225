"""What the lab has said that it keeps, to be looked for later.

That is users of Keystone's, messages in a durable queue, and the bytes of a volume in a guest, which is to run again.
"""

from __future__ import annotations

import subprocess
import time
import uuid

import openstack

from commands.kept import DECLARED_SECONDS, SCRIPT, SENDERS
from tests.lab.cloud import Guest, connect
from tests.lab.harness import eventually, run

FAULTS = (openstack.exceptions.SDKException, openstack.exceptions.HttpException)
WAIT_SECONDS = 300


class Acknowledged:
    """What the lab has acknowledged, and only that."""

    def __init__(self, openrc: str, keystone: str) -> None:
        """Take the administrator's openrc file, and the name of Keystone's container."""
        self._cloud = connect(openrc)
        self._keystone = keystone
        self._queue = f"loss-{uuid.uuid4().hex[:8]}"
        self._users: list[str] = []
        self._messages: list[str] = []
        self._disk: tuple[Guest, str, str] | None = None

    def add_user(self, size: int = 0) -> bool:
        """Make a user with so much to say about him; return whether that was acknowledged."""
        name = f"{self._queue}-{uuid.uuid4().hex[:8]}"
        try:
            self._users.append(self._cloud.identity.create_user(name=name, description="x" * size).id)
        except FAULTS:
            return False
        return True

    def add_message(self, size: int = 0) -> bool:
        """Publish a persistent message of that size; return whether the broker confirmed it."""
        name = uuid.uuid4().hex
        if not self._messages and self._ask("declare").returncode == 0:
            time.sleep(DECLARED_SECONDS)
        if self._ask("publish", name, str(size)).returncode:
            return False
        self._messages.append(name)
        return True

    def add_bytes(self, guest: Guest, device: str) -> None:
        """Write on a volume of a guest's."""
        self._disk = guest, device, guest.fill(device)

    def missing(self) -> str:
        """Say what of all that was acknowledged is not there, and what was said of it; nothing when all is."""
        try:
            for user in self._users:
                self._cloud.identity.get_user(user)
        except FAULTS as error:
            return f"a user: {error}"
        read = self._ask("read")
        lost = set(self._messages) - set(read.stdout.split())
        if lost:
            return f"{len(lost)} of {len(self._messages)} messages: {read.stderr[-500:]}"
        return self._missing_bytes()

    def _missing_bytes(self) -> str:
        if self._disk is None:
            return ""
        guest, device, written = self._disk
        try:
            return "" if guest.sum(device) == written else f"the bytes of {device}"
        except AssertionError as error:
            return f"the guest: {error}"

    def await_all(self) -> None:
        """Wait until all that was acknowledged is there."""
        try:
            eventually("all that was acknowledged is there", lambda: not self.missing(), WAIT_SECONDS, 1)
        except AssertionError as error:
            raise AssertionError(f"{error}; missing: {self.missing()}") from None

    def remove(self) -> None:
        """Remove it, with what was made and not acknowledged."""
        for user in self._cloud.identity.users():
            if user.name.startswith(self._queue):
                self._cloud.identity.delete_user(user)
        self._ask("remove")

    def _ask(self, action: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ("docker", "exec", "-i", self._keystone, "python3", "-", SENDERS["keystone"], action, self._queue)
        return run(*command, *arguments, check=False, stdin=SCRIPT.read_text())
