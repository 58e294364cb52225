"""OpenSDN's roles: where their programs come from, what these read, and what the config API is told of the lab."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from opensdn_standin import neutron, settings

from components import paths, services
from components.host import dockerfiles
from components.published import Published
from hostside import containers, docker_api, membership
from hostside import image as images
from hostside.errors import StepError
from hostside.process import CommandFailed
from tests.standins import images as standins
from tests.unit.graph_recorder import CONFIG, Graph, config, data_of, record_lab, with_tls
from tests.unit.scripts import load

ROLES = ("config", "analytics", "control", "webui")
DIRECTORIES = (*ROLES, "neutron-opensdn")
MIRROR = Published("mirror.example:5000/opensdn", "R25.1-2026-06-11")
MANIFESTS = paths.DOCKERVOLUMES / "puppet/code/environments/production/site-modules/profile/manifests"


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_an_image_says_which_published_images_its_stages_begin_with(directory: str) -> None:
    taken = dockerfiles.sources(directory, MIRROR)
    text = (paths.DOCKERFILES / directory / "Dockerfile").read_text()
    assert taken
    for argument, reference in taken.items():
        assert f"FROM ${{{argument}}} AS " in text
        assert reference.startswith("mirror.example:5000/opensdn/opensdn-") and reference.endswith(":R25.1-2026-06-11")
    assert len(re.findall(r"^FROM \$\{OPENSDN_", text, re.MULTILINE)) == len(taken)


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_another_registry_or_tag_is_another_image_and_nobody_elses(directory: str) -> None:
    tags = {dockerfiles.tag(directory, each) for each in (Published(), MIRROR, Published(tag=MIRROR.tag))}
    assert len(tags) == 3
    assert dockerfiles.tag("opensdn", MIRROR) == dockerfiles.tag("opensdn")
    assert dockerfiles.tag("keystone", MIRROR) == dockerfiles.tag("keystone")


def test_the_labs_images_are_made_from_the_registry_that_it_names() -> None:
    graph = record_lab(config(opensdn={"registry": MIRROR.registry, "tag": MIRROR.tag}))
    given = graph.the("image-build", tag=dockerfiles.tag("control", MIRROR)).parameters()
    assert given["sources"] == dict(dockerfiles.sources("control", MIRROR))


def test_there_is_a_stand_in_for_each_published_image_and_for_no_other() -> None:
    assert standins.given() == standins.names()


class Engine:
    """A Docker client that has some images and can pull none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *there: str) -> None:
        self.ran: list[list[str]] = []
        self._there = there
        monkeypatch.setattr(images, "succeeds", lambda command, **_: command[-1] in self._there)
        monkeypatch.setattr(images, "run", self._run)
        monkeypatch.setattr(
            images, "_build", lambda tag, _files, given: self.ran.append([tag, *map("=".join, given.items())])
        )

    def _run(self, command: list[str], **_: object) -> str:
        self.ran.append(command)
        if command[1] == "pull":
            raise CommandFailed("no such host")
        return "sha256:1"


def test_a_build_is_given_the_images_that_the_engine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(monkeypatch, "debian:x", "r/a:1")
    images.build("dockstack/config:1", "debian:x", {}, (), {"OPENSDN_API": "r/a:1"})
    assert engine.ran[0] == ["dockstack/config:1", "PARENT=debian:x", "OPENSDN_API=r/a:1"]


def test_an_image_that_no_registry_gives_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Engine(monkeypatch, "debian:x")
    with pytest.raises(StepError, match=r"r/a:1.*no such host"):
        images.build("dockstack/config:1", "debian:x", {}, (), {"OPENSDN_API": "r/a:1"})


def known() -> dict[str, set[str]]:
    """Return the settings that the profiles may write, by program, read from the manifest as Puppet reads it."""
    text = (MANIFESTS / "config/settings.pp").read_text()
    lists = {
        name: re.findall(r"'(\w+)'", body) for name, body in re.findall(r"^  \$(\w+) = \[(.*?)\]\n", text, re.M | re.S)
    }
    found: dict[str, set[str]] = {}
    table = text[text.index("$known = {") : text.index("}[$program]")]
    for program, body in re.findall(r"^    '([\w-]+)'\s+=> \{\n(.*?)^    \},", table, re.MULTILINE | re.DOTALL):
        found[program] = set()
        for section, keys in re.findall(r"^      '(\w+)'\s+=> (.*?),?\n(?=      '|\Z)", body, re.MULTILINE | re.DOTALL):
            names = re.findall(r"'(\w+)'", keys) + [
                name for each in re.findall(r"\$(\w+)", keys) for name in lists[each]
            ]
            found[program] |= {f"{section}.{name}" for name in names}
    return found


def test_the_profiles_may_set_only_what_a_program_that_ends_at_anything_else_knows() -> None:
    written = known()
    assert {"contrail-control", "contrail-dns", "contrail-query-engine"} == set(settings.KNOWN)
    for program, keys in settings.KNOWN.items():
        assert written[program] and not written[program] - keys
    assert "DEFAULT.rndc_secret" in written["contrail-dns"] and "CONFIGDB.rabbitmq_vhost" in written["contrail-control"]


def test_every_program_with_settings_of_its_own_is_one_that_is_run() -> None:
    run = {path.stem for role in ROLES for path in (paths.DOCKERVOLUMES / role / "supervisor/available").iterdir()}
    assert set(known()) - {"keystone", "neutron-plugin", "vnc_api_lib"} <= run


def entries(graph: Graph) -> dict[str, dict[str, Any]]:
    return {
        r.name: r.parameters() for r in graph.operations("member-join") if r.parameters()["join"][:1] == [REGISTRATION]
    }


REGISTRATION = "/etc/dockstack/bin/registration"


def test_the_config_api_is_told_of_every_container_of_opensdn(lab: Graph) -> None:
    assert set(entries(lab)) == {
        "config1-config-node", "config1-fabric", "cassandra1-config-database-node", "cassandra1-database-node",
        "analytics1-analytics-node", "control1-bgp-router",
    }  # fmt: skip
    for given in entries(lab).values():
        assert (given["other"], given["stops"]) == ("config1", False)
        assert [given[each][:2] for each in ("join", "joined", "leave")] == [
            [REGISTRATION, command] for command in ("join", "joined", "leave")
        ]


def test_an_entry_waits_for_the_api_and_for_nothing_of_its_container_but_the_address(lab: Graph) -> None:
    entry = lab.one("cassandra1-config-database-node")
    assert {"cassandra1-port", "config1-health"} <= lab.direct(entry)
    assert not any(lab.comes_before(entry, r) for r in lab if r.name.endswith(("-health", "-provisioning")))


def test_nobody_is_told_of_a_cassandra_without_a_config_api() -> None:
    alone = config()
    for name in ("config1", "analytics1", "control1", "webui1"):
        del alone["containers"][name]
    assert not entries(record_lab(alone))


def test_the_autonomous_system_and_novas_metadata_are_those_of_the_lab(lab: Graph) -> None:
    encapsulations, nova = "MPLSoUDP,MPLSoGRE,VXLAN", f"{CONFIG['containers']['nova1']['address']}:8775"
    assert entries(lab)["config1-fabric"]["join"][3:] == ["64512", encapsulations, nova]
    other = entries(record_lab(config(common=CONFIG["common"] | {"sdn": {"asn": 65001}})))
    assert other["control1-bgp-router"]["joined"][3:] == ["65001"]
    assert other["config1-fabric"]["leave"][3:] == ["65001", encapsulations, nova]


def test_opensdn_has_a_user_of_its_own_at_the_broker_where_it_is(lab: Graph) -> None:
    without = config()
    for name in ("config1", "analytics1", "control1", "webui1"):
        del without["containers"][name]
    users = [data_of(each.one("rabbitmq1-registration"), "secrets") for each in (lab, record_lab(without))]
    assert [sorted(each["profile::rabbitmq::user_passwords"]) for each in users] == [
        ["opensdn", "openstack"],
        ["openstack"],
    ]


def frontends(graph: Graph) -> Mapping[str, Any]:
    found: Mapping[str, Any] = data_of(graph.one("haproxy1-registration"))["profile::haproxy::frontends"]
    return found


def test_the_web_consoles_tls_is_handed_on_where_the_vip_has_none_and_ended_where_it_has(lab: Graph) -> None:
    assert frontends(lab)["webui"]["mode"] == "tcp" and frontends(lab)["webui"]["servers_speak_tls"] is True
    assert frontends(record_lab(with_tls()))["webui"]["mode"] == "http"
    assert "servers_speak_tls" not in frontends(lab)["config-api"]


def test_the_web_console_is_asked_by_tls_and_for_its_page(lab: Graph) -> None:
    own, at_vip = (c for c in lab.one("webui1-health").parameters()["checks"] if c["kind"] == "http")
    assert own == {
        "kind": "http", "url": "https://10.87.0.59:8143/", "status": [200], "unchecked": True,
        "contains": 'content="OpenSDN Web Console"',
    }  # fmt: skip
    assert at_vip["url"] == "https://10.87.0.250:8143/" and at_vip["unchecked"] is True
    _, with_authority = (c for c in record_lab(with_tls()).one("webui1-health").parameters()["checks"])
    assert with_authority["authority"] and "unchecked" not in with_authority


def test_every_program_with_introspection_counts_as_working_only_with_all_its_connections(lab: Graph) -> None:
    ports = {"config1": {8084, 8087, 8088}, "analytics1": {8089, 8090, 8091, 5995}, "control1": {8083, 8092}}
    for name, wanted in ports.items():
        checks = lab.one(f"{name}-health").parameters()["checks"]
        asked = {c["url"]: c["contains"] for c in checks if "NodeStatus" in c.get("url", "")}
        address = CONFIG["containers"][name]["address"]
        assert asked == {
            f"http://{address}:{port}/Snh_SandeshUVECacheReq?x=NodeStatus": ">Functional<" for port in wanted
        }


def test_what_opensdn_cant_read_is_no_password_of_its_services() -> None:
    readers = {name: each for role in services.facts().values() for name, each in role.readers.items()}
    for name in ("opensdn_identity", "rabbitmq_opensdn", "analytics_redis", "webui_redis", "control_rndc"):
        assert any(reader.complaints("a#b") for reader in readers[name]), name
        assert not any(reader.complaints("a1B2") for reader in readers[name])


@pytest.mark.parametrize("stops", [True, False])
def test_an_entry_goes_without_an_end_of_its_containers_programs(monkeypatch: pytest.MonkeyPatch, stops: bool) -> None:
    stopped: list[str] = []
    monkeypatch.setattr(docker_api, "inspect", lambda _: {"State": {"Running": True}})
    monkeypatch.setattr(docker_api, "stop", lambda name, _seconds: stopped.append(name))
    monkeypatch.setattr(containers, "execute", lambda *_arguments, **_options: "")
    membership.leave("c1", "c1.lab", ["config1"], ["leave"], stops=stops)
    assert stopped == (["c1"] if stops else [])


class Api:
    """The config API as the registration sees it: objects by type, kept as they are given."""

    def __init__(self, registration: Any) -> None:
        self._refused = registration.Refused
        self.kept: dict[str, dict[str, dict[str, Any]]] = {}
        self.changes = 0
        for kind, name in (
            ("global-system-config", registration.SYSTEM),
            ("global-vrouter-config", registration.VROUTER),
        ):
            self._add(kind, {"fq_name": name})

    def _add(self, kind: str, given: dict[str, Any]) -> dict[str, Any]:
        made = {**given, "uuid": str(uuid.uuid4())}
        self.kept.setdefault(kind, {})[made["uuid"]] = made
        return made

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        self.changes += method in ("PUT", "DELETE") or (method == "POST" and path != "/fqname-to-id")
        match method, path.strip("/").split("/"):
            case "POST", ["fqname-to-id"]:
                found = [i for i, each in self.kept.get(body["type"], {}).items() if each["fq_name"] == body["fq_name"]]
                if not found:
                    raise self._refused(404, "")
                return {"uuid": found[0]}
            case "POST", ["ref-update"]:
                system = self.kept[body["type"]][body["uuid"]]
                others = [each for each in system.get("bgp_router_refs", []) if each["uuid"] != body["ref-uuid"]]
                added = [{"to": body["ref-fq-name"], "uuid": body["ref-uuid"]}] if body["operation"] == "ADD" else []
                system["bgp_router_refs"] = others + added
            case "POST", [plural]:
                kind = plural[:-1]
                return {kind: self._add(kind, body[kind])}
            case "GET", [kind, identifier]:
                return {kind: json.loads(json.dumps(self.kept[kind][identifier]))}
            case "PUT", [kind, identifier]:
                self.kept[kind][identifier] |= body[kind]
            case "DELETE", [kind, identifier]:
                del self.kept[kind][identifier]
        return {}

    def one(self, kind: str) -> dict[str, Any]:
        (found,) = self.kept[kind].values()
        return found


@pytest.fixture
def registration(monkeypatch: pytest.MonkeyPatch) -> Any:
    return load("config/bin/registration", monkeypatch)


@pytest.fixture
def api(registration: Any) -> Any:
    made = Api(registration)
    real = registration.Api.__new__(registration.Api)
    real.ask, real.kept, real.one, real.told = made.ask, made.kept, made.one, made
    return real


KINDS = {
    "config-node": (), "config-database-node": (), "analytics-node": (), "database-node": (), "bgp-router": ("64512",),
    "fabric": ("64512", "MPLSoUDP,VXLAN", "10.0.0.9:8775"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_registered_is_there_once_and_leaves_nothing(registration: Any, api: Any, kind: str) -> None:
    item = registration.entry(kind, KINDS[kind], "c1.lab")
    before = json.loads(json.dumps(api.kept))
    assert item.absence(api, "10.0.0.1")
    item.join(api, "10.0.0.1")
    assert item.absence(api, "10.0.0.1") == ""
    changes = api.told.changes
    item.join(api, "10.0.0.1")
    # A router's reference is added again, which the API takes for the same.
    assert api.told.changes - changes == (kind == "bgp-router")
    item.leave(api)
    if kind != "fabric":
        assert {k: v for k, v in api.kept.items() if v}.keys() == before.keys()
        assert not api.one("global-system-config").get("bgp_router_refs")
    else:
        assert api.one("global-vrouter-config")["linklocal_services"] == {"linklocal_service_entry": []}
    item.leave(api)
    item.join(api, "10.0.0.1")
    assert item.absence(api, "10.0.0.1") == ""


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "fabric"])
def test_another_address_is_told_and_taken_over(registration: Any, api: Any, kind: str) -> None:
    item = registration.entry(kind, KINDS[kind], "c1.lab")
    item.join(api, "10.0.0.1")
    assert "10.0.0.1" in item.absence(api, "10.0.0.2")
    item.join(api, "10.0.0.2")
    assert item.absence(api, "10.0.0.2") == ""
    assert "10.0.0.1" not in json.dumps(api.one(kind))


def test_another_autonomous_system_is_told_and_taken_over(registration: Any, api: Any) -> None:
    for number in ("64512", "65001"):
        router, fabric = (registration.entry(k, (number, *KINDS[k][1:]), "c1.lab") for k in ("bgp-router", "fabric"))
        for item in (router, fabric):
            assert item.absence(api, "10.0.0.1")
            item.join(api, "10.0.0.1")
            assert item.absence(api, "10.0.0.1") == ""
    assert api.one("global-system-config")["autonomous_system"] == 65001


def test_services_that_others_have_added_stay(registration: Any, api: Any) -> None:
    theirs = {"linklocal_service_name": "ntp", "linklocal_service_ip": "169.254.1.1"}
    api.one("global-vrouter-config")["linklocal_services"] = {"linklocal_service_entry": [theirs]}
    item = registration.entry("fabric", KINDS["fabric"], "c1.lab")
    item.join(api, "")
    names = [each["linklocal_service_name"] for each in registration.entries(api.one("global-vrouter-config"))]
    assert names == ["ntp", "metadata"]
    item.leave(api)
    assert registration.entries(api.one("global-vrouter-config")) == [theirs]


def test_two_nodes_of_a_kind_are_two_objects(registration: Any, api: Any) -> None:
    items = [registration.entry("database-node", (), f"c{number}.lab") for number in (1, 2)]
    for number, item in enumerate(items):
        item.join(api, f"10.0.0.{number}")
    items[0].leave(api)
    assert items[0].absence(api, "10.0.0.0") and not items[1].absence(api, "10.0.0.1")


@pytest.mark.parametrize(("kind", "values"), [("config-node", ["1"]), ("bgp-router", []), ("nothing", [])])
def test_what_there_is_no_entry_for_is_refused(registration: Any, kind: str, values: list[str]) -> None:
    with pytest.raises((TypeError, ValueError)):
        registration.entry(kind, values, "c1.lab")


class Kept:
    """The config API's objects, in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, dict[str, Any]]] = {}

    def all(self, kind: str) -> list[dict[str, Any]]:
        return list(self.kept.get(kind, {}).values())

    def named(self, kind: str, name: list[str]) -> dict[str, Any] | None:
        return next((each for each in self.all(kind) if each["fq_name"] == name), None)

    def add(self, kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
        self.kept.setdefault(kind, {})[given["uuid"]] = json.loads(json.dumps(given))
        return self.kept[kind][given["uuid"]]

    def change(self, kind: str, identifier: str, given: Mapping[str, Any]) -> dict[str, Any]:
        self.kept[kind][identifier] |= given
        return self.kept[kind][identifier]

    def remove(self, kind: str, identifier: str) -> None:
        del self.kept[kind][identifier]


class TestStandInOfNeutrons:
    """What Neutron has the config API make is there for whoever asks the config API itself."""

    OWN, OTHERS = "1" * 32, "2" * 32

    def ask(self, api: neutron.Neutron, operation: str, kind: str, tenant: str = OWN, **data: Any) -> Any:
        context = {"operation": operation, "tenant_id": tenant, "is_admin": False}
        return api.answer(kind, {"context": context, "data": data})

    def test_a_network_is_a_virtual_network_until_it_is_deleted(self) -> None:
        kept = Kept()
        api = neutron.Neutron(kept, lambda tenant: f"project-{tenant[0]}")
        made = self.ask(api, "CREATE", "network", resource={"name": "blue", "tenant_id": self.OWN})
        (found,) = kept.all("virtual-network")
        assert (found["uuid"], found["fq_name"]) == (made["id"], ["default-domain", "project-1", "blue"])
        assert self.ask(api, "READALL", "network", filters={"name": ["blue"]}) == [made]
        assert self.ask(api, "READALL", "network", filters={"name": ["red"]}) == []
        assert self.ask(api, "READCOUNT", "network", self.OTHERS) == {"count": 0}
        self.ask(api, "DELETE", "network", id=made["id"])
        assert kept.all("virtual-network") == []
        with pytest.raises(neutron.Refused, match="NetworkNotFound"):
            self.ask(api, "READ", "network", id=made["id"])

    def test_networks_of_one_name_are_several(self) -> None:
        kept = Kept()
        api = neutron.Neutron(kept, str)
        for _ in range(2):
            self.ask(api, "CREATE", "network", resource={"name": "blue"})
        assert len({tuple(each["fq_name"]) for each in kept.all("virtual-network")}) == 2
        assert {each["display_name"] for each in kept.all("virtual-network")} == {"blue"}

    def test_a_port_has_an_address_of_its_own_and_keeps_its_network(self) -> None:
        kept = Kept()
        api = neutron.Neutron(kept, str)
        network = self.ask(api, "CREATE", "network", resource={"name": "blue"})["id"]
        subnet = self.ask(api, "CREATE", "subnet", resource={"network_id": network, "cidr": "10.9.0.0/29"})
        ports = [self.ask(api, "CREATE", "port", resource={"network_id": network}) for _ in range(2)]
        assert subnet["gateway_ip"] == "10.9.0.1"
        assert [port["fixed_ips"][0]["ip_address"] for port in ports] == ["10.9.0.2", "10.9.0.3"]
        with pytest.raises(neutron.Refused, match="NetworkInUse"):
            self.ask(api, "DELETE", "network", id=network)
        for port in ports:
            self.ask(api, "DELETE", "port", id=port["id"])
        self.ask(api, "DELETE", "network", id=network)
        assert not any(kept.all(kind) for kind in neutron.KINDS.values())

    def test_what_it_knows_nothing_of_is_refused_by_name(self) -> None:
        with pytest.raises(neutron.Refused, match="BadRequest"):
            self.ask(neutron.Neutron(Kept(), str), "READALL", "router")


class TestStandIns:
    """The stand-ins are as strict as what they stand for."""

    def read(self, tmp_path: Path, text: str, program: str = "contrail-control") -> settings.Settings:
        file = tmp_path / "file.conf"
        file.write_text(text)
        return settings.compiled(program, [str(file)])

    def test_a_hash_ends_a_value(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, "[DEFAULT]\nhostname = a#b\n").get("DEFAULT.hostname") == "a"

    @pytest.mark.parametrize("text", ["[DEFAULT]\nhost_name=a\n", "[DEFAULTS]\nhostname=a\n", "[DEFAULT]\nhostname\n"])
    def test_what_is_unknown_ends_a_compiled_program(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(SystemExit):
            self.read(tmp_path, text)

    def test_a_percent_sign_is_a_reference_for_one_in_python(self, tmp_path: Path) -> None:
        file = tmp_path / "file.conf"
        file.write_text("[DEFAULTS]\nunknown = 1\nrabbit_password = a%b\n")
        with pytest.raises(Exception, match="%"):
            settings.interpreted([str(file)])

    def test_the_default_collector_stands_for_none(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, "[DEFAULT]\ncollectors=127.0.0.1:8086\n").collectors == []
        assert self.read(tmp_path, "[DEFAULT]\ncollectors=10.0.0.1:8086\n").collectors == ["10.0.0.1:8086"]
