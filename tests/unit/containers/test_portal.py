"""The portal: what it makes of what the keepers tell, its sessions, its packages, and how people hear of it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import tarfile
import urllib.request
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from commands import page
from components import paths, services
from components.configuration.environment import load as load_environment
from components.services import portal
from components.services.topology import Topology
from components.stages import volumes
from tests.unit.graph_recorder import FACTS, Graph, Secret, config, record_lab

IMAGE = paths.DOCKERFILES / "portal"
KEY = "signs-the-cookies"


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load a module of the image, which has libraries that the tests have no use for."""
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    monkeypatch.setitem(sys.modules, "aiohttp", ModuleType("aiohttp"))
    loader = SourceFileLoader(name.removesuffix(".py").replace("-", "_"), str(IMAGE / name))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture
def keepers(monkeypatch: pytest.MonkeyPatch) -> Any:
    return load("portal_keepers.py", monkeypatch)


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> Any:
    return load("portal_login.py", monkeypatch)


def test_a_stream_is_cut_into_messages_wherever_it_is_broken(keepers: Any) -> None:
    stream = 'event: a\ndata: {"x": "1: 2"}\n\n:\n\nevent: b\ndata: 2\n\n'
    for cut in range(len(stream)):
        first, rest = keepers.messages(stream[:cut])
        second, rest = keepers.messages(rest + stream[cut:])
        assert (first + second, rest) == ([("a", {"x": "1: 2"}), ("b", 2)], "")


def test_what_keepers_tell_is_brought_together(keepers: Any) -> None:
    made = keepers.Picture(["one", "two"])
    assert list(keepers.everything(made)) == [("silent", {"host": "one"}), ("silent", {"host": "two"})]
    state = {"containers": [{"name": "web1", "level": "works"}], "bridges": [], "resources": [], "events": []}
    assert made.take("one", "state", state)[0] == "host"
    assert made.take("one", "container", {"name": "web1", "level": "broken"}) == (
        "container", {"host": "one", "told": {"name": "web1", "level": "broken"}},
    )  # fmt: skip
    made.take("one", "event", {"text": "ended"})
    (what, told), _ = keepers.everything(made)
    assert (what, told["host"], told["silent"]) == ("host", "one", False)
    assert told["containers"] == {"web1": {"name": "web1", "level": "broken"}}
    assert told["events"] == [{"text": "ended"}]
    made.take("one", "gone", {"name": "web1"})
    assert made.hosts["one"]["containers"] == {}
    assert made.take("one", "of another version", {}) is None


def test_a_host_that_is_silent_has_a_past_and_no_present(keepers: Any) -> None:
    made = keepers.Picture(["one"])
    assert made.lose("one") is None
    state = {"containers": [{"name": "web1"}], "bridges": [], "resources": [], "events": [{"text": "started"}]}
    made.take("one", "state", state)
    assert made.lose("one") == ("silent", {"host": "one"})
    assert (made.hosts["one"]["containers"], made.hosts["one"]["events"]) == ({}, [{"text": "started"}])


def test_a_session_lasts_as_long_as_it_says_and_is_only_taken_as_signed(login: Any) -> None:
    text = login.signed(KEY, "some.body", 1000)
    assert login.session(KEY, text, 999) == ("some.body", 1000)
    assert login.session(KEY, text, 1000) is None
    assert login.session("another key", text, 0) is None
    later = base64.urlsafe_b64encode(json.dumps(["some.body", 9999]).encode()).decode()
    assert login.session(KEY, f"{later}.{text.partition('.')[2]}", 0) is None
    for broken in ("", ".", "x", text[:-1], "ä.ö", f"!.{login._signature(KEY, '!')}"):
        assert login.session(KEY, broken, 0) is None, broken


def test_a_password_is_compared_whole(login: Any) -> None:
    assert login.is_password("secret", "secret")
    assert not any(login.is_password(given, "secret") for given in ("", "secre", "secrets", "Secret", "\udcff"))


def packed(**files: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def test_a_package_that_is_not_what_the_lock_names_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect = load("collect-packages", monkeypatch)
    right, asked = packed(**{"draw.js": "draws"}), []

    class Opener:
        def open(self, url: str, timeout: float) -> io.BytesIO:
            asked.append(url)
            if len(asked) == 1:
                raise OSError("the connection was closed")
            return io.BytesIO(right)

    monkeypatch.setattr(urllib.request, "build_opener", lambda *_: Opener())
    digest = base64.b64encode(hashlib.sha512(right).digest()).decode()
    lock = tmp_path / "lock"
    told = {"version": "1.2.3", "integrity": f"sha512-{digest}"}
    lock.write_text(json.dumps({"packages": {"": {}, "node_modules/@of/drawing": told}}))
    collect.main(lock, tmp_path / "got", ["@of/drawing/draw.js"])
    assert (tmp_path / "got/draw.js").read_text() == "draws"
    assert asked == 2 * ["https://registry.npmjs.org/@of/drawing/-/drawing-1.2.3.tgz"]
    right = packed(**{"draw.js": "something else"})
    with pytest.raises(SystemExit, match="isn't what the lock names"):
        collect.main(lock, tmp_path / "other", ["@of/drawing/draw.js"])


def test_each_package_of_the_page_is_locked_to_a_version_and_a_digest() -> None:
    wanted = json.loads((IMAGE / "package.json").read_text())["dependencies"]
    locked = json.loads((IMAGE / "package-lock.json").read_text())["packages"]
    for name, version in wanted.items():
        assert locked[f"node_modules/{name}"]["version"] == version
        assert locked[f"node_modules/{name}"]["integrity"].startswith("sha512-")


def test_the_page_takes_nothing_from_elsewhere() -> None:
    text = "".join(path.read_text() for path in (IMAGE / "page").iterdir()).replace("http://www.w3.org/2000/svg", "")
    assert "http://" not in text and "https://" not in text
    assert "innerHTML" not in text and "style=" not in text


def test_the_page_knows_the_whole_lab_before_anything_runs() -> None:
    environment, _ = load_environment(config(), stack="lab", roles=FACTS, base_dir=paths.PROJECT)
    picture: Any = portal.picture(Topology(environment, services.for_lab(environment)))
    names = [name for box in picture["boxes"] for name, _ in box["containers"]]
    assert sorted(names) == sorted(config()["containers"])
    assert picture["endpoints"]["portal1"] == ["http://vip.dockstack.lab:8400/"]
    assert picture["endpoints"]["memcached1"] == ["memcached://10.87.0.45:11211"]
    keys = {box["key"] for box in picture["boxes"]}
    assert picture["needs"] and all(one in keys and other in keys for one, other, _ in picture["needs"])


def test_each_host_has_a_keeper_that_is_asked_at_its_own_address() -> None:
    several = config()
    several["containerHosts"] = {"local": {}, "far": {"ssh": {"host": "192.0.2.20"}}}
    several["containerDefaults"]["host"] = "local"
    several["containers"]["memcached1"]["host"] = "far"
    environment, _ = load_environment(several, stack="lab", roles=FACTS, base_dir=paths.PROJECT)
    topology = Topology(environment, services.for_lab(environment))
    hiera = portal.ROLE.hiera(topology, topology.members("portal")[0])
    urls = {"local": "http://10.87.0.1:9105", "far": "http://10.87.0.254:9105"}
    assert hiera["profile::portal::keepers"] == urls
    for name, url in urls.items():
        rendered = volumes.render_shared(topology, services.KEEPER, environment.hosts[name])
        assert f'"{url.removeprefix("http://")}"' in rendered["supervisor/boot/keeper.conf"]["content"]


def test_keepers_know_the_token_by_its_digest_alone(lab: Graph) -> None:
    given = lab.one("local-watchers")
    assert isinstance(given.inputs["stdin"], Secret)
    wanted = hashlib.sha256(b"made-by-secret-portal_keeper").hexdigest()
    assert given.parameters()["files"] == {"portal": {"content": wanted, "mode": "600"}}
    assert given.parameters()["root"] == f"{paths.stack_directory('lab')}/watchers"
    assert "made-by-secret-portal_keeper" not in given.shown("stdin")


def test_the_generated_password_is_a_secret_output_of_labs_with_a_portal(lab: Graph) -> None:
    assert lab.one("secret-portal_login").secret_outputs == {"stdout"}
    without = config()
    del without["containers"]["portal1"]
    graph = record_lab(without)
    assert not [each for each in graph if "portal" in each.name or "watchers" in each.name]


def test_people_are_told_the_address_and_the_way_in() -> None:
    outputs = {"portal_url": "https://vip.lab:8400/", "openrc": None}
    told = page.told("mine", outputs)
    assert told[0] == "https://vip.lab:8400/"
    assert "pulumi stack output --stack mine --show-secrets portal_password" in told[1]
    told = page.told("mine", {**outputs, "openrc": "/somewhere/openrc"})
    assert "user admin" in told[1].lower() and "/somewhere/openrc" in told[1] and "--show-secrets" in told[2]


def test_a_lab_without_a_page_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(page, "outputs_of", lambda _stack: {"endpoints": {}})
    assert page.main("mine") == 1
    assert "role portal" in capsys.readouterr().err
