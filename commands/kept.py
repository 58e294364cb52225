"""What a lab is given before and during a drill: what of it the lab has acknowledged, it must have afterwards.

Users, images and volumes are made by the APIs at the VIP, with the administrator's openrc; rows through the VIP as
well, by an account of the database's own; and messages, which no API takes, with a service's login at the brokers,
where that service runs. All of it carries one name, so that what a drill that was killed has left is removed by the
next.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from openstack.exceptions import NotFoundException

from commands import status
from components import services
from hostside import docker_api

NAME = "dockstack-drill"
BEFORE = 2
"""How many of each kind are made before the loss."""
ANSWER_SECONDS = 10
"""How long a command in a container may take."""
VOLUME_SECONDS = 60.0
"""How long a volume may take until it can be used."""
DECLARED_SECONDS = 3.0
"""After which a new durable queue outlives the broker: RabbitMQ 4.0 says that there is one up to 2 s before Mnesia, its
database, has written the decision to make it; a broker that is killed before that comes back without."""
SOUGHT_SECONDS = 60.0
"""How long what was acknowledged is looked for, after all works again, before it counts as lost."""
REMOVAL_SECONDS = 120.0
"""How long removing may take, in a lab that an interrupted drill has left before all worked again."""
IMAGE_BYTES = 1 << 20
VOLUME_GIB = 1
SENDERS = {role.name: role.logins for role in services.ROLES.values() if role.logins}
"""Roles whose containers have a login at the brokers and a library for it, with the file that has the login."""
SCRIPT, VOLUME_SCRIPT = (Path(__file__).with_name(name) for name in ("messages.py", "volume_bytes.py"))
DATABASE = NAME.replace("-", "_")
"""Name of the rows' database, and of the account that writes them."""


class Refusal(Exception):
    """The lab does not do what it is asked for."""


FAULTS = (*status.CLOUD_FAULTS, OSError, Refusal)
"""What asking a lab raises that is partly away."""


@dataclass(frozen=True)
class Found:
    """What became of the things of one kind."""

    kind: str
    acknowledged: int
    lost: int
    why: str = ""
    """Which are lost, or why nobody can tell, for people."""

    def __str__(self) -> str:
        return f"{self.lost} of {self.acknowledged} {self.kind}" + (f": {self.why}" if self.why else "")


class Kept(ABC):
    """Things of one kind, made by a lab."""

    kind: ClassVar[str]
    """What several are called."""
    target: ClassVar[str] = ""
    """What making one is called where it goes on during the loss; empty for what is made before it only."""
    pause: ClassVar[float] = 1.0
    """Seconds after one until the next is made."""

    def __init__(self) -> None:
        """Begin with none."""
        self._acknowledged: list[str] = []
        self._making = threading.Lock()
        self._ended = False

    def begin(self) -> str:
        """Make the first ones, in place of what an earlier drill has left; return why that fails, or nothing."""
        for step in (self._remove, self._prepare, *(BEFORE * (self._add,))):
            if why := self._do(step):
                return why
        return ""

    def add(self) -> str:
        """Make one more; return why it was not acknowledged, or nothing."""
        return self._do(self._add)

    def _add(self) -> None:
        self._acknowledged.append(self._make(f"{NAME}-{len(self._acknowledged)}-{uuid.uuid4().hex[:8]}"))

    def _do(self, step: Callable[[], None]) -> str:
        """Do something unless all is removed already; return why it fails, or nothing."""
        with self._making:
            try:
                if not self._ended:
                    step()
            except FAULTS as error:
                return _sentence(error)
        return ""

    def find(self) -> Found:
        """Look for those that were acknowledged, for a while."""
        deadline = time.monotonic() + SOUGHT_SECONDS
        while (found := self._found()).lost and time.monotonic() < deadline:
            time.sleep(1)
        return found

    def _found(self) -> Found:
        wanted = list(self._acknowledged)
        try:
            there = self._there(wanted)
        except FAULTS as error:
            return Found(self.kind, len(wanted), len(wanted), f"they can't be looked for: {_sentence(error)}")
        lost = [each for each in wanted if each not in there]
        return Found(self.kind, len(wanted), len(lost), " ".join(lost))

    def remove(self) -> str:
        """Remove all, those included whose acknowledgement was lost on its way; return what prevents it, or nothing."""
        # A thing that is being made right now would stay: wait until it is there.
        with self._making:
            self._ended = True
            try:
                self._remove()
            except FAULTS as error:
                return _sentence(error)
        return ""

    def _prepare(self) -> None:
        """Make what all of them need."""
        return

    @abstractmethod
    def _make(self, name: str) -> str:
        """Make one of that name, and return what it is known by; raises one of FAULTS unless it was acknowledged."""

    @abstractmethod
    def _there(self, wanted: Sequence[str]) -> Collection[str]:
        """Return those of the wanted ones that are there, and others as well."""

    @abstractmethod
    def _remove(self) -> None:
        """Remove all that carry the drills' name, or raise one of FAULTS."""


class OfCloud(Kept):
    """Things that the APIs make for the administrator."""

    def __init__(self, openrc: str) -> None:
        """Take the administrator's login."""
        super().__init__()
        self._cloud: Any = status.connect(openrc)


class Users(OfCloud):
    """Users in Keystone."""

    kind = "users"
    target = "a user made in keystone"

    def _make(self, name: str) -> str:
        return str(self._cloud.identity.create_user(name=name).id)

    def _there(self, wanted: Sequence[str]) -> Collection[str]:
        return {user.id for user in self._cloud.identity.users()}

    def _remove(self) -> None:
        for user in _named(self._cloud.identity.users()):
            self._cloud.identity.delete_user(user.id)


class Images(OfCloud):
    """Images in Glance, each of random bytes, which are compared."""

    kind = "images"

    def __init__(self, openrc: str) -> None:
        """Take the administrator's login."""
        super().__init__(openrc)
        self._sums: dict[str, str] = {}

    def _make(self, name: str) -> str:
        data = os.urandom(IMAGE_BYTES)
        image = self._cloud.image.create_image(
            name, data=data, disk_format="raw", container_format="bare", validate_checksum=False, allow_duplicates=True
        )
        image = self._cloud.image.get_image(image.id)
        if image.status != "active":
            raise Refusal(f"image {name} is {image.status}")
        self._sums[image.id] = _sum(data)
        return str(image.id)

    def _there(self, wanted: Sequence[str]) -> Collection[str]:
        found = set()
        for name in wanted:
            with suppress(NotFoundException):
                if _sum(self._cloud.image.download_image(name).content) == self._sums[name]:
                    found.add(name)
        return found

    def _remove(self) -> None:
        for image in _named(self._cloud.image.images()):
            self._cloud.image.delete_image(image.id)


class Volumes(OfCloud):
    """Volumes, as Cinder knows them, and where they are in Ceph, bytes in them: elsewhere only a guest writes any."""

    kind = "volumes"

    def __init__(self, openrc: str, container: str = "", file: str = "") -> None:
        """Take the administrator's login, and a container that reaches the bytes by a file of its; empty for none."""
        super().__init__(openrc)
        self._container, self._file = container, file
        self._written: dict[str, str] = {}

    def _make(self, name: str) -> str:
        volume = self._cloud.block_storage.create_volume(name=name, size=VOLUME_GIB)
        self._cloud.block_storage.wait_for_status(
            volume, status="available", failures=["error"], interval=0.5, wait=VOLUME_SECONDS
        )
        if self._container and self._ask("write", volume.id, name):
            self._written[volume.id] = name
        return str(volume.id)

    def _there(self, wanted: Sequence[str]) -> Collection[str]:
        usable = {volume.id for volume in self._cloud.block_storage.volumes() if volume.status == "available"}
        others = {each for each in usable & self._written.keys() if self._ask("read", each) != self._written[each]}
        return usable - others

    def _ask(self, *words: str) -> str:
        command = ["python3", "-", self._file, *words]
        return _execute(self._container, command, stdin=VOLUME_SCRIPT.read_text(encoding="utf-8")).strip()

    def _remove(self) -> None:
        deadline = time.monotonic() + ANSWER_SECONDS
        while volumes := _named(self._cloud.block_storage.volumes()):
            if time.monotonic() > deadline:
                raise Refusal(", ".join(f"{volume.name} is {volume.status}" for volume in volumes))
            for volume in volumes:
                # One that is on its way from one state to another would be refused.
                if volume.status in ("available", "error", "error_deleting"):
                    self._cloud.block_storage.delete_volume(volume.id)
            time.sleep(0.5)


class Messages(Kept):
    """Persistent messages in a durable queue, each confirmed by the broker."""

    kind = "messages"
    target = "a message put into rabbitmq"
    # Each is a new process, which the lab's processors have to do beside the lab itself.
    pause = 2.0

    def __init__(self, container: str, file: str) -> None:
        """Take a container that has a login at the brokers, and the file of its that has it."""
        super().__init__()
        self._container, self._file = container, file

    def _prepare(self) -> None:
        self._ask("declare")
        time.sleep(DECLARED_SECONDS)

    def _make(self, name: str) -> str:
        self._ask("publish", name)
        return name

    def _there(self, wanted: Sequence[str]) -> Collection[str]:
        return set(self._ask("read").split())

    def _remove(self) -> None:
        self._ask("remove")

    def _ask(self, action: str, *words: str) -> str:
        command = ["python3", "-", self._file, action, NAME, *words]
        return _execute(self._container, command, stdin=SCRIPT.read_text(encoding="utf-8"))


class Rows(Kept):
    """Rows of a table in Galera, each written through the VIP by a connection of its own."""

    kind = "rows"
    target = "a row written in galera"
    pause = 2.0

    def __init__(self, container: str, url: str) -> None:
        """Take a member that has a client, and where the database is at the VIP."""
        super().__init__()
        self._container, place = container, urlsplit(url)
        self._password = secrets.token_hex(16)
        self._login = (
            f"[client]\nhost={place.hostname}\nport={place.port}\nuser={DATABASE}\npassword={self._password}\n"
            "connect-timeout=5\nskip-ssl\n"
        )

    def _prepare(self) -> None:
        self._as_root(
            f"CREATE DATABASE {DATABASE}",
            f"CREATE TABLE {DATABASE}.kept (name VARCHAR(64) PRIMARY KEY) ENGINE=InnoDB",
            f"CREATE USER '{DATABASE}'@'%' IDENTIFIED BY '{self._password}'",
            f"GRANT ALL ON {DATABASE}.* TO '{DATABASE}'@'%'",
        )

    def _make(self, name: str) -> str:
        self._at_vip(f"INSERT INTO kept VALUES ('{name}')")
        return name

    def _there(self, wanted: Sequence[str]) -> Collection[str]:
        return set(self._at_vip("SET SESSION wsrep_sync_wait=1; SELECT name FROM kept").split())

    def _remove(self) -> None:
        self._as_root(f"DROP DATABASE IF EXISTS {DATABASE}", f"DROP USER IF EXISTS '{DATABASE}'@'%'")

    def _as_root(self, *statements: str) -> None:
        _execute(self._container, ["mariadb", "--batch"], stdin=";\n".join(statements))

    def _at_vip(self, statement: str) -> str:
        # The password comes by standard input, as arguments are everybody's to read.
        command = ["mariadb", "--defaults-extra-file=/dev/stdin", "--batch", "--skip-column-names", DATABASE]
        return _execute(self._container, [*command, f"--execute={statement}"], stdin=self._login)


def kinds(outputs: Mapping[str, Any], here: Mapping[str, str], victim: str = "") -> list[Kept]:
    """Return what a lab keeps, of all that its roles can.

    Args:
        outputs: the outputs of the stack's last ``up``.
        here: the role of each container of this machine.
        victim: the container that is to be lost, from which nothing is asked where another can do it.
    """
    found: list[Kept] = []
    used = {str(each["role"]) for each in outputs["services"].values()}
    roles = [role for name, role in services.ROLES.items() if name in used]
    keeping = {role.keeps: role for role in roles if role.keeps}
    if openrc := outputs.get("openrc"):
        of_cloud: tuple[type[OfCloud], ...] = (Users, Images)
        found += [kind(openrc) for kind in of_cloud if kind.kind in keeping]
        if role := keeping.get(Volumes.kind):
            found.append(Volumes(openrc, _one_of([role.name], here, victim), role.logins))
    if Messages.kind in keeping and (sender := _one_of(SENDERS, here, victim)):
        found.append(Messages(sender, SENDERS[here[sender]]))
    if (role := keeping.get(Rows.kind)) and any(each.holds_vip for each in roles):
        url = outputs["endpoints"].get(role.frontends[0].name, "")
        if url and (member := _one_of([role.name], here, victim)):
            found.append(Rows(member, url))
    return found


def remove(kept: Iterable[Kept]) -> dict[str, str]:
    """Remove all that was made; return what could not be, and why, by kind.

    It goes on for a while: what an interrupted drill leaves, not all of the lab answers yet.
    """
    deadline = time.monotonic() + REMOVAL_SECONDS
    left = {each: each.kind for each in kept}
    while True:
        left = {each: why for each in left if (why := each.remove())}
        if not left or time.monotonic() > deadline:
            return {each.kind: why for each, why in left.items()}
        time.sleep(1)


def _one_of(roles: Iterable[str], here: Mapping[str, str], victim: str) -> str:
    """Return a container of the first of some roles that has one, preferably not the one to be lost; empty for none."""
    members = [name for role in roles for name in here if here[name] == role]
    return next((name for name in members if name != victim), members[0] if members else "")


def _execute(container: str, command: list[str], *, stdin: str) -> str:
    """Run a command in a container; return what it prints, or raise why it fails."""
    # Without `timeout`, the command would outlive the request and go on inside.
    ended = docker_api.execute(
        container, ["timeout", str(ANSWER_SECONDS), *command], stdin=stdin, timeout=ANSWER_SECONDS + 5.0
    )
    if ended.status:
        said = ended.stderr.strip().splitlines()
        raise Refusal(said[-1] if said else f"no answer within {ANSWER_SECONDS} s")
    return ended.stdout


def _named(listed: Iterable[Any]) -> list[Any]:
    return [each for each in listed if str(each.name).startswith(NAME)]


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sentence(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:80]
