"""Neutron's networks as OpenSDN's, on stand-ins: tests/standins says what these do and don't.

Neutron's API is the real one, with a stand-in of the plugin; what it makes is seen at the stand-in of the config API.
"""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hostside import web
from tests.lab import cloud as clouds
from tests.lab.browser import Browser
from tests.lab.harness import (
    Stack,
    authority,
    config,
    eventually,
    inside,
    inspect,
    inventory,
    left_since,
    long_drill,
    puppet_runs,
    run,
)
from tests.standins import images

pytestmark = [pytest.mark.lab, pytest.mark.drill, long_drill]

NUMBER = 81
STACK = f"t{NUMBER}"
ROLES = (
    *("dnsmasq", "puppet", "haproxy", "galera", "rabbitmq", "memcached", "redis", "keystone"),
    *("cassandra", "config", "analytics", "control", "webui", "neutron"),
)
RECOVERY_SECONDS = 120


def name(role: str) -> str:
    """Return the container of a role."""
    return f"{STACK}-{role}1"


@dataclass(frozen=True)
class Networks:
    """The stack, up, and what there was before it."""

    stack: Stack
    openrc: str
    before: Mapping[str, list[str]]

    def openstack(self, *arguments: str) -> Any:
        """Run the client as the administrator, and return what it tells."""
        said = run("openstack", *arguments, "-f", "json", env=clouds.environment(self.openrc)).stdout
        return json.loads(said)

    def virtual(self) -> dict[str, dict[str, Any]]:
        """Return the config API's virtual networks by UUID."""
        token = str(clouds.connect(self.openrc).auth_token)
        url = f"https://vip.{STACK}.lab:8082/virtual-networks?detail=True"
        request = urllib.request.Request(url, headers={"X-Auth-Token": token})
        with web.opener(authority(STACK)).open(request, timeout=20) as answer:
            listed = json.load(answer)["virtual-networks"]
        return {each["virtual-network"]["uuid"]: each["virtual-network"] for each in listed}


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Networks]:
    before = inventory()
    given = {name(role): {"role": role} for role in ROLES}
    settings = config(NUMBER, given, tls=True, networking="opensdn") | {"opensdn": images.build()}
    stack = Stack(STACK, tmp_path_factory.mktemp("sdn-networks"), settings)
    try:
        stack.up()
        yield Networks(stack, stack.outputs()["openrc"], before)
    finally:
        stack.end()


def test_another_up_would_change_nothing(networks: Networks) -> None:
    done = networks.stack.preview("--expect-no-changes", "--diff", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_second_puppet_run_finds_everything_as_it_is(networks: Networks) -> None:
    ended = puppet_runs([name(role) for role in ("neutron", "config", "keystone", "haproxy")], "--test")
    assert {each: done.returncode for each, done in ended.items()} == dict.fromkeys(ended, 0), ended


def test_neutron_runs_its_api_alone_and_may_no_more_than_any_other(networks: Networks) -> None:
    running = inside(name("neutron"), "supervisorctl", "status")
    assert [line.split()[0] for line in running.splitlines()] == ["neutron-api"]
    host = inspect(name("neutron"))["HostConfig"]
    assert not host["CapAdd"] and not host["Devices"]
    interfaces = inside(name("neutron"), "ls", "/sys/class/net").split()
    assert "eth1" not in interfaces and "eth2" not in interfaces


def test_a_network_is_a_virtual_network_and_goes_with_it(networks: Networks, tmp_path: Path) -> None:
    called = f"blue-{uuid.uuid4().hex[:8]}"
    before = networks.virtual()
    made = networks.openstack("network", "create", called)
    (found,) = (each for key, each in networks.virtual().items() if key not in before)
    assert found["uuid"] == made["id"]
    assert found["fq_name"] == ["default-domain", "admin", called]
    assert called in [each["Name"] for each in networks.openstack("network", "list")]
    browser = Browser(tmp_path / "profile", authority(STACK))
    try:
        browser.open(f"https://vip.{STACK}.lab:8143/")
        browser.find("#username")
        browser.type("#username", "admin")
        browser.type("#password", clouds.environment(networks.openrc)["OS_PASSWORD"])
        browser.click("button")
        browser.until("the network", lambda: called in browser.text())
    finally:
        browser.end()
    run("openstack", "network", "delete", called, env=clouds.environment(networks.openrc))
    assert networks.virtual().keys() == before.keys()
    assert called not in [each["Name"] for each in networks.openstack("network", "list")]


def test_a_network_with_ports_stays_until_these_are_gone(networks: Networks) -> None:
    cloud = clouds.connect(networks.openrc)
    network = cloud.network.create_network(name="green")
    try:
        subnet = cloud.network.create_subnet(network_id=network.id, cidr="10.9.0.0/24", ip_version=4)
        port = cloud.network.create_port(network_id=network.id)
        assert [each["ip_address"] for each in port.fixed_ips] == ["10.9.0.2"] and subnet.gateway_ip == "10.9.0.1"
        refused = run(
            "openstack", "network", "delete", network.id, env=clouds.environment(networks.openrc), check=False
        )
        assert refused.returncode != 0 and "409" in refused.stdout + refused.stderr
        cloud.network.delete_port(port)
    finally:
        cloud.network.delete_network(network)
    assert network.id not in networks.virtual()


def test_status_misses_no_agents_of_neutrons(networks: Networks) -> None:
    networks.stack.make("status")


def test_networks_are_there_again_once_the_config_api_is(networks: Networks) -> None:
    cloud = clouds.connect(networks.openrc)
    network = cloud.network.create_network(name="kept")
    ready = ("docker", "exec", name("neutron"), "/etc/dockstack/bin/neutron-has-networks")
    inside(name("config"), "supervisorctl", "stop", "contrail-api")
    try:
        assert run(*ready, check=False).returncode != 0
    finally:
        inside(name("config"), "supervisorctl", "start", "contrail-api")
    eventually("Neutron answers", lambda: run(*ready, check=False).returncode == 0, RECOVERY_SECONDS, 1)
    assert network.id in [each.id for each in cloud.network.networks()]
    cloud.network.delete_network(network)


def test_a_compute_is_refused_with_what_its_host_lacks(networks: Networks) -> None:
    given = {name(role): {"role": role} for role in (*ROLES, "placement", "glance", "nova", "compute")}
    changed = config(NUMBER, given, tls=True, networking="opensdn") | {"opensdn": images.build()}
    before = config(NUMBER, {name(role): {"role": role} for role in ROLES}, tls=True, networking="opensdn")
    networks.stack.configure(changed)
    try:
        done = networks.stack.preview(check=False)
        said = " ".join((done.stdout + done.stderr).split())
        assert done.returncode != 0 and "dockstack:common.networking:" in said and "vrouter" in said
    finally:
        networks.stack.configure(before | {"opensdn": images.build()})


def test_destroy_leaves_nothing(networks: Networks) -> None:
    networks.stack.destroy()
    assert left_since(networks.before) == {}
