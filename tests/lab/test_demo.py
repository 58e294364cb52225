"""What the demo has made in the lab, seen by the administrator."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.lab.cloud import environment
from tests.lab.conftest import Lab
from tests.lab.harness import run

pytestmark = [pytest.mark.lab, pytest.mark.shares]


class Cloud:
    """The openstack client, in a lab that has the demo and these roles."""

    def __init__(self, lab: Lab, *roles: str) -> None:
        """Skip the test in any other lab."""
        given = run("pulumi", "config", "get", "dockstack:demo", "--stack", lab.stack, check=False).stdout.strip()
        if given != "true":
            pytest.skip("this lab has no demo")
        missing = set(roles) - {service["role"] for service in lab.services.values()}
        if missing:
            pytest.skip(f"this lab has no {', '.join(sorted(missing))}")
        self.environment = environment(lab.openrc)

    def ask(self, *arguments: str) -> Any:
        """Run the client and return what it answers."""
        return json.loads(run("openstack", *arguments, "-f", "json", env=self.environment).stdout)


def test_everybody_may_boot_the_guests_image(lab: Lab) -> None:
    image = Cloud(lab, "glance").ask("image", "show", "guest")
    assert (image["status"], image["visibility"], image["disk_format"]) == ("active", "public", "raw")


def test_there_are_flavors_for_small_guests(lab: Lab) -> None:
    flavors = {flavor["Name"]: flavor for flavor in Cloud(lab, "nova").ask("flavor", "list")}
    assert (flavors["tiny"]["RAM"], flavors["small"]["RAM"]) == (160, 256)


def test_nova_has_the_public_half_of_the_key_in_the_stacks_directory(lab: Lab) -> None:
    cloud = Cloud(lab, "nova")
    private = Path(lab.openrc).with_name("demo-key")
    assert os.stat(private).st_mode & 0o777 == 0o600
    public = private.with_name("demo-key.pub").read_text().split()
    shown = run("openstack", "keypair", "show", "--public-key", "demo-key", env=cloud.environment).stdout
    assert shown.split()[:2] == public[:2]


def test_the_router_joins_the_tenants_network_with_the_provider_network(lab: Lab) -> None:
    cloud = Cloud(lab, "neutron")
    networks = {network["Name"]: network for network in cloud.ask("network", "list", "--long")}
    assert networks["provider"]["Router Type"] in (True, "External")
    router = cloud.ask("router", "show", "demo")
    assert router["external_gateway_info"]["network_id"] == networks["provider"]["ID"]
    inside = {interface["subnet_id"] for interface in router["interfaces_info"]}
    assert inside == set(networks["demo"]["Subnets"])


def test_the_security_group_lets_ping_and_ssh_in(lab: Lab) -> None:
    rules = Cloud(lab, "neutron").ask("security", "group", "rule", "list", "demo")
    allowed = {(rule["IP Protocol"], rule["Port Range"]) for rule in rules if rule["Direction"] == "ingress"}
    assert {("icmp", ""), ("tcp", "22:22")} <= allowed
