"""A lab on this machine and a second host: one bridge, one set of images, and each host's losses are mended there."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.harness import HOME, Stack, eventually, inside, interface, run
from tests.lab.hosts import Host, hosts, over_hosts

pytestmark = pytest.mark.lab

NUMBER = 70
HERE, FAR = "t70-here", "t70-far"
DNS, PUPPET, CACHE = "t70-dns", "t70-puppet", "t70-cache"
MTU = 1450
"""What is left of the segment's 1500 bytes inside a tunnel."""
HEADERS = 28


def containers(far: bool) -> dict[str, Any]:
    """Return the containers of the lab, with those of the second host or without."""
    here = {
        DNS: {"role": "dnsmasq", "address": "10.86.70.10"},
        PUPPET: {"role": "puppet", "address": "10.86.70.11"},
        HERE: {"role": "plain", "address": "10.86.70.12"},
    }
    there = {
        FAR: {"role": "plain", "address": "10.86.70.20", "host": "far"},
        CACHE: {"role": "memcached", "address": "10.86.70.21", "host": "far"},
    }
    return {**here, **(there if far else {})}


def configured(host: Host, *, far: bool = True) -> dict[str, Any]:
    """Return the lab's configuration."""
    given = over_hosts(NUMBER, containers(far), **({"far": host} if far else {}))
    # Without tunnels it would be another one, and the containers would be made anew when the second host goes.
    given["containerDefaults"]["mtu"] = MTU
    return given


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Switch a second host on."""
    with hosts(tmp_path_factory.mktemp("hosts"), "dsh-far") as (made,):
        yield made


@pytest.fixture(scope="module")
def before(host: Host) -> str:
    """Return what the second host has without a lab."""
    return host.inventory()


@pytest.fixture(scope="module")
def pair(host: Host, before: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Bring the lab up."""
    made = Stack(f"t{NUMBER}", tmp_path_factory.mktemp("stack") / "project", configured(host))
    try:
        made.up()
        yield made
    finally:
        made.end()


def passes(address: str, size: int = MTU) -> bool:
    """Say whether a packet of a size passes from this host's container in one piece."""
    asked = ("ping", "-c1", "-W1", "-Mdo", f"-s{size - HEADERS}", address)
    return run("docker", "exec", HERE, *asked, check=False).returncode == 0


def summary(said: str) -> str:
    """Return what Pulumi says of all resources together."""
    return " ".join(said.partition("Resources:")[2].split("Duration")[0].split())


def test_a_host_is_prepared_from_here_and_again(host: Host, tmp_path: Path) -> None:
    given = {"config": {f"dockstack:{key}": value for key, value in configured(host).items()}}
    (tmp_path / "Pulumi.t70.yaml").write_text(yaml.safe_dump(given))
    env = {**os.environ, "PULUMI_OPTION_CONFIG_FILE": str(tmp_path / "Pulumi.t70.yaml")}
    for _ in range(2):
        said = run("python3", "-m", "commands.hosts", "t70", env=env).stdout
        assert re.search(r"^far: docker: engine \S+ answers$", said, re.MULTILINE)
        assert re.search(r"^far: openvswitch: .* answers$", said, re.MULTILINE)
        assert said.endswith("far: prepared\n")
    assert not host.run("ls -d /tmp/dockstack-hosts.*", check=False).stdout


def test_containers_of_both_hosts_reach_each_other_with_packets_of_their_full_size(pair: Stack, host: Host) -> None:
    found = interface(HERE)
    assert found is not None and found[2] == MTU
    assert passes("10.86.70.20") and passes("10.86.70.21")
    assert not passes("10.86.70.20", MTU + 1)
    back = host.run(f"docker exec {FAR} ping -c1 -W1 -Mdo -s{MTU - HEADERS} 10.86.70.12")
    assert " 0% packet loss" in back.stdout


def test_names_are_known_on_both_hosts_whichever_host_they_are_of(pair: Stack, host: Host) -> None:
    assert inside(HERE, "getent", "hosts", f"{CACHE}.t70.lab").split()[0] == "10.86.70.21"
    assert host.run(f"docker exec {FAR} getent hosts {HERE}.t70.lab").stdout.split()[0] == "10.86.70.12"


def test_images_of_the_second_host_were_built_here(pair: Stack, host: Host) -> None:
    listed = "docker image ls --no-trunc --format '{{.Repository}} {{.ID}}' dockstack/memcached"
    assert set(host.run(listed).stdout.split("\n")) <= set(run("sh", "-c", listed).stdout.split("\n"))


def test_each_host_is_reached_by_its_own_address_and_the_tunnel_is_all_that_joins_them(pair: Stack, host: Host) -> None:
    addresses = host.run("ip -j -4 address show dev br-t70").stdout
    (own,) = (a["local"] for link in json.loads(addresses) for a in link["addr_info"])
    assert own not in ("10.86.70.1", *(c["address"] for c in containers(True).values()))
    assert host.run(f"ping -c1 -W1 -I {own} 10.86.70.12").returncode == 0
    assert "blackhole 10.86.70.0/24" in host.run("ip route").stdout


def test_nothing_is_to_be_changed_of_what_has_just_come_up(pair: Stack) -> None:
    assert "unchanged" in summary(pair.up().stdout).split(" ", 1)[1]


def test_a_container_that_restarts_there_has_its_port_again_by_that_hosts_keeper(pair: Stack, host: Host) -> None:
    host.run(f"docker restart -t 0 {FAR}")
    eventually("it is reached", lambda: passes("10.86.70.20"))


def test_what_was_stopped_there_by_hand_is_told_by_a_preview_and_mended_by_an_update(pair: Stack, host: Host) -> None:
    host.run(f"docker stop -t 0 {FAR}")
    said = pair.preview().stdout
    assert f"container {FAR} is exited" in said and "1 to update" in said
    pair.up()
    assert passes("10.86.70.20")


def test_a_container_that_no_state_knows_is_cleared_there(pair: Stack, host: Host) -> None:
    image = host.run("docker image ls -q dockstack/base").stdout.split()[0]
    host.run(f"docker run -d --name t70-left --label dockstack.stack=t70 --network none {image} sleep infinity")
    pair.up()
    assert host.run("docker inspect t70-left", check=False).returncode != 0


def test_without_power_there_a_preview_goes_on_for_the_others_and_all_is_back_with_it(pair: Stack, host: Host) -> None:
    host.cut_power()
    said = pair.preview()
    assert "host far doesn't answer" in said.stdout and "unchanged" in summary(said.stdout)
    host.switch_on()
    began = time.monotonic()
    eventually("both containers are reached", lambda: passes("10.86.70.20") and passes("10.86.70.21"))
    print(f"reached {time.monotonic() - began:.1f} s after the host")
    eventually("the cache answers", lambda: b"STAT" in _stats())
    assert "unchanged" in summary(pair.up().stdout).split(" ", 1)[1]


def _stats() -> bytes:
    talk = "exec 3<>/dev/tcp/10.86.70.21/11211; echo stats >&3; timeout 1 head -n1 <&3"
    return run("docker", "exec", HERE, "bash", "-c", talk, check=False).stdout.encode()


def test_a_host_that_is_gone_for_good_is_forgotten_and_may_come_back(pair: Stack, host: Host) -> None:
    entry = HOME / f"stacks/t{NUMBER}/volumes/{PUPPET}/secrets/nodes/{CACHE}.t70.lab.yaml"
    assert entry.exists()
    host.cut_power()
    run("make", "forget", "HOST=far", f"STACK=t{NUMBER}", env=pair.env)
    pair.configure(configured(host, far=False))
    pair.up()
    assert not entry.exists()
    assert "vxlan" not in run("ip", "-d", "link", "show", "type", "vxlan").stdout
    # Back with all that it had, it is the lab's again.
    host.switch_on()
    pair.configure(configured(host))
    pair.up()
    assert passes("10.86.70.20") and passes("10.86.70.21")


def test_a_host_that_is_taken_out_is_left_clean_and_the_others_run_on(pair: Stack, host: Host, before: str) -> None:
    began = run("docker", "inspect", "--format", "{{.State.StartedAt}}", DNS).stdout
    pair.configure(configured(host, far=False))
    pair.up()
    assert host.inventory() == before
    assert run("docker", "inspect", "--format", "{{.State.StartedAt}}", DNS).stdout == began
    assert run("docker", "exec", HERE, "getent", "hosts", f"{FAR}.t70.lab", check=False).returncode != 0


def test_destroy_leaves_nothing_on_either_host(pair: Stack, host: Host, before: str) -> None:
    pair.configure(configured(host))
    pair.up()
    pair.destroy()
    assert host.inventory() == before
    assert "br-t70" not in run("ovs-vsctl", "list-br").stdout
    assert "vxlan" not in run("ip", "-d", "link", "show", "type", "vxlan").stdout
    assert "10.86.70" not in run("ip", "route").stdout
