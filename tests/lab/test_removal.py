"""A service that leaves the configuration leaves nothing of itself elsewhere, and works at once when it comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import cloud as clouds
from tests.lab.conftest import Lab
from tests.lab.harness import eventually, inside, run, started_at

pytestmark = pytest.mark.lab

ROLE, DATABASE, CATALOGUE = "cinder", "cinder", "cinder"


def traces(lab: Lab, name: str, address: str) -> dict[str, list[str]]:
    """Return what is left of a service by kind, all of it asked of those who would know."""
    domain = lab.settings()["config"]["dockstack:common"]["domain"]
    dns, server, proxy, galera = (lab.of_role(role) for role in ("dnsmasq", "puppet", "haproxy", "galera"))

    def sql(query: str) -> list[str]:
        return inside(galera, "mariadb", "--batch", "--skip-column-names", "--execute", query).split()

    cloud = clouds.connect(lab.openrc)
    at = f"@{lab.addresses[dns]}"
    found = {
        "containers": run("docker", "ps", "--all", "--format", "{{.Names}}").stdout.split(),
        "volumes": run("docker", "volume", "ls", "--quiet").stdout.split(),
        "ports": run("ovs-vsctl", "--bare", "--columns=external_ids", "list", "interface")
        .stdout.replace("=", " ")
        .split(),
        "names": [name] if inside(dns, "dig", "+short", at, f"{name}.{domain}").strip() else [],
        "addresses": inside(dns, "dig", "+short", at, "-x", address).replace(".", " ").split(),
        "certificates": inside(server, "ls", "/var/lib/puppet/ca/signed").replace(".", " ").split(),
        "node data": inside(server, "find", "/etc/dockstack", "-name", f"{name}*")
        .replace(".", " ")
        .replace("/", " ")
        .split(),
        "backends": inside(proxy, "sh", "-c", "echo 'show servers state' | nc -U -N /run/haproxy.sock").split(),
        "databases": sql("SHOW DATABASES"),
        "database users": sql("SELECT user FROM mysql.user"),
        "users": [user.name for user in cloud.identity.users()],
        "services": [service.name for service in cloud.identity.services()],
        "endpoints": [
            str(endpoint.url).rpartition(":")[2].partition("/")[0] for endpoint in cloud.identity.endpoints()
        ],
    }
    own = {name, f"{name}.{domain}", DATABASE, CATALOGUE, "8776"}
    return {
        kind: sorted(word for word in set(words) if word in own or word.startswith(f"{name}-"))
        for kind, words in found.items()
        if any(word in own or word.startswith(f"{name}-") for word in words)
    }


def test_a_removed_service_leaves_nothing_and_comes_back(lab: Lab, tmp_path: Path) -> None:
    lab.settled()
    name = lab.of_role(ROLE)
    address = lab.addresses[name]
    known = traces(lab, name, address)
    # Or what is looked for afterwards would be nothing.
    kinds = {"containers", "ports", "names", "addresses", "certificates", "node data", "backends", "databases"}
    assert kinds | {"database users", "users", "services", "endpoints"} <= set(known)

    settings = lab.settings()
    del settings["config"]["dockstack:containers"][name]
    before = started_at(lab.stack)
    with lab.changed(settings, tmp_path) as said:
        assert traces(lab, name, address) == {}
        # Its own resources go, others are told, and no other container is replaced or restarted.
        assert f"- docker:index:Container {name} delete" in said
        for role in ("keystone", "galera", "haproxy"):
            assert f"~ command:local:Command {lab.of_role(role)}-provisioning update" in said
        after = started_at(lab.stack)
        assert after == {other: when for other, when in before.items() if other != name}

    lab.settled()
    assert traces(lab, name, address) == known
    cloud = clouds.connect(lab.openrc)
    with clouds.volume(cloud, "test-after-return") as disk:
        assert disk.name == "test-after-return"
    eventually("its services are up", lambda: all(s.state == "up" for s in cloud.block_storage.services()), 60, 2)
