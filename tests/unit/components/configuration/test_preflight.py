"""What a look at the hosts says, with facts made up for each case, and how the facts are read from a host's answer."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import socketserver
import subprocess
import sys
import threading
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from components import ssh
from components.configuration import preflight
from components.configuration.environment import ConfiguredHost, Environment, Ssh
from components.configuration.faults import ConfigurationFaults
from components.configuration.preflight import (
    Engine,
    HostFacts,
    Route,
    apply_facts,
    check,
    gather,
    gather_all,
    local,
    locate,
    over_ssh,
    own_addresses,
    runner_for,
    verify,
)
from hostside.ports import link_name
from tests.unit.environment_cases import DATA, ROLES, lab, look

IMAGES = frozenset(f"dockstack/{name}:1" for name in ROLES)
SOUND = HostFacts(
    routes=(
        Route(IPv4Network("0.0.0.0/0"), "eth0"),
        Route(IPv4Network("192.0.2.0/24"), "eth0"),
        Route(IPv4Network("192.0.2.2/32"), "eth0", "local"),
        Route(IPv4Network("172.17.0.0/16"), "docker0"),
    ),
    links=frozenset({"lo", "eth0", "docker0"}),
    images=IMAGES,
    memory_available_mib=16000,
    disk_free_mib=50000,
)
RUNNING = dict.fromkeys(lab()["containers"], ("lab", True))


def _environment(changes: dict[str, Any] | None = None) -> Environment:
    result = look(lab(changes))
    assert result.faults == ()
    assert result.environment is not None
    return result.environment


def _said(changes: dict[str, Any] | None = None, **facts: Any) -> list[str]:
    return [str(fault) for fault in check(_environment(changes), {"local": replace(SOUND, **facts)}, ROLES)]


def _routes(*routes: Route) -> tuple[Route, ...]:
    return (*SOUND.routes, *routes)


def test_a_sound_host_has_no_faults() -> None:
    assert _said() == []


@pytest.mark.parametrize("destination", ["10.0.0.0/8", "10.87.0.0/24", "10.87.0.128/25", "10.87.0.7/32"])
def test_a_subnet_that_overlaps_a_route_of_the_host_is_refused(destination: str) -> None:
    assert _said(routes=_routes(Route(IPv4Network(destination), "tun0"))) == [
        f"dockstack:containerDefaults.gateway: 10.87.0.0/24 overlaps the route {destination} dev tun0 of host local."
        " Fix: Choose a subnet that the host has no route to."
    ]


def test_the_routes_of_one_interface_are_named_once() -> None:
    network = IPv4Network("10.87.0.0/16")
    routes = _routes(
        Route(network, "eth1"), Route(IPv4Network("10.87.0.9/32"), "eth1", "local"), Route(network, "eth1", "broadcast")
    )
    assert len(_said(routes=routes)) == 1


def test_a_blackhole_inside_the_subnet_is_refused() -> None:
    assert _said(routes=_routes(Route(IPv4Network("10.87.0.64/26"), "", "blackhole"))) == [
        "dockstack:containerDefaults.gateway: 10.87.0.0/24 overlaps the route blackhole 10.87.0.64/26 of host local."
        " Fix: Choose a subnet that the host has no route to."
    ]


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit"])
@pytest.mark.parametrize("metric", [0, 4096])
def test_a_route_of_somebody_elses_in_the_place_of_ours_is_refused(kind: str, metric: int) -> None:
    assert _said(routes=_routes(Route(IPv4Network("10.87.0.0/24"), "", kind, "boot", metric))) == [
        f"dockstack:containerDefaults.gateway: 10.87.0.0/24 overlaps the route {kind} 10.87.0.0/24 of host local."
        " Fix: Choose a subnet that the host has no route to."
    ]


@pytest.mark.parametrize(
    "route",
    [
        Route(IPv4Network("10.87.0.0/24"), "", "blackhole", "87", 4096),
        Route(IPv4Network("10.87.0.0/24"), "", "blackhole", "boot", 100),
        Route(IPv4Network("10.87.0.0/24"), "", "blackhole", "boot", 0, "77"),
        Route(IPv4Network("10.0.0.0/8"), "", "unreachable"),
        Route(IPv4Network("0.0.0.0/1"), "tun0"),
    ],
)
def test_a_route_that_leads_nowhere_or_everywhere_is_no_fault(route: Route) -> None:
    assert _said(routes=_routes(route)) == []


def test_the_routes_of_our_own_bridge_are_no_fault() -> None:
    ours = _routes(
        Route(IPv4Network("10.87.0.0/24"), "br-lab"),
        Route(IPv4Network("10.87.0.1/32"), "br-lab", "local"),
        Route(IPv4Network("10.87.0.0/24"), "", "blackhole"),
    )
    carried = {"br-lab": IPv4Network("10.87.0.0/24")}
    assert _said(routes=ours, bridges={"br-lab": "lab"}, carried=carried, links=SOUND.links | {"br-lab"}) == []


@pytest.mark.parametrize("before", ["10.87.0.0/24", "10.87.0.0/25", "10.86.0.0/15"])
def test_the_routes_of_a_bridge_of_ours_that_the_lab_is_about_to_leave_are_no_fault(before: str) -> None:
    network = IPv4Network(before)
    left = _routes(
        Route(network, "br-old"),
        Route(IPv4Network(f"{network[1]}/32"), "br-old", "local"),
        Route(network, "", "blackhole"),
    )
    facts: dict[str, Any] = {"routes": left, "links": SOUND.links | {"br-old"}, "carried": {"br-old": network}}
    assert _said(**facts, bridges={"br-old": "lab"}) == []
    assert _said(**facts, bridges={"br-old": "other"})[0].startswith(
        "dockstack:containerDefaults.gateway: 10.87.0.0/24 overlaps"
    )


def test_a_bridge_of_another_stack_is_refused() -> None:
    assert _said(bridges={"br-lab": "other"}) == [
        "dockstack:containerDefaults.bridge: bridge br-lab of host local is in use by stack other."
        " Fix: Choose another name for the bridge."
    ]


def test_a_bridge_that_is_not_ours_is_refused() -> None:
    assert _said(bridges={"br-lab": None}) == [
        "dockstack:containerDefaults.bridge: bridge br-lab of host local is in use by something that is not Dockstack."
        " Fix: Choose another name for the bridge."
    ]


def test_an_interface_of_the_bridges_name_is_refused() -> None:
    assert _said(links=SOUND.links | {"br-lab"}) == [
        "dockstack:containerDefaults.bridge: host local has an interface br-lab that is no Open vSwitch bridge."
        " Fix: Choose another name for the bridge."
    ]


def test_a_second_bridge_is_looked_at_too_and_named_at_its_container() -> None:
    apart = {"role": "plain", "bridge": "br-two", "gateway": "10.88.0.1", "address": "10.88.0.60", "dns": []}
    assert _said({"containers": {"plain1": apart}}, bridges={"br-two": "other"}) == [
        "dockstack:containers.plain1.bridge: bridge br-two of host local is in use by stack other."
        " Fix: Choose another name for the bridge."
    ]


def test_a_container_name_of_another_stack_is_refused() -> None:
    assert _said(containers={"puppet1": ("other", True)}) == [
        "dockstack:containers.puppet1: host local has a container puppet1, in use by stack other."
        " Fix: Choose another name, or remove that container if nobody needs it."
    ]


def test_a_container_name_of_a_stranger_is_refused() -> None:
    assert _said(containers={"puppet1": (None, False), "unrelated": (None, True)}) == [
        "dockstack:containers.puppet1: host local has a container puppet1, in use by something that is not Dockstack."
        " Fix: Choose another name, or remove that container if nobody needs it."
    ]


@pytest.mark.parametrize(("owner", "whose"), [(None, "something that is not Dockstack"), ("other", "stack other")])
def test_names_that_come_from_the_stacks_are_looked_at_too(owner: str | None, whose: str) -> None:
    assert _said(containers={"lab-keeper": (owner, True)}) == [
        f"stack: host local has a container lab-keeper, in use by {whose}."
        " Fix: Choose another name, or remove that container if nobody needs it."
    ]


@pytest.mark.parametrize(("owner", "whose"), [(None, "something that is not Dockstack"), ("other", "stack other")])
def test_a_volume_that_is_not_ours_is_refused(owner: str | None, whose: str) -> None:
    assert _said(volumes={"galera1-data": owner, "unrelated-data": None}) == [
        f"dockstack:containers.galera1: host local has a volume galera1-data, in use by {whose}."
        " Fix: Choose another name, or remove that volume if nobody needs it."
    ]


def test_our_own_volumes_are_no_fault() -> None:
    assert _said(volumes={"galera1-data": "lab"}, containers=RUNNING) == []


def test_a_link_of_a_ports_name_is_refused_unless_a_run_of_the_stack_may_have_left_it() -> None:
    link = f"{link_name('lab', 'galera1', 'eth0')}_l"
    fault = (
        f"dockstack:containers.galera1: host local has an interface {link}, which the port's link is to be called."
        f" Fix: Remove it with `ip link delete {link}`, or choose another name."
    )
    links = SOUND.links | {link}
    assert _said(links=links, pairs=frozenset({link})) == [fault]
    assert _said(links=links, directory="ours") == [fault]
    assert _said(links=links, pairs=frozenset({link}), directory="ours") == []


def test_what_somebody_else_has_put_into_the_stacks_directory_is_refused() -> None:
    assert _said(directory="foreign") == [
        "stack: host local has something in /var/lib/dockstack/stacks/lab that is not this stack's."
        " Fix: Move it away, or choose another name for the stack."
    ]
    assert _said(directory="ours") == []


def test_a_missing_volume_source_is_refused() -> None:
    volumes = {"containers": {"galera1": {"volumes": ["/srv/there:/a", "/srv/nowhere:/b"]}}}
    assert _said(volumes, absent_paths=frozenset({"/srv/nowhere"})) == [
        "dockstack:containers.galera1.volumes: host local has no `/srv/nowhere`."
        " Fix: Create it there, or leave the volume out."
    ]


def test_too_little_memory_is_refused_with_the_figures() -> None:
    assert _said(memory_available_mib=2707) == [
        "dockstack:containerHosts.local: 7 containers to start need 2708 MiB of memory, and 2707 MiB are available."
        " Fix: Leave containers out, or free memory on that host."
    ]
    assert _said(memory_available_mib=2708) == []


def test_containers_that_run_already_need_no_more_memory() -> None:
    running = {**RUNNING, "keystone1": ("lab", False)}
    assert _said(memory_available_mib=399, containers=running) == [
        "dockstack:containerHosts.local: 1 container to start needs 400 MiB of memory, and 399 MiB are available."
        " Fix: Leave containers out, or free memory on that host."
    ]
    assert _said(memory_available_mib=0, containers=RUNNING) == []


def test_too_little_disk_is_refused_with_the_figures() -> None:
    assert _said(disk_free_mib=5949, images=frozenset()) == [
        "dockstack:containerHosts.local: 7 images to build and 7 containers to make need about 5950 MiB of disk"
        " (700 for an image, 1050 for all containers), and 5949 MiB are free."
        " Fix: Free disk space below Docker's directory, e.g. with `docker image prune`."
    ]
    assert _said(disk_free_mib=5950, images=frozenset()) == []
    assert _said(disk_free_mib=1050) == []
    assert _said(disk_free_mib=0, containers=RUNNING) == []


def test_a_role_says_how_much_disk_its_container_needs_unless_that_runs_an_image_of_its_owners() -> None:
    foreign = "example.org/alpine:1"
    roles = {**ROLES, "memcached": replace(ROLES["memcached"], disk_mib=12)}
    others = {name: state for name, state in RUNNING.items() if name != "memcached1"}

    def sound(free: int, **given: Any) -> bool:
        found = replace(SOUND, disk_free_mib=free, images=IMAGES | {foreign}, containers=others)
        return not list(check(_environment({"containers": {"memcached1": given}}), {"local": found}, roles))

    assert (sound(12), sound(11)) == (True, False)
    assert (sound(150, image=foreign), sound(149, image=foreign)) == (True, False)


def test_docker_and_open_vswitch_have_to_answer() -> None:
    assert _said(docker_error="Cannot connect to the Docker daemon", ovs_error="database connection failed") == [
        "dockstack:containerHosts.local: its Docker engine doesn't answer: Cannot connect to the Docker daemon."
        " Fix: Run `make lab`, or `prepare/run` on that host.",
        "dockstack:containerHosts.local: its Open vSwitch doesn't answer: database connection failed."
        " Fix: Run `make lab`, or `prepare/run` on that host.",
    ]


@pytest.mark.parametrize(
    ("by", "undo"),
    [("DOCKER_HOST", "unset DOCKER_HOST"), ("docker context far", "unset DOCKER_CONTEXT; docker context use default")],
)
def test_one_engine_is_used_throughout_or_none(by: str, undo: str) -> None:
    assert _said(other_engine=(by, "tcp://192.0.2.1:2376")) == [
        f"{by}: names the Docker engine at tcp://192.0.2.1:2376, and the lab of host local is at"
        f" unix:///var/run/docker.sock. Fix: Run `{undo}` first; another machine's engine is one of `containerHosts`,"
        " with `ssh`."
    ]


@pytest.fixture
def other_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home without a configuration of Docker's, and with nothing set that names an engine."""
    for name in ("HOST", "CONTEXT", "CONFIG"):
        monkeypatch.delenv(f"DOCKER_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def _other_engine() -> tuple[str, str] | None:
    return gather(local, "lab").other_engine


@pytest.mark.parametrize(
    "address", ["", "unix:///var/run/docker.sock", "unix:///run/docker.sock", "unix:///run/../run//docker.sock", "LINK"]
)
def test_the_hosts_own_engine_has_many_spellings(
    other_docker: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    link = other_docker / "docker.sock"
    link.symlink_to("/var/run/docker.sock")
    monkeypatch.setenv("DOCKER_HOST", address.replace("LINK", f"unix://{link}"))
    assert _other_engine() is None


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:2375", "ssh://root@192.0.2.1", "unix:///run/other.sock", "odd"])
@pytest.mark.usefixtures("other_docker")
def test_an_engine_that_the_environment_names_is_seen(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    assert _other_engine() == ("DOCKER_HOST", address)


@pytest.mark.skipif(shutil.which("docker") is None, reason="no docker command here")
@pytest.mark.parametrize("way", ["chosen", "DOCKER_CONTEXT", "DOCKSTACK_DOCKER_CONTEXT"])
def test_an_engine_of_a_docker_context_is_seen(other_docker: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    for name, address in (("far", "tcp://192.0.2.1:2376"), ("near", "unix:///run/docker.sock")):
        subprocess.run(["docker", "context", "create", name, "--docker", f"host={address}"], check=True)

    def choose(name: str) -> None:
        if way != "chosen":
            monkeypatch.setenv(way, name)
        else:
            subprocess.run(["docker", "context", "use", name], check=True)

    assert _other_engine() is None
    choose("far")
    assert _other_engine() == ("docker context far", "tcp://192.0.2.1:2376")
    choose("near")
    assert _other_engine() is None
    choose("default")
    assert _other_engine() is None


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"version": "19.03.15"}, "its Docker engine is 19.03.15. Fix: Install Docker 20.10 or later."),
        (
            {"security": frozenset({"seccomp", "userns"})},
            "its Docker engine gives containers users of their own, and the lab's work with the host's network and"
            ' files. Fix: Remove "userns-remap" from /etc/docker/daemon.json, and restart Docker.',
        ),
        (
            {"security": frozenset({"rootless"})},
            "its Docker engine runs without root's rights, and can't give them to the containers that make bridges and"
            " networks. Fix: Use an engine that root runs.",
        ),
        (
            {"security": frozenset({"no-new-privileges"})},
            "its Docker engine keeps programs from gaining rights, and OpenStack's services do by sudo."
            ' Fix: Remove "no-new-privileges" from /etc/docker/daemon.json, and restart Docker.',
        ),
        (
            {"runtime": "kata-runtime"},
            "its Docker engine starts containers by kata-runtime, which the lab was not made for."
            ' Fix: Set "default-runtime" to "runc" in /etc/docker/daemon.json, and restart Docker.',
        ),
    ],
)
def test_settings_of_the_engine_that_a_lab_can_not_work_with_are_refused(told: dict[str, Any], said: str) -> None:
    assert _said(engine=Engine(**told)) == [f"dockstack:containerHosts.local: {said}"]


@pytest.mark.parametrize("version", ["", "20.10.24+dfsg1", "23.0.0", "28.5.2", "dev"])
def test_settings_of_the_engine_that_a_lab_can_work_with_are_no_fault(version: str) -> None:
    assert _said(engine=Engine(version, "btrfs", "runc", frozenset({"seccomp", "apparmor", "cgroupns"}))) == []


def test_a_storage_driver_that_copies_needs_more_disk() -> None:
    vfs = Engine(storage="vfs")
    assert _said(engine=vfs, disk_free_mib=5950) == []
    (fault,) = _said(engine=vfs, disk_free_mib=5949)
    assert "0 images to build and 7 containers to make need about 5950 MiB of disk" in fault
    (fault,) = _said(engine=vfs, disk_free_mib=25549, images=frozenset())
    assert "(2800 for an image, 5950 for all containers)" in fault


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (
            ("10.88.0.250", "other"),
            "vip.dockstack.lab is 10.88.0.250, by stack other. Fix: Give each lab a domain of its own.",
        ),
        (
            ("10.87.0.250", "other"),
            "vip.dockstack.lab is 10.87.0.250, by stack other. Fix: Give each lab a domain of its own.",
        ),
        (
            ("192.0.2.9", None),
            "vip.dockstack.lab is 192.0.2.9, by something that is not Dockstack."
            " Fix: Remove that line, or choose another domain.",
        ),
        (("10.88.0.250", "lab"), None),
        (("10.87.0.250", None), None),
    ],
)
def test_the_vips_name_is_this_labs_on_the_host(known: tuple[str, str | None], said: str | None) -> None:
    found = {"vip.dockstack.lab": known}
    expected = [f"dockstack:common.domain: the /etc/hosts of host local says that {said}"] if said else []
    assert _said(known=found) == expected
    # Without an API, nobody is told the name.
    assert _said({"containers": {"keystone1": "REMOVE"}}, known=found) == []


def test_missing_tools_are_named_once() -> None:
    assert _said(missing_tools=("docker", "ovs-vsctl"), docker_error="not found", ovs_error="not found") == [
        "dockstack:containerHosts.local: has no docker, ovs-vsctl. Fix: Run `make lab`, or `prepare/run` on that host."
    ]


def test_a_host_that_does_not_answer_is_the_only_fault_of_that_host() -> None:
    assert _said(unreachable="exit status 1", bridges={"br-lab": "other"}) == [
        "dockstack:containerHosts.local: doesn't answer: exit status 1."
        " Fix: Check that Pulumi's user can run `sh` here."
    ]
    far = _environment({"containerHosts": {"local": {"ssh": {"host": "192.0.2.20", "port": 2222}}}})
    (fault,) = check(far, {"local": HostFacts(unreachable="no answer within 30 s")}, ROLES)
    assert str(fault) == (
        "dockstack:containerHosts.local: doesn't answer: no answer within 30 s."
        " Fix: Try `ssh -p 2222 root@192.0.2.20 true`."
    )


def test_facts_of_a_legacy_file_are_reported_with_its_own_keys() -> None:
    environment = look({"environment": "token.yaml"}).environment
    assert environment is not None
    faults = check(environment, {"host1": replace(SOUND, bridges={"br0": None})}, ROLES)
    assert [fault.key for fault in faults] == [
        "token.yaml:containerdefault.bridge",
        "token.yaml:containers.galera1.volumes",
    ]
    assert faults[1].reason == "`/var/lib/mysql` is mounted by role galera itself"


def test_optional_volumes_are_left_out_where_the_host_lacks_their_source() -> None:
    environment = look({"environment": "token.yaml"}).environment
    assert environment is not None
    absent = frozenset(v.source for c in environment.containers for v in c.volumes)
    facts = {"host1": replace(SOUND, absent_paths=absent - {"/srv/backup"})}
    assert check(environment, facts, ROLES) == []
    applied, notes = apply_facts(environment, facts)
    assert [v.source for c in applied.containers for v in c.volumes] == ["/srv/backup"]
    assert [str(note) for note in sorted(notes)] == [
        "token.yaml:containers.dns1.volumes: left out, as the role mounts its own: /dockervolumes/dns1/dnsmasq.d",
        "token.yaml:containers.galera1.volumes: left out, as the role mounts its own:"
        " /dockervolumes/galera1/var/lib/mysql",
        "token.yaml:containers.puppet1.volumes: left out, as the role mounts its own:"
        " /dockervolumes/default/supervisor.conf",
    ]


def test_an_optional_volume_that_is_there_is_mounted() -> None:
    environment = look({"environment": "token.yaml"}).environment
    assert environment is not None
    applied, notes = apply_facts(environment, {"host1": SOUND})
    assert notes == []
    assert applied == environment


ANSWER = """\x1eengine
\x1emissing
ethtool
\x1epython
3 11
\x1eroutes
[{"dst":"default","gateway":"192.0.2.1","dev":"eth0","flags":[]},
 {"type":"local","dst":"192.0.2.2","dev":"eth0","table":"local"},{"type":"blackhole","dst":"10.87.0.0/24","protocol":"87","metric":4096},{"dst":"odd"}]
\x1elinks
[{"ifname":"lo"},{"ifname":"eth0","mtu":1500,"linkinfo":{"info_kind":"veth"}},{}]
\x1ebridges
{"data":[["br-lab",["map",[["dockstack-stack","lab"],["dockstack-network","10.87.0.0/24"]]]],["br0",["map",[["dockstack-network","odd"]]]]],"headings":["name","external_ids"]}
\x1econtainers
puppet1|running|lab|/var/lib/dockstack/stacks/lab/volumes/puppet1,puppet1-ca,puppet1-own|4711
old,alias|exited||old-data|4712
\x1evolumes
puppet1-ca|lab
puppet1-own|
old-data|
\x1edirectory
ours
\x1ebackend
file:///srv/backend
\x1ehosts
127.0.0.1 localhost # the machine
::1 localhost
10.87.0.250 VIP.dockstack.lab vip # dockstack:lab
10.88.0.250 vip.dockstack.lab
\x1einfo
{"ServerVersion":"20.10.24","Driver":"overlay2","DefaultRuntime":"runc","SecurityOptions":["name=seccomp,profile=default"]}
\x1eimages
dockstack/base:1
\x1edisk
Filesystem     1048576-blocks  Used Available Capacity Mounted on
overlay                100000 40000     60000      40% /
\x1ememory
MemTotal:       24000000 kB
MemAvailable:   20480000 kB
\x1ekernel
nfs
\x1eabsent
/srv/no where
\x1eend
"""


def test_the_answer_of_a_host_becomes_facts() -> None:
    assert gather(lambda script: ANSWER, "lab") == HostFacts(
        routes=(
            Route(IPv4Network("0.0.0.0/0"), "eth0"),
            Route(IPv4Network("192.0.2.2/32"), "eth0", "local", table="local"),
            Route(IPv4Network("10.87.0.0/24"), "", "blackhole", "87", 4096),
        ),
        links=frozenset({"lo", "eth0"}),
        pairs=frozenset({"eth0"}),
        bridges={"br-lab": "lab", "br0": None},
        carried={"br-lab": IPv4Network("10.87.0.0/24")},
        containers={"puppet1": ("lab", True), "old": (None, False), "alias": (None, False)},
        volumes={"puppet1-ca": "lab", "puppet1-own": "lab", "old-data": None},
        directory="ours",
        backend="file:///srv/backend",
        python=(3, 11),
        ids={"puppet1": "4711", "old": "4712", "alias": "4712"},
        mtus={"eth0": 1500},
        known={
            "localhost": ("127.0.0.1", None),
            "vip.dockstack.lab": ("10.87.0.250", "lab"),
            "vip": ("10.87.0.250", "lab"),
        },
        engine=Engine("20.10.24", "overlay2", "runc", frozenset({"seccomp"})),
        images=frozenset({"dockstack/base:1"}),
        memory_available_mib=20000,
        disk_free_mib=60000,
        missing_tools=("ethtool",),
        absent_paths=frozenset({"/srv/no where"}),
        kernel_lacks=frozenset({"nfs"}),
    )


def test_an_image_that_no_registry_gives_is_a_fault_with_its_reason() -> None:
    (fault,) = _said(unpublished=("docker.io/opensdn/opensdn-x:1", "dial tcp: lookup docker.io: no such host"))
    assert fault.startswith(
        "dockstack:opensdn: host local lacks docker.io/opensdn/opensdn-x:1, and its registry doesn't give it: no such"
        " host. Fix: Name a mirror by `registry`, or a tag that there is by `tag`; or bring the images"
    )


def test_the_engine_is_asked_for_published_images_that_are_neither_there_nor_in_use() -> None:
    answer = ANSWER.replace("\x1eabsent", "\x1epublished\nr.lab/a:1 dial tcp: no such host\n\x1eabsent")
    asked: list[str] = []

    def runner(script: str) -> str:
        asked.append(script)
        return answer

    facts = gather(runner, "lab", (), [("dockstack/config:1", "r.lab/a:1")])
    assert facts.unpublished == ("r.lab/a:1", "dial tcp: no such host")
    assert """'[["dockstack/config:1", "r.lab/a:1"]]'""" in asked[0]


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ({"/images/ours/json"}, ""),
        ({"/images/r.lab/a:1/json", "/images/r.lab/b:1/json"}, ""),
        ({"/images/r.lab/a:1/json", "/distribution/r.lab/b:1/json"}, ""),
        ({"/images/r.lab/a:1/json"}, "r.lab/b:1 no such host\n"),
        (set(), "r.lab/a:1 no such host\n"),
    ],
)
def test_what_is_on_the_engine_needs_no_registry(tmp_path: Path, there: set[str], said: str) -> None:
    script = preflight._SCRIPT.partition("<<'END' 2>/dev/null\n")[2].partition("\nEND\n")[0]
    script = script.replace("SOCKET", str(tmp_path / "engine")).replace("REGISTRY_SECONDS", "5")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in there else 404)
            self.end_headers()
            self.wfile.write(b'{"message": "no such host"}')

        def address_string(self) -> str:
            return ""

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = socketserver.ThreadingUnixStreamServer(str(tmp_path / "engine"), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        done = subprocess.run(
            [sys.executable, "-", json.dumps([["ours", "r.lab/a:1", "r.lab/b:1"]])],
            input=script, text=True, capture_output=True, check=True,
        )  # fmt: skip
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert done.stdout == said


def test_a_daemon_that_does_not_answer_is_told_from_one_without_anything() -> None:
    listed = ANSWER.partition("containers\n")[2].partition("\x1e")[0]
    answer = ANSWER.replace(listed, "\x1efailed\nfirst line\nCannot connect")
    facts = gather(lambda script: answer, "lab")
    assert facts.docker_error == "Cannot connect"
    assert facts.containers == {}
    assert facts.ovs_error is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (subprocess.TimeoutExpired("ssh", 30), "no answer within 30 s"),
        (
            subprocess.CalledProcessError(255, "ssh", stderr="warning\nHost key verification failed.\n"),
            "Host key verification failed.",
        ),
        (subprocess.CalledProcessError(255, "ssh"), "exit status 255"),
        (FileNotFoundError(2, "No such file or directory", "ssh"), "[Errno 2] No such file or directory: 'ssh'"),
    ],
)
def test_a_host_without_an_answer_is_said_to_be_unreachable(answer: Exception, said: str) -> None:
    def runner(script: str) -> str:
        raise answer

    assert gather(runner, "lab") == HostFacts(unreachable=said)


@pytest.mark.parametrize("answer", ["", "garbage", ANSWER.removesuffix("\x1eend\n")])
def test_an_answer_cut_short_is_no_answer(answer: str) -> None:
    assert gather(lambda script: answer, "lab") == HostFacts(unreachable="its answer is cut short")


def test_garbage_inside_an_answer_is_taken_for_no_fact() -> None:
    names = re.findall("\x1e(.*)", ANSWER)
    for garbage in ("", "{}", "[1]", "null", '{"data":[[1]]}', "a b c d e", "MemAvailable: x kB", "|||"):
        answer = "".join(f"\x1e{name}\n{garbage}\n" for name in names)
        facts = gather(lambda script, answer=answer: answer, "lab")  # type: ignore[misc]
        assert facts.unreachable is None
        assert (facts.routes, facts.bridges, facts.memory_available_mib, facts.disk_free_mib) == ((), {}, None, None)


def test_each_host_with_containers_is_asked_once_about_its_own_volumes() -> None:
    environment = _environment(
        {
            "containerHosts": {"idle": {"ssh": {"host": "192.0.2.20"}}},
            "containerDefaults": {"host": "local"},
            "containers": {"galera1": {"volumes": ["/srv/it's:/a"]}},
        }
    )
    asked: list[tuple[str, str]] = []

    def runner(host: ConfiguredHost) -> Any:
        def run(script: str) -> str:
            asked.append((host.name, script))
            return ANSWER

        return run

    assert list(gather_all(environment, runner)) == ["local"]
    assert [name for name, _ in asked] == ["local"]
    assert "for path in '/srv/it'\"'\"'s'; do" in asked[0][1]


def test_faults_of_the_configuration_and_of_the_hosts_come_together() -> None:
    with pytest.raises(ConfigurationFaults) as caught:
        verify(
            lab({"common": {"vip": "10.88.0.1"}}),
            stack="lab",
            roles=ROLES,
            base_dir=DATA,
            runner=lambda host: lambda script: ANSWER.replace('"dockstack-stack","lab"', '"dockstack-stack","other"'),
        )
    assert [fault.key for fault in caught.value.faults] == [
        "dockstack:common.vip",
        "dockstack:containerDefaults.bridge",
        "dockstack:containerHosts.local",
    ]


def test_a_lab_in_order_is_verified_with_its_notes() -> None:
    answer = ANSWER.replace("ethtool\n", "").replace("|lab", "|old").replace('"br0"', '"br9"')
    examined = verify(
        {"environment": "legacy/token.yaml"},
        stack="old",
        roles=ROLES,
        base_dir=DATA,
        runner=lambda host: (
            lambda script: answer.replace(
                "/srv/no where", "\n".join(sorted({w.strip("';") for w in script.split() if "/dockervolumes/" in w}))
            )
        ),
    )
    assert examined.environment.stack == "old"
    assert [str(note) for note in examined.notes if "as the role mounts its own" in str(note)] != []
    assert list(examined.notes) == sorted(examined.notes)


def test_ssh_asks_nothing_and_trusts_only_the_given_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def run(command: list[str], **arguments: Any) -> subprocess.CompletedProcess[str]:
        seen.update(command=command, script=arguments["input"])
        return subprocess.CompletedProcess(command, 0, "out", "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(ssh, "CONTROL", tmp_path)
    given = Ssh(host="192.0.2.20", port=2222, private_key="/keys/lab", host_key="ssh-ed25519 AAAA of-far")
    assert runner_for(ConfiguredHost(name="far", ssh=given))("echo") == "out"
    assert seen["script"] == "echo"
    options = set(seen["command"])
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes", "IdentityFile=/keys/lab", "-p2222", "-lroot"} <= options
    assert {"KnownHostsCommand=/usr/bin/echo %H ssh-ed25519 AAAA", "UserKnownHostsFile=/dev/null"} <= options
    assert over_ssh(given) is not local


def test_the_key_of_a_host_is_found_in_known_hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    keys = {kind: f"{kind} AAAA{kind[-3:]}" for kind in ("ssh-rsa", "ssh-ed25519")}
    lines = [f"[192.0.2.20]:2222 {key}" for key in keys.values()]
    (tmp_path / ".ssh/known_hosts").write_text("\n".join([*lines, ""]))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ssh.known_key(Ssh(host="192.0.2.20", port=2222)) == keys["ssh-ed25519"]
    assert ssh.known_key(Ssh(host="192.0.2.20")) is None


SEVERAL = {
    "containerHosts": {"far": {"ssh": {"host": "192.0.2.20", "hostKey": "ssh-ed25519 AAAA"}}},
    "containerDefaults": {"host": "local"},
    "containers": {"memcached1": {"host": "far"}},
}
FAR = replace(
    SOUND,
    routes=(*SOUND.routes, Route(IPv4Network("192.0.2.20/32"), "eth0", "local")),
    mtus={"eth0": 1500},
    python=(3, 11),
)


def _far_said(changes: dict[str, Any] | None = None, has: bool = False, **facts: Any) -> list[str]:
    environment, faults = locate(_environment(SEVERAL | (changes or {})), ROLES)
    found = {"far": replace(FAR, **facts)}
    return [*map(str, faults), *(str(fault) for fault in check(environment, found, ROLES, lambda _: has))]


def test_tunnels_end_where_a_host_is_reached_and_here_where_packets_to_it_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        preflight, "_near_end", lambda far: IPv4Address("192.0.2.2") if str(far) == "192.0.2.20" else None
    )
    environment, faults = locate(_environment(SEVERAL), ROLES)
    assert faults == []
    ends = {name: str(host.tunnel_address) for name, host in environment.hosts.items()}
    assert ends == {"local": "192.0.2.2", "far": "192.0.2.20"}


def test_where_nothing_is_joined_nobody_asks_where_tunnels_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_far_end", lambda _host: pytest.fail("it was asked"))
    assert (
        locate(
            _environment(
                {
                    "containerHosts": {"far": {"ssh": {"host": "nowhere.invalid"}}},
                    "containerDefaults": {"host": "local"},
                }
            ),
            ROLES,
        )[1]
        == []
    )


def test_an_end_that_nothing_tells_is_to_be_given() -> None:
    hosts = {"far": {"ssh": {"host": "nowhere.invalid"}}, "local": {"tunnelAddress": "192.0.2.2"}}
    assert [str(fault) for fault in locate(_environment(SEVERAL | {"containerHosts": hosts}), ROLES)[1]] == [
        "dockstack:containerHosts.far.tunnelAddress: is not known: nothing tells the host's own address."
        " Fix: Give the address by which the other hosts reach it."
    ]


@pytest.mark.parametrize(
    ("address", "reason"),
    [("127.0.0.1", "127.0.0.1 leads to no other host"), ("192.0.2.2", "192.0.2.2 is that of local already")],
)
def test_an_end_that_leads_nowhere_else_is_refused(address: str, reason: str) -> None:
    hosts = {"far": {"ssh": {"host": "192.0.2.20"}, "tunnelAddress": address}, "local": {"tunnelAddress": "192.0.2.2"}}
    if address == "192.0.2.2":
        reason = "192.0.2.2 is that of far already"
    (fault,) = locate(_environment(SEVERAL | {"containerHosts": hosts}), ROLES)[1]
    assert fault.reason == reason


def test_a_sound_host_behind_ssh_has_no_faults() -> None:
    assert _far_said() == []


def test_tunnels_have_to_end_at_an_address_that_the_host_has() -> None:
    assert _far_said(routes=SOUND.routes) == [
        "dockstack:containerHosts.far.tunnelAddress: host far has no address 192.0.2.20, where its tunnels are to end."
        " Fix: Give the address by which the other hosts reach it."
    ]


def test_packets_in_tunnels_have_to_fit_between_the_hosts() -> None:
    assert _far_said({"containerDefaults": {"host": "local", "mtu": 1500}}) == [
        "dockstack:containerHosts.far: eth0 carries 1500 bytes, and a packet of the containers' MTU 1500 has 1550 in a"
        " tunnel. Fix: Give the containers an MTU (`mtu`) of at most 1450."
    ]
    assert _far_said({"containerDefaults": {"host": "local", "mtu": 1500}}, mtus={"eth0": 1550}) == []


def test_an_uplink_is_an_interface_that_nothing_else_uses() -> None:
    hosts = {"far": {"ssh": {"host": "192.0.2.20"}, "uplink": "eth0"}, "local": {"uplink": "eth1"}}
    (address,) = _far_said({"containerHosts": hosts})
    assert "eth0 has the address 192.0.2.2, which nothing would reach any more" in address
    (absent,) = _far_said({"containerHosts": hosts}, links=frozenset({"lo"}))
    assert "host far has no interface `eth0`" in absent
    (narrow,) = _far_said({"containerHosts": hosts}, routes=(), mtus={"eth0": 1400})
    assert "eth0 carries 1400 bytes, and containers have an MTU of 1500" in narrow


def test_a_host_behind_ssh_is_prepared_from_here() -> None:
    assert _far_said(missing_tools=("docker",), docker_error="x", ovs_error="no socket") == [
        "dockstack:containerHosts.far: has no docker. Fix: Run `make hosts`, which prepares it.",
        "dockstack:containerHosts.far: its Open vSwitch doesn't answer: no socket."
        " Fix: Run `make hosts`, which prepares it.",
    ]


def test_images_of_all_hosts_take_disk_where_they_are_built() -> None:
    environment = _environment(SEVERAL)
    lacking = replace(SOUND, images=IMAGES - {"dockstack/memcached:1"}, disk_free_mib=1000)
    (here,) = (str(f) for f in check(environment, {"local": lacking}, ROLES) if "disk" in f.reason)
    assert "1 image to build and 6 containers to make" in here
    there = check(environment, {"far": replace(FAR, images=frozenset({"dockstack/memcached:1"}))}, ROLES)
    assert there == []


def test_an_old_python_is_said() -> None:
    (said,) = _far_said(python=(3, 9))
    assert "its Python is 3.9, and our tool needs 3.11" in said


def test_a_host_that_does_not_answer_is_a_fault_until_the_lab_has_something_there() -> None:
    (said,) = _far_said(unreachable="no route to host")
    assert said.startswith("dockstack:containerHosts.far: doesn't answer: no route to host")
    assert _far_said(unreachable="no route to host", has=True) == []


def test_what_was_learnt_of_a_host_goes_with_it() -> None:
    environment, _ = apply_facts(_environment(SEVERAL), {"far": replace(FAR, absent_paths=frozenset({"/dev/kvm"}))})
    assert environment.hosts["far"].absent == {"/dev/kvm"}
    assert not environment.hosts["far"].silent
    environment, _ = apply_facts(_environment(SEVERAL), {"far": HostFacts(unreachable="no")})
    assert environment.hosts["far"].silent


def test_this_machine_is_asked_for_real() -> None:
    if shutil.which("ip") is None:
        pytest.skip("no ip command here")
    facts = gather(runner_for(ConfiguredHost(name="local")), "lab", ["/nowhere at all", "/etc"])
    assert facts.unreachable is None
    assert facts.absent_paths == {"/nowhere at all"}
    assert "lo" in facts.links
    assert any(str(route.destination) == "127.0.0.0/8" for route in facts.routes)
    assert facts.memory_available_mib
    assert facts.disk_free_mib
    assert "127.0.0.1" in own_addresses()
