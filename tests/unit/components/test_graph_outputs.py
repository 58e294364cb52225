"""What a stack tells: addresses, endpoints, the openrc file, and what each container runs."""

from __future__ import annotations

import shlex

from components import paths, services
from tests.unit.graph_recorder import CONFIG, UNKNOWN, Graph, record_lab


def test_the_addresses_are_the_configured_ones(lab: Graph) -> None:
    assert lab.outputs["addresses"] == {name: given["address"] for name, given in CONFIG["containers"].items()}


def test_the_endpoints_name_the_vip_for_what_haproxy_serves_and_the_container_for_the_rest(lab: Graph) -> None:
    assert lab.outputs["endpoints"] == {
        "dns": "dns://10.87.0.53:53",
        "puppet": "https://10.87.0.10:8140",
        "galera": "tcp://vip.dockstack.lab:3306",
        "rabbitmq": "amqp://10.87.0.40:5672",
        "memcached": "memcached://10.87.0.45:11211",
        "redis": "redis://10.87.0.43:6379",
        "cassandra": "tcp://10.87.0.48:9042",
        "zookeeper": "tcp://10.87.0.48:2181",
        "kafka": "tcp://10.87.0.48:9092",
        "keystone": "http://vip.dockstack.lab:5000/v3",
        "neutron": "http://vip.dockstack.lab:9696",
        "nova": "http://vip.dockstack.lab:8774/v2.1",
        "nova-metadata": "http://vip.dockstack.lab:8775",
        "novncproxy": "http://vip.dockstack.lab:6080",
        "ceph": "tcp://10.87.0.70:3300",
        "cinder": "http://vip.dockstack.lab:8776/v3",
        "glance": "http://vip.dockstack.lab:9292",
        "placement": "http://vip.dockstack.lab:8778",
        "dashboard": "http://vip.dockstack.lab:80/horizon/",
        "portal": "http://vip.dockstack.lab:8400/",
        "config-api": "http://vip.dockstack.lab:8082",
        "analytics-api": "http://vip.dockstack.lab:8081",
        "xmpp": "tcp://10.87.0.58:5269",
        "webui": "https://vip.dockstack.lab:8143/",
    }


def test_openrc_and_clouds_yaml_are_in_the_stacks_directory(lab: Graph) -> None:
    assert lab.outputs["openrc"] == f"{paths.stack_directory('lab')}/openrc"
    assert lab.outputs["clouds"] == f"{paths.stack_directory('lab')}/clouds.yaml"
    assert lab.the("access-publish").parameters()["openrc"] == lab.outputs["openrc"]


def test_the_openrc_file_asks_keystone_at_the_vip(lab: Graph) -> None:
    words = shlex.split(lab.the("access-publish").parameters()["text"])
    assert {"OS_AUTH_URL=http://vip.dockstack.lab:5000/v3", "OS_USERNAME=admin", "OS_PROJECT_NAME=admin"} <= set(words)


def test_the_host_learns_the_vips_name(lab: Graph) -> None:
    given = lab.the("access-publish").parameters()
    assert (given["address"], given["name"], given["stack"]) == ("10.87.0.250", "vip.dockstack.lab", "lab")


def test_the_services_tell_role_image_and_versions(lab: Graph) -> None:
    told = lab.outputs["services"]
    assert told.keys() == CONFIG["containers"].keys()
    for name, service in told.items():
        role = services.ROLES[CONFIG["containers"][name]["role"]]
        assert service["role"] == role.name
        assert service["image"].startswith(f"dockstack/{role.image_directory}:")
        assert service["versions"] == dict.fromkeys(role.packages, "1.0")


def test_a_preview_does_not_claim_to_know_what_only_an_up_finds_out(previewed: Graph) -> None:
    assert previewed.outputs["services"] == UNKNOWN
    assert previewed.outputs["addresses"] == {name: given["address"] for name, given in CONFIG["containers"].items()}


def test_no_endpoint_is_at_the_vip_where_nothing_holds_it() -> None:
    names = ("dnsmasq1", "puppet1", "galera1")
    without = record_lab(CONFIG | {"demo": False, "containers": {name: CONFIG["containers"][name] for name in names}})
    assert without.outputs["endpoints"].keys() == {"dns", "puppet"}
