"""2015-style files: legacy/token.yaml is sound, legacy/faults/NAME.yaml is refused with the words of NAME.txt."""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.configuration import legacy
from components.configuration.environment import Environment, HookScripts, Ssh, Survey, load, survey
from components.configuration.schema import ContainerInput, names_of_2015
from tests.unit.environment_cases import DATA, ROLES, lab, look, played

CASES = sorted((DATA / "legacy" / "faults").glob("*.yaml"))


def _survey(text: str, beside: dict[str, Any] | None = None, **arguments: frozenset[str]) -> Survey:
    return look({"environment": "environment.yaml", **(beside or {})}, read_text=lambda path: text, **arguments)


@pytest.fixture(scope="module")
def token() -> tuple[Environment, list[str]]:
    environment, notes = load({"environment": "legacy/token.yaml"}, stack="old", roles=ROLES, base_dir=DATA)
    return environment, [str(note) for note in notes]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_faulty_file_is_refused_with_these_words(path: Path) -> None:
    said = "".join(f"{fault}\n" for fault in _survey(path.read_text(encoding="utf-8")).faults)
    assert said == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_the_lab_is_read_as_it_stands_there(token: tuple[Environment, list[str]]) -> None:
    environment, _ = token
    assert environment.domain == "example.lab"
    assert environment.network == IPv4Network("10.86.0.0/16")
    assert str(environment.gateway) == "10.86.0.100"
    assert str(environment.vip) == "10.86.0.254"
    assert environment.hosts["host1"].ssh is None
    assert {c.name: (c.role, str(c.address)) for c in environment.containers} == {
        "dns1": ("dnsmasq", "10.86.0.1"),
        "puppet1": ("puppet", "10.86.0.2"),
        "haproxy1": ("haproxy", "10.86.0.3"),
        "galera1": ("galera", "10.86.0.4"),
        "rabbitmq1": ("rabbitmq", "10.86.0.5"),
        "keystone1": ("keystone", "10.86.0.6"),
    }
    assert {(c.bridge, c.host, c.prefix, c.image) for c in environment.containers} == {("br0", "host1", 16, None)}


def test_passwords_are_taken_as_they_are_written(token: tuple[Environment, list[str]]) -> None:
    environment, _ = token
    assert environment.passwords == {"galera_root_password": "a password", "keystone_admin_password": "0123"}


def test_hooks_of_the_user_are_kept_in_order_and_the_old_ones_are_not(token: tuple[Environment, list[str]]) -> None:
    environment, _ = token
    assert environment.container("puppet1").hooks == HookScripts(
        post_creation=("/srv/hooks/announce.sh puppet1", "/srv/hooks/second.sh"),
        post_destroy=('/srv/hooks/bye.sh "puppet1"',),
    )
    assert environment.container("keystone1").hooks == HookScripts()


def test_volumes_below_dockervolumes_are_optional_and_others_are_not(token: tuple[Environment, list[str]]) -> None:
    environment, _ = token
    volumes = {v.source: v.optional for c in environment.containers for v in c.volumes}
    assert volumes == {
        "/dockervolumes/dns1/dnsmasq.d": True,
        "/dockervolumes/default/supervisor.conf": True,
        "/dockervolumes/galera1/var/lib/mysql": True,
        "/srv/backup": False,
    }


def test_what_is_read_differently_than_written_is_said(token: tuple[Environment, list[str]]) -> None:
    _, notes = token
    assert "".join(f"{note}\n" for note in notes) == (DATA / "legacy" / "token.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("action", ["add", "adddns", "addnode", "delcert", "del", "deldns", "delnode"])
def test_each_action_of_register_service_is_replaced(action: str) -> None:
    command = f"/dockervolumes/default/registerService.py {action} --container dns1"
    reading = legacy.read(
        f"containers: {{dns1: {{image: dns, postcreation: ['{command}']}}}}",
        file="environment.yaml",
        roles=ROLES,
        local_addresses=frozenset(),
    )
    assert reading.config is not None
    assert reading.config["containers"] == {"dns1": {"role": "dnsmasq", "hooks": {"postCreation": []}}}
    assert [str(note) for note in reading.notes] == [
        f"environment.yaml:containers.dns1: hooks left out, as the lab does this itself: registerService.py {action}"
    ]
    assert reading.faults == ()


HOSTS = """
common: {vip: 10.86.0.254, domain: example.lab}
containerhosts:
  host1: {ip: 192.0.2.48, port: 3288}
  host2: {ip: 192.0.2.49, port: 3288}
  host3: {ip: 192.0.2.50, ssh: {user: lab, port: 2222}}
containerdefault: {mask: 16, gateway: 10.86.0.100, bridge: br0, host: host1}
containers:
  dns1: {ip: 10.86.0.1, image: dns}
"""


def test_a_host_with_an_address_of_this_machine_is_local_and_others_are_reached_by_ssh() -> None:
    result = _survey(HOSTS, local_addresses=frozenset({"192.0.2.48"}))
    assert result.faults == ()
    assert result.environment is not None
    hosts = result.environment.hosts
    assert hosts["host1"].ssh is None
    assert hosts["host2"].ssh == Ssh(host="192.0.2.49", user="root", port=22)
    assert hosts["host3"].ssh == Ssh(host="192.0.2.50", user="lab", port=2222)
    assert [str(n) for n in result.notes] == [
        "environment.yaml:containerhosts.host2: is reached by ssh as root at `192.0.2.49`"
    ]


def test_the_defaults_may_stand_among_the_containers() -> None:
    text = """
common: {vip: 10.86.0.254, domain: example.lab}
containers:
  containerdefault: &d {mask: 16, gateway: 10.86.0.100, bridge: br0, postcreation: [/srv/after.sh]}
  dns1: {<<: *d, ip: 10.86.0.1, image: dns}
"""
    result = _survey(text)
    assert result.faults == ()
    assert result.environment is not None
    assert [c.name for c in result.environment.containers] == ["dns1"]
    assert result.environment.containers[0].hooks.post_creation == ("/srv/after.sh",)


def test_a_default_that_is_wrong_is_reported_once_and_where_it_stands() -> None:
    text = (DATA / "legacy" / "token.yaml").read_text(encoding="utf-8").replace("bridge: br0", "bridge: 7")
    faults = [str(fault) for fault in _survey(text).faults]
    assert faults == [
        "environment.yaml:containerdefault.bridge: is a number where an interface name belongs. Fix: Use at most 15"
        " letters, digits, dots, hyphens and underscores, e.g. br-lab."
    ]


def test_a_file_that_is_no_text_is_a_fault() -> None:
    def unreadable(path: Path) -> str:
        return b"\xff\xfe".decode("utf-8")

    faults = look({"environment": "x.yaml"}, read_text=unreadable).faults
    assert [str(fault) for fault in faults] == [
        "dockstack:environment: `x.yaml` can't be read: it is not UTF-8 text. Fix: Give the path of a 2015-style"
        " environment.yaml."
    ]


@pytest.mark.parametrize("path", [5, " ", ["a"], {}])
def test_the_path_of_a_file_is_text(path: object) -> None:
    (fault,) = look({"environment": path}).faults
    assert fault.key == "dockstack:environment"
    assert fault.fix == "Give a file's path."


def test_an_empty_path_and_empty_maps_are_what_pulumi_fills_in() -> None:
    config = {"environment": "legacy/token.yaml", "common": {}, "containers": {}, "containerHosts": {}}
    environment, _ = load(config, stack="old", roles=ROLES, base_dir=DATA)
    assert environment.members("puppet")
    environment, _ = load(
        lab({"containerHosts": {"local": "REMOVE"}, "environment": ""}), stack="lab", roles=ROLES, base_dir=DATA
    )
    assert list(environment.hosts) == ["local"]


OLD = """
common: {vip: 10.86.0.254, vip_mask: 16, domain: example.lab}
containerhosts: {host1: &host1 {ip: 127.0.0.1}}
containerdefault: &d {mask: 255.255.0.0, gateway: 10.86.0.100, bridge: br0, host: *host1}
containers:
  dns1: {<<: *d, ip: 10.86.0.1, image: dns}
  web1: {<<: *d, ip: 10.86.0.2, image: plain}
"""


def test_what_the_file_has_no_words_for_is_given_beside_it() -> None:
    provider = {"bridge": "br-ext", "network": "10.87.1.0/24", "gateway": "10.87.1.1"}
    beside = {
        "common": {
            "volumeBackend": "nfs",
            "tenantNetworks": "vlan",
            "dhcp": {"start": "10.86.1.1", "end": "10.86.1.9"},
        },
        "provider": provider,
        "containerDefaults": {"mtu": 1400},
        "containers": {
            "web1": {"needs": ["web2"], "volumes": ["/srv/a:/a"]},
            "web2": {"role": "plain", "address": "10.86.0.3"},
        },
    }
    result = _survey(OLD, beside)
    assert (result.faults, result.notes) == ((), ())
    lab = result.environment
    assert lab is not None
    assert (lab.volume_backend, lab.tenant_networks, str(lab.vip)) == ("nfs", "vlan", "10.86.0.254")
    assert lab.provider is not None
    assert lab.provider.bridge == "br-ext"
    assert {c.name: (str(c.address), c.mtu, c.needs) for c in lab.containers} == {
        "dns1": ("10.86.0.1", 1400, ()),
        "web1": ("10.86.0.2", 1400, ("web2",)),
        "web2": ("10.86.0.3", 1400, ()),
    }


def test_what_the_file_says_already_is_a_fault_with_both_places() -> None:
    beside = {
        "common": {"vip": "10.86.0.253", "dhcp": []},
        "containerHosts": {"host1": {"ssh": {"host": "192.0.2.1"}}},
        "containerDefaults": {"mask": 16},
        "containers": {"web1": {"role": "plain", "address": "10.86.0.9"}},
    }
    said = [str(fault) for fault in _survey(OLD, beside).faults]
    fix = "Fix: Leave one of the two out."
    assert [fault for fault in said if fix in fault] == [
        f"dockstack:common.vip: is given in the file too, as environment.yaml:common.vip. {fix}",
        f"dockstack:containerDefaults.mask: is given in the file too, as environment.yaml:containerdefault.mask. {fix}",
        f"dockstack:containers.web1.address: is given in the file too, as environment.yaml:containers.web1.ip. {fix}",
        f"dockstack:containers.web1.role: is given in the file too, as environment.yaml:containers.web1.image. {fix}",
    ]
    assert [fault for fault in said if fix not in fault] == [
        "dockstack:common.dhcp: is a list where a map belongs. Fix: Known keys: end, start."
    ]


def test_a_fault_in_what_stands_beside_the_file_names_that_place_and_one_in_the_file_its_own() -> None:
    beside = {
        "common": {"volumeBackend": "tape"},
        "demo": "perhaps",
        "provider": {"bridge": "br-ext"},
        "containers": {"web1": {"needs": ["nobody"]}, "web2": {"role": "plain", "address": "10.99.0.1"}},
    }
    places = {fault.key for fault in _survey(OLD.replace("br0", "7"), beside).faults}
    assert places == {
        "dockstack:common.volumeBackend",
        "dockstack:demo",
        "dockstack:provider.network",
        "dockstack:provider.gateway",
        "dockstack:containers.web1.needs[0]",
        "dockstack:containers.web2.address",
        "environment.yaml:containerdefault.bridge",
    }


def test_a_lab_that_needs_ceph_is_told_where_to_choose_something_else() -> None:
    roles = {**ROLES, "cinder": played("cinder", 1), "ceph": played("ceph", 1)}
    text = OLD.replace("image: plain", "image: cinder")

    def faults(beside: dict[str, Any]) -> list[str]:
        config = {"environment": "environment.yaml", **beside}
        found = survey(config, stack="lab", roles=roles, base_dir=DATA, read_text=lambda path: text)
        return [str(fault) for fault in found.faults]

    assert faults({}) == [
        "dockstack:common.volumeBackend: the volume back end rbd needs role ceph, and no container has it. Fix: Add a"
        " container of role ceph, or choose lvm or nfs."
    ]
    assert faults({"common": {"volumeBackend": "nfs"}}) == []
    assert faults({"containers": {"ceph1": {"role": "ceph", "address": "10.86.0.7"}}}) == []


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        (
            "vip_mask: 16",
            "volumeBackend: nfs",
            "common.volumeBackend: .* beside the file, as dockstack:common.volumeBackend",
        ),
        ("common:", "demo: true\ncommon:", "demo: .* beside the file, as dockstack:demo"),
        (
            "ip: 10.86.0.2,",
            "ip: 10.86.0.2, needs: [dns1],",
            "needs: .* beside the file, as dockstack:containers.web1.needs",
        ),
        (
            "ip: 10.86.0.2",
            "address: 10.86.0.2",
            "containers.web1.address: unknown key. Fix: It is called `ip` in such a",
        ),
        ("image: plain", "role: plain", "containers.web1.role: unknown key. Fix: It is called `image` in such a file"),
    ],
)
def test_a_key_of_today_in_the_file_is_a_fault_that_says_where_it_belongs(before: str, after: str, fault: str) -> None:
    said = [str(each) for each in _survey(OLD.replace(before, after)).faults]
    assert [each for each in said if re.search(f"^environment.yaml:.*{fault}", each)], said


@pytest.mark.parametrize(
    ("vip_mask", "noted"),
    [("16", False), ('"16"', False), ("/16", False), ("255.255.0.0", False), ("24", True), ("wide", True)],
)
@pytest.mark.parametrize("place", ["containerdefault", "common", "beside"])
def test_the_vips_mask_is_noted_only_where_it_is_another_than_the_labs(vip_mask: str, noted: bool, place: str) -> None:
    text = OLD.replace("vip_mask: 16", f"vip_mask: {vip_mask}")
    if place != "containerdefault":
        text = text.replace("{mask: 255.255.0.0, ", "{")
    if place == "common":
        text = text.replace("common: {", "common: {netmask: 255.255.0.0, ")
    result = _survey(text, {"containerDefaults": {"mask": 16}} if place == "beside" else None)
    assert result.faults == ()
    told = ["environment.yaml:common.vip_mask: left out: the VIP has the lab's mask"] if noted else []
    assert [str(note) for note in result.notes] == told


@pytest.mark.parametrize("name", sorted(names_of_2015(ContainerInput)))
def test_each_name_of_2015_is_read_as_the_key_that_it_stands_for(name: str) -> None:
    container = {"image": "plain", "ip": "10.86.0.9", "mask": 16, "gateway": "10.86.0.1", "bridge": "br0"}
    container.pop("mask" if name == "netmask" else "", None)
    file = {
        "common": {"domain": "example.lab", "vip": "10.86.0.254"},
        "containerdefault": {"mask": 16, "gateway": "10.86.0.1", "bridge": "br0"},
        "containers": {"web1": container | {name: {"of": "no use"}}},
    }
    faults = _survey(yaml.safe_dump(file)).faults
    assert [fault for fault in faults if fault.reason == "unknown key"] == []
    assert any(fault.key.startswith(f"environment.yaml:containers.web1.{name}") for fault in faults)
