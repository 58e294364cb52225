"""A lab with TLS at the VIP, as it is declared: who is told what, and in which order."""

from __future__ import annotations

import hashlib
import shlex
from typing import Any

import pytest
import yaml

from components import paths, services
from components.configuration import environment
from components.services.topology import Topology
from components.stages.provisioning import digest
from tests.unit.graph_recorder import AUTHORITY, CONFIG, GENERATED, Graph, Secret, config, data_of, record_lab, with_tls

FILE = str(paths.authority("lab"))
VIP = "vip.dockstack.lab"
NAMES = [f"DNS:{VIP}", "IP:10.87.0.250"]
CERTNAME = "vip.haproxy1.dockstack.lab"
DOMAIN = "dockstack.lab"


def hiera(graph: Graph, name: str) -> dict[str, Any]:
    return data_of(graph.the("register", fqdn=f"{name}.{DOMAIN}"))


def faults(common: dict[str, Any]) -> list[str]:
    given = config(common=CONFIG["common"] | common)
    found = environment.survey(given, stack="lab", roles=services.facts(), base_dir=paths.PROJECT)
    return [str(fault) for fault in found.faults]


@pytest.mark.parametrize("common", [{}, {"tls": False}])
def test_a_lab_that_does_not_ask_for_it_is_spoken_to_in_clear(common: dict[str, Any]) -> None:
    graph = record_lab(config(common=CONFIG["common"] | common))
    assert not any(r.operation() in ("authority-publish", "grant-write", "tls-issue") for r in graph.commands())
    # The web console's members speak TLS themselves.
    endpoints = {name: url for name, url in graph.outputs["endpoints"].items() if name != "webui"}
    told = str({**graph.outputs, "endpoints": endpoints})
    assert "https://vip" not in told and "vip_certificate" not in str([r.name for r in graph])
    assert "OS_CACERT" not in graph.the("access-publish").parameters()["text"]


def test_what_is_neither_true_nor_false_is_a_fault() -> None:
    assert faults({"tls": "yes"}) == [
        "dockstack:common.tls: is text where true or false belongs. Fix: Write true or false."
    ]
    assert faults({"tls": True}) == faults({"tls": False}) == []


def test_a_file_of_2015_takes_it_beside_itself() -> None:
    text = """
common: {vip: 10.86.0.254, vip_mask: 16, domain: example.lab}
containerhosts: {host1: &host1 {ip: 127.0.0.1}}
containerdefault: &d {mask: 255.255.0.0, gateway: 10.86.0.100, bridge: br0, host: *host1}
containers: {web1: {<<: *d, ip: 10.86.0.2, image: plain}}
"""

    def read(**beside: Any) -> bool | None:
        given = {"environment": "x.yaml", **beside}
        found = environment.survey(
            given, stack="old", roles=services.facts(), base_dir=paths.PROJECT, read_text=lambda _path: text
        )
        assert not found.faults and found.environment
        return found.environment.tls

    assert (read(), read(common={"tls": True})) == (False, True)


def test_every_endpoint_at_the_vip_that_speaks_http_speaks_https(tls: Graph, lab: Graph) -> None:
    at_vip = {name: url for name, url in lab.outputs["endpoints"].items() if url.startswith(f"http://{VIP}")}
    assert len(at_vip) > 8
    wanted = {name: url.replace("http://", "https://") for name, url in at_vip.items()}
    wanted["dashboard"] = f"https://{VIP}:443/horizon/"
    assert tls.outputs["endpoints"] == lab.outputs["endpoints"] | wanted


def test_openrc_and_clouds_yaml_name_the_authority(tls: Graph) -> None:
    given = tls.the("access-publish").parameters()
    assert {f"OS_AUTH_URL=https://{VIP}:5000/v3", f"OS_CACERT={FILE}"} <= set(shlex.split(given["text"]))
    cloud = yaml.safe_load(given["clouds"])["clouds"]["lab"]
    assert (cloud["auth"]["auth_url"], cloud["cacert"]) == (f"https://{VIP}:5000/v3", FILE)


def test_the_demo_and_the_checks_through_the_vip_verify_with_it(tls: Graph) -> None:
    assert tls.the("demo").parameters()["login"]["cacert"] == FILE
    checks = tls.the("health-await", container="dashboard1").parameters()["checks"]
    assert [check for check in checks if "authority" in check] == [
        {"kind": "http", "url": "https://10.87.0.250:443/horizon/", "status": [200], "authority": FILE}
    ]
    assert checks[0]["url"].startswith("http://10.87.0.95:80/")


def test_the_file_is_there_before_anyone_reads_it(tls: Graph) -> None:
    published = tls.the("authority-publish")
    assert published.parameters()["path"] == FILE
    assert published.parameters()["server"] == "puppet1"
    readers = [r for r in tls.operations("health-await") if FILE in r.shown("stdin")]
    assert len(readers) == 11
    for reader in [*readers, tls.the("access-publish"), tls.the("demo")]:
        assert tls.comes_before(published, reader), reader.name


def test_the_catalogue_says_https_and_nothing_else(tls: Graph) -> None:
    urls = [each["url"] for each in hiera(tls, "keystone1")["profile::keystone::identities"].values() if "url" in each]
    assert len(urls) > 4
    assert all(url.startswith(f"https://{VIP}:") for url in urls)


def test_haproxy_has_a_certificate_for_name_and_address_before_its_puppet_run(tls: Graph) -> None:
    issued = tls.the("tls-issue")
    given = issued.parameters()
    assert (given["container"], given["fqdn"], given["names"]) == ("haproxy1", CERTNAME, NAMES)
    assert hiera(tls, "haproxy1")["profile::haproxy::certificate"] == "/etc/haproxy/vip.pem"
    assert tls.comes_before(tls.the("certificate-issue", container="haproxy1"), issued)
    assert tls.comes_before(issued, tls.the("provision", container="haproxy1"))


def test_the_authority_signs_for_who_has_the_secret_and_for_no_other_names(tls: Graph) -> None:
    given = tls.the("grant-write").parameters()
    secret = tls.the("tls-issue").parameters()["secret"]
    assert given["certname"] == CERTNAME and given["directory"].endswith("volumes/puppet1")
    assert given["text"].splitlines() == [hashlib.sha256(secret.encode()).hexdigest(), "vip", " ".join(NAMES)]
    # Another secret of the containers' makes it nobody else's.
    assert given["owner"] == f"haproxy1-id {digest(given['text'])}"
    assert tls.comes_before(tls.the("grant-write"), tls.the("tls-issue"))


def test_the_secret_is_a_generated_one_that_is_rotated_with_the_others_and_no_puppet_data(tls: Graph) -> None:
    assert tls.one("secret-vip_certificate")
    for name in ("tls-issue", "grant-write"):
        assert isinstance(tls.the(name).inputs["stdin"], Secret)
    holding = {r.operation() for r in tls if f"{GENERATED}secret-vip_certificate" in str(r.shown("stdin"))}
    assert holding == {"tls-issue"}


def test_each_member_of_haproxy_has_a_certificate_of_its_own_for_the_same_names() -> None:
    graph = record_lab(with_tls(haproxy2={"role": "haproxy", "address": "10.87.0.21"}))
    issued = [r.parameters() for r in graph.operations("tls-issue")]
    assert {given["fqdn"] for given in issued} == {CERTNAME, "vip.haproxy2.dockstack.lab"}
    assert all(given["names"] == NAMES for given in issued)


def test_services_keep_their_ports_behind_the_vip(tls: Graph) -> None:
    found = hiera(tls, "haproxy1")["profile::haproxy::frontends"]
    assert (found["dashboard"]["port"], found["dashboard"]["server_port"]) == (443, 80)
    assert all("server_port" not in frontend for name, frontend in found.items() if name != "dashboard")
    assert (found["galera"]["mode"], found["galera"]["port"]) == ("tcp", 3306)


def test_all_puppet_runs_know_of_it_and_which_authority_it_is(tls: Graph) -> None:
    common = tls.the("files-write", root=f"{paths.stack_directory('lab')}/volumes/puppet1").parameters()
    data = yaml.safe_load(common["files"]["code/environments/production/data/common.yaml"]["content"])
    assert data["dockstack::tls::enabled"] is True
    reads = [r.parameters()["reads"] for r in tls.operations("provision")]
    assert reads and {read["authority"] for read in reads} == {digest(AUTHORITY)}


def test_without_haproxy_nothing_is_served() -> None:
    given = with_tls()
    given["containers"] = {name: given["containers"][name] for name in ("dnsmasq1", "puppet1", "memcached1")}
    graph = record_lab(given)
    assert not [r for r in graph if "authority" in r.operation()]
    checked, _ = environment.load(given, stack="lab", roles=services.facts(), base_dir=paths.PROJECT)
    assert Topology(checked, services.ROLES).authority == ""


def test_hosts_without_the_puppet_server_are_told_of_its_authority() -> None:
    given = with_tls(plain2={"role": "plain", "address": "10.87.0.46", "host": "far", "dns": []})
    given["containerHosts"] = {"local": {}, "far": {"ssh": {"host": "192.0.2.1", "user": "root"}}}
    given["containerDefaults"] = CONFIG["containerDefaults"] | {"host": "local"}
    graph = record_lab(given)
    assert {r.parameters()["certificate"] for r in graph.operations("authority-publish")} == {"", AUTHORITY}
