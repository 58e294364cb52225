"""What a lab keeps over a drill: made, acknowledged, found again or not, and always removed."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from openstack.exceptions import NotFoundException, SDKException

from commands import kept, volume_bytes
from commands.kept import Images, Kept, Messages, Rows, Users, Volumes
from hostside import docker_api
from hostside.docker_api import Ended

SERVICES = {
    "galera1": {"role": "galera"}, "galera2": {"role": "galera"}, "haproxy1": {"role": "haproxy"},
    "rabbitmq1": {"role": "rabbitmq"}, "keystone1": {"role": "keystone"}, "glance1": {"role": "glance"},
    "cinder1": {"role": "cinder"},
}  # fmt: skip
HERE = {name: each["role"] for name, each in SERVICES.items()}
ENDPOINTS = {"galera": "tcp://vip.lab.test:3306"}


class Cloud:
    """Users, images and volumes in memory, with one of each that isn't a drill's."""

    def __init__(self) -> None:
        self.made: dict[str, SimpleNamespace] = {}
        self.identity = self.image = self.block_storage = self
        self.away = False
        for name in ("dockstack", "drill"):
            self._put(name, status="available")

    def _put(self, name: str, **what: Any) -> SimpleNamespace:
        if self.away:
            raise SDKException("Unable to establish connection\nat length")
        made = SimpleNamespace(id=f"id-{name}", name=name, **what)
        self.made[made.id] = made
        return made

    def create_user(self, name: str) -> SimpleNamespace:
        return self._put(name)

    def create_image(self, name: str, *, data: bytes, **_: Any) -> SimpleNamespace:
        return self._put(name, status="active", content=data)

    def create_volume(self, name: str, size: int) -> SimpleNamespace:
        return self._put(name, status="available", size=size)

    def wait_for_status(self, volume: SimpleNamespace, *, status: str, **_: Any) -> None:
        if volume.status != status:
            raise SDKException(f"{volume.name} is {volume.status}")

    def _all(self) -> list[SimpleNamespace]:
        if self.away:
            raise SDKException("Unable to establish connection\nat length")
        return list(self.made.values())

    users = images = volumes = _all

    def get_image(self, name: str) -> SimpleNamespace:
        return self.made[name]

    def download_image(self, name: str) -> SimpleNamespace:
        if name not in self.made:
            raise NotFoundException("no image")
        return self.made[name]

    def _delete(self, name: str) -> None:
        del self.made[name]

    delete_user = delete_image = delete_volume = _delete

    def ours(self) -> list[str]:
        return [each for each in self.made if each.startswith(f"id-{kept.NAME}-")]


@pytest.fixture
def openrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("SOUGHT_SECONDS", "REMOVAL_SECONDS", "DECLARED_SECONDS"):
        monkeypatch.setattr(kept, name, 0)
    monkeypatch.setattr(kept, "ANSWER_SECONDS", 1)
    file = tmp_path / "openrc"
    names = ("AUTH_URL", "USERNAME", "PASSWORD", "USER_DOMAIN_NAME", "PROJECT_NAME", "PROJECT_DOMAIN_NAME")
    file.write_text("".join(f"export OS_{name}=x\n" for name in names))
    return str(file)


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture(params=[Users, Images, Volumes])
def of_cloud(request: pytest.FixtureRequest, openrc: str, cloud: Cloud) -> Kept:
    made: Any = request.param(openrc)
    made._cloud = cloud
    return made  # type: ignore[no-any-return]


def test_what_the_apis_have_made_is_looked_for_and_removed(of_cloud: Kept, cloud: Cloud) -> None:
    assert of_cloud.begin() == of_cloud.add() == ""
    assert len(cloud.ours()) == kept.BEFORE + 1
    assert str(of_cloud.find()) == f"0 of {kept.BEFORE + 1} {of_cloud.kind}"
    lost = cloud.ours()[0]
    del cloud.made[lost]
    found = of_cloud.find()
    assert (found.acknowledged, found.lost, found.why) == (kept.BEFORE + 1, 1, lost)
    assert of_cloud.remove() == ""
    assert list(cloud.made) == ["id-dockstack", "id-drill"]


def test_what_a_drill_that_was_killed_has_left_is_removed_by_the_next(of_cloud: Kept, cloud: Cloud) -> None:
    cloud._put(f"{kept.NAME}-0-1234", status="error")
    assert of_cloud.begin() == ""
    assert f"id-{kept.NAME}-0-1234" not in cloud.made


def test_what_was_not_acknowledged_is_not_missed_and_what_cannot_be_looked_for_is(of_cloud: Kept, cloud: Cloud) -> None:
    assert of_cloud.begin() == ""
    cloud.away = True
    assert of_cloud.add() == "Unable to establish connection"
    if not isinstance(of_cloud, Images):
        assert of_cloud.find().why == "they can't be looked for: Unable to establish connection"
    assert of_cloud.remove() == "Unable to establish connection"
    cloud.away = False
    # Whoever was still making one makes it no more.
    assert of_cloud.add() == ""
    assert len(cloud.ours()) == kept.BEFORE
    assert kept.remove([of_cloud]) == {}
    assert cloud.ours() == []


def test_an_image_is_lost_when_its_bytes_are_others(openrc: str, cloud: Cloud) -> None:
    images: Any = Images(openrc)
    images._cloud = cloud
    assert images.begin() == ""
    cloud.made[cloud.ours()[1]].content = b"others"
    assert (images.find().lost, images.find().why) == (1, cloud.ours()[1])


def test_a_volume_in_ceph_is_lost_when_its_bytes_are_others(
    openrc: str, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: dict[str, str] = {}

    def execute(container: str, command: Sequence[str], *, stdin: str, timeout: float) -> Ended:
        assert container == "cinder1" and "rbd.Image" in stdin
        match command[5:]:
            case ["write", volume, text]:
                written[volume] = text
                return Ended(0, "written\n", "")
            case ["read", volume]:
                return Ended(0, f"{written[volume]}\n", "")
        raise AssertionError(command)

    monkeypatch.setattr(docker_api, "execute", execute)
    volumes: Any = Volumes(openrc, "cinder1", "/etc/cinder/cinder.conf")
    volumes._cloud = cloud
    assert volumes.begin() == ""
    assert sorted(written) == sorted(cloud.ours())
    assert volumes.find().lost == 0
    written[cloud.ours()[1]] = ""
    assert (volumes.find().lost, volumes.find().why) == (1, cloud.ours()[1])
    # Where volumes are elsewhere, nothing is written, and they are there as long as Cinder says so.
    monkeypatch.setattr(docker_api, "execute", lambda *_, **__: Ended(0, "", ""))
    others: Any = Volumes(openrc, "cinder1", "/etc/cinder/cinder.conf")
    others._cloud = cloud
    assert others.begin() == ""
    assert others.find().lost == 0


class Ceph:
    """Ceph's two libraries, with one image."""

    def __init__(self, *_: Any, **how: Any) -> None:
        self.login = how.get("name")

    def __enter__(self) -> Ceph:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def open_ioctx(self, pool: str) -> Ceph:
        assert (self.login, pool) == ("client.cinder", "volumes")
        return self

    def write(self, data: bytes, _offset: int) -> None:
        QUEUE.append(data)

    def flush(self) -> None:
        assert QUEUE

    def read(self, _offset: int, count: int) -> bytes:
        return bytes(QUEUE[-1][:count])


def test_bytes_are_written_past_cinder_where_volumes_are_in_ceph(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, thing in (("rados", "Rados"), ("rbd", "Image")):
        library: Any = ModuleType(name)
        setattr(library, thing, Ceph)
        monkeypatch.setitem(sys.modules, name, library)
    QUEUE.clear()
    file = tmp_path / "cinder.conf"
    told = "[rbd]\nrbd_user=cinder\nrbd_pool=volumes\nrbd_ceph_conf=/etc/ceph/ceph.conf\n"
    file.write_text("[DEFAULT]\nenabled_backends=nfs\n")
    volume_bytes.main(str(file), "write", "v", "text")
    assert (QUEUE, capsys.readouterr().out) == ([], "")
    file.write_text(f"[DEFAULT]\nenabled_backends=rbd\n{told}")
    volume_bytes.main(str(file), "write", "v", "text")
    volume_bytes.main(str(file), "read", "v")
    assert capsys.readouterr().out.split() == ["written", "text"]
    assert len(QUEUE[0]) == volume_bytes.BLOCK_BYTES


def test_a_volume_that_cannot_be_removed_yet_is_told(openrc: str, cloud: Cloud) -> None:
    volumes: Any = Volumes(openrc)
    volumes._cloud = cloud
    assert volumes.begin() == ""
    stuck = cloud.made[cloud.ours()[0]]
    stuck.status = "deleting"
    assert volumes.find().lost == 1
    assert kept.remove([volumes]) == {"volumes": f"{stuck.name} is deleting"}
    stuck.status = "error_deleting"
    assert kept.remove([volumes]) == {}


class Containers:
    """Containers that run our commands: a queue and a table, kept as they keep them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.commands: list[list[str]] = []
        self.given: list[str] = []
        self.there: set[str] = set()
        self.answers: Callable[[Sequence[str]], Ended] | None = None
        monkeypatch.setattr(docker_api, "execute", self.execute)

    def execute(self, container: str, command: Sequence[str], *, stdin: str, timeout: float) -> Ended:
        assert command[:2] == ["timeout", str(kept.ANSWER_SECONDS)] and timeout > kept.ANSWER_SECONDS
        self.commands.append([container, *command[2:]])
        self.given.append(stdin)
        if self.answers:
            return self.answers(command)
        match command[2:]:
            case ["python3", "-", _, "publish", _, name]:
                self.there.add(name)
            case ["python3", "-", _, "remove", _]:
                self.there.clear()
            case ["python3", "-", _, "read", _]:
                return Ended(0, "\n".join(sorted(self.there)), "")
            case [*_, statement] if statement.startswith("--execute=INSERT"):
                self.there.add(statement.split("'")[1])
            case [*_, statement] if statement.startswith("--execute=SET"):
                return Ended(0, "\n".join(sorted(self.there)), "")
            case ["mariadb", "--batch"] if stdin.startswith("DROP"):
                self.there.clear()
        return Ended(0, "", "")


@pytest.fixture
def containers(monkeypatch: pytest.MonkeyPatch, openrc: str) -> Iterator[Containers]:
    yield Containers(monkeypatch)


def _kinds() -> list[Kept]:
    return [Messages("cinder1", "/etc/cinder/cinder.conf"), Rows("galera2", ENDPOINTS["galera"])]


@pytest.mark.parametrize("number", [0, 1])
def test_what_containers_have_made_is_looked_for_and_removed(containers: Containers, number: int) -> None:
    made = _kinds()[number]
    assert made.begin() == made.add() == ""
    assert (made.find().acknowledged, made.find().lost) == (3, 0)
    lost = sorted(containers.there)[1]
    containers.there.remove(lost)
    assert (made.find().lost, made.find().why) == (1, lost)
    assert made.remove() == "" and containers.there == set()
    assert {command[0] for command in containers.commands} == {("cinder1", "galera2")[number]}


@pytest.mark.parametrize(
    ("ended", "why"),
    [
        (Ended(1, "", "Traceback\namqp.exceptions.NotFound: no queue"), "amqp.exceptions.NotFound: no queue"),
        (Ended(124, "", ""), "no answer within 1 s"),
    ],
)
def test_a_command_that_fails_says_why(containers: Containers, ended: Ended, why: str) -> None:
    containers.answers = lambda _command: ended
    for made in _kinds():
        assert made.begin() == made.add() == made.remove() == why


def test_a_container_that_does_not_run_is_no_surprise(containers: Containers, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any, **__: Any) -> Ended:
        raise docker_api.EngineError("running timeout in galera2: container is paused")

    monkeypatch.setattr(docker_api, "execute", refuses)
    assert _kinds()[1].add() == "running timeout in galera2: container is paused"


def test_the_rows_password_is_no_argument(containers: Containers) -> None:
    rows = Rows("galera2", ENDPOINTS["galera"])
    assert rows.begin() == ""
    assert "host=vip.lab.test\nport=3306\n" in rows._login
    assert any(rows._password in given for given in containers.given)
    assert rows._password not in str(containers.commands)


def test_a_lab_keeps_what_its_roles_can(openrc: str) -> None:
    outputs: dict[str, Any] = {"services": SERVICES, "endpoints": ENDPOINTS, "openrc": openrc}
    made = kept.kinds(outputs, HERE)
    assert [type(each) for each in made] == [Users, Images, Volumes, Messages, Rows]
    # Those that go on beside the loss are asked of other containers than the one that is lost, where there are some.
    *_, messages, rows = kept.kinds(outputs, HERE, "keystone1")
    assert (messages._container, messages._file) == ("cinder1", "/etc/cinder/cinder.conf")  # type: ignore[attr-defined]
    assert rows._container == "galera1"  # type: ignore[attr-defined]
    assert kept.kinds(outputs, HERE, "galera1")[-1]._container == "galera2"  # type: ignore[attr-defined]
    few = {name: SERVICES[name] for name in ("rabbitmq1", "galera1")}
    assert kept.kinds({"services": few, "endpoints": {}, "openrc": None}, {name: HERE[name] for name in few}) == []
    # What runs on another machine isn't asked from here.
    assert [each.kind for each in kept.kinds(outputs, {})] == ["users", "images", "volumes"]


class Broker:
    """The library's connection, to brokers of which some are away."""

    def __init__(self, place: str, user: str, password: str, *, virtual_host: str, **options: Any) -> None:
        self.login = (place, user, password, virtual_host)
        assert options["confirm_publish"]

    def connect(self) -> None:
        if self.login[0] in AWAY:
            raise OSError(f"{self.login[0]} refused")

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, *_: object) -> None:
        CALLS.append(("end",))

    def channel(self) -> Broker:
        CALLS.append(self.login)
        return self

    def queue_declare(self, queue: str, **how: Any) -> None:
        CALLS.append(("declare", queue, how))

    def basic_publish_confirm(self, message: bytes, *, routing_key: str, **_: Any) -> None:
        QUEUE.append(SimpleNamespace(body=message))

    def basic_get(self, _queue: str) -> Any:
        return QUEUE.pop(0) if QUEUE else None

    def queue_delete(self, queue: str) -> None:
        CALLS.append(("delete", queue))


AWAY: set[str] = set()
CALLS: list[tuple[Any, ...]] = []
QUEUE: list[Any] = []


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    library: Any = ModuleType("amqp")
    library.Connection, library.AMQPError = Broker, RuntimeError
    library.Message = lambda text, **_: text
    monkeypatch.setitem(sys.modules, "amqp", library)
    file = tmp_path / "service.conf"
    file.write_text(
        "[DEFAULT]\ntransport_url = rabbit://openstack:a%40b@rabbit1:5672,openstack:a%40b@rabbit2:5672/quorum\n"
    )
    loaded = importlib.import_module("commands.messages")
    for each in (AWAY, CALLS, QUEUE):
        each.clear()
    yield lambda *words: loaded.main(str(file), *words)
    sys.modules.pop("commands.messages")


def test_messages_go_to_the_first_broker_that_answers(
    script: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    script("declare", "q")
    kind = {"x-queue-type": "quorum"}
    assert CALLS[0] == ("rabbit1:5672", "openstack", "a@b", "quorum")
    assert CALLS[1] == ("declare", "q", {"durable": True, "auto_delete": False, "arguments": kind})
    CALLS.clear()
    AWAY.add("rabbit1:5672")
    script("publish", "q", "one")
    script("publish", "q", "two", "5")
    # A queue that was lost is not made again.
    assert CALLS[:2] == [("rabbit2:5672", "openstack", "a@b", "quorum"), ("declare", "q", {"passive": True})]
    script("read", "q")
    assert capsys.readouterr().out.split() == ["one", "two"]
    script("remove", "q")
    assert CALLS[-2:] == [("delete", "q"), ("end",)]
    AWAY.add("rabbit2:5672")
    with pytest.raises(OSError, match="rabbit2:5672 refused"):
        script("read", "q")


def test_a_single_broker_has_the_usual_queues(script: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "service.conf").write_text("[DEFAULT]\ntransport_url = rabbit://openstack:x@rabbit1:5672/\n")
    script("declare", "q")
    assert CALLS[0] == ("rabbit1:5672", "openstack", "x", "/")
    assert CALLS[1][2]["arguments"] == {}


def test_looking_ends_when_all_is_there(monkeypatch: pytest.MonkeyPatch, openrc: str, cloud: Cloud) -> None:
    """What comes back a little later is not lost."""
    users: Any = Users(openrc)
    users._cloud = cloud
    assert users.begin() == ""
    late = cloud.made.pop(cloud.ours()[0])
    monkeypatch.setattr(kept, "SOUGHT_SECONDS", 60)
    monkeypatch.setattr(time, "sleep", lambda _seconds: cloud.made.update({late.id: late}))
    assert users.find().lost == 0
