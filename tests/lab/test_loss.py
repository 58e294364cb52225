"""What was killed comes back by itself, and nothing that was acknowledged is lost."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from commands import kept
from tests.lab.acknowledged import FAULTS, Acknowledged
from tests.lab.cloud import BOOT_SECONDS, connect, guest, has, volume
from tests.lab.conftest import Lab
from tests.lab.harness import (
    PROJECT,
    Make,
    eventually,
    inside,
    inspect,
    interface,
    kill,
    kill_containers,
    kill_host,
    long_drill,
    network_of,
    outside_of_make,
    plain,
    run,
    started_at,
)

pytestmark = [pytest.mark.lab, pytest.mark.drill]

RESTART_SECONDS = 120
RUN_SECONDS = 1200
REPORT_SECONDS = 110
SILENCE_SECONDS = 60
SPARE_BYTES = 32 << 20
"""What a container may use beyond what it does; Docker's /dev/shm, 64 MiB, takes more."""


def back(lab: Lab, acknowledged: Acknowledged, lost: str, since: float) -> None:
    """Wait until all works again and all that was acknowledged is there; print the seconds."""
    lab.await_healthy()
    acknowledged.await_all()
    print(f"{lost}: all is back after {time.monotonic() - since:.1f} s")


def programs(container: str) -> dict[str, tuple[str, str]]:
    """Return state and process number of each supervised program; nothing while supervisord does not answer."""
    said = run("docker", "exec", container, "supervisorctl", "status", check=False)
    if said.returncode not in (0, 3):
        return {}
    rows = [line.replace(",", " ").split() for line in said.stdout.splitlines()]
    return {row[0]: (row[1], row[3] if row[1] == "RUNNING" else "") for row in rows}


def run_all(container: str, before: Mapping[str, tuple[str, str]], *, anew: bool) -> bool:
    """Say whether the programs run that did before, and under other process numbers."""
    now = programs(container)
    return now.keys() == before.keys() and all(
        state == "RUNNING" and not (anew and pid == before[name][1]) for name, (state, pid) in now.items()
    )


@long_drill
def test_every_program_that_was_killed_runs_again(lab: Lab, acknowledged: Acknowledged) -> None:
    for container in [*lab.services, f"{lab.stack}-keeper"]:
        before = programs(container)
        assert all(state == "RUNNING" for state, _ in before.values()), (container, before)
        if not before:
            # Tempest's has supervisord alone.
            assert lab.services[container]["role"] == "tempest"
            continue
        since = time.monotonic()
        inside(container, "sh", "-c", 'kill -9 "$@"', "sh", *(pid for _, pid in before.values()))
        what = f"{', '.join(before)} of {container}"
        eventually(f"{what} run", lambda c=container, b=before: run_all(c, b, anew=True), RESTART_SECONDS)  # type: ignore[misc]
        print(f"killed {what}: they run again after {time.monotonic() - since:.1f} s")
    back(lab, acknowledged, "killed every program", since)


@pytest.mark.parametrize("way", [pytest.param("restarted", marks=long_drill), "killed"])
def test_all_containers_at_once_come_back(lab: Lab, acknowledged: Acknowledged, tmp_path: Path, way: str) -> None:
    starts = started_at(lab.stack)
    ports = ports_of(lab)
    since = time.monotonic()
    if way == "killed":
        kill_containers(lab.stack)
    else:
        # Docker itself takes one after the other.
        with ThreadPoolExecutor(len(starts)) as pool:
            list(pool.map(lambda name: run("docker", "restart", "--time", "10", name), starts))
    eventually("all containers start again", lambda: _all_anew(lab.stack, starts), RESTART_SECONDS)
    for name, port in ports.items():
        eventually(f"{name} has its port", lambda name=name, port=port: interface(name) == port)  # type: ignore[misc]
    what = f"process 1 of every container {way}" if way == "killed" else f"every container {way}"
    print(f"{what}: all ports are back after {time.monotonic() - since:.1f} s")
    back(lab, acknowledged, what, since)
    if way == "killed":
        _takes_orders(lab, tmp_path)


def _takes_orders(lab: Lab, directory: Path) -> None:
    """See a guest and a volume made, which what runs already doesn't tell."""
    cloud = connect(lab.openrc)
    if has(cloud, "volumev3"):
        with volume(cloud, "test-after-restart"):
            pass
    if has(cloud, "compute"):
        with guest(cloud, "test-after-restart", directory, floating=True) as booted:
            booted.await_ssh(BOOT_SECONDS)


def _all_anew(stack: str, before: dict[str, str]) -> bool:
    now = started_at(stack)
    return now.keys() == before.keys() and all(now[name] != before[name] for name in now)


def test_a_killed_keeper_comes_back_and_wires_what_is_restarted(stack: Make) -> None:
    stack("t34", plain(34, 2)).up()
    keeper, victim = "t34-keeper", "t34-p1"
    port, started = interface(victim), inspect(keeper)["State"]["StartedAt"]
    assert port
    since = time.monotonic()
    os.kill(inspect(keeper)["State"]["Pid"], signal.SIGKILL)
    # At once: a container's start that nobody sees is found when the keeper is back.
    run("docker", "restart", "--time", "10", victim)
    eventually(f"{victim} has its port", lambda: interface(victim) == port)
    print(f"killed keeper: it is back, with a port that it owed, after {time.monotonic() - since:.1f} s")
    assert inspect(keeper)["State"]["StartedAt"] != started
    run("docker", "restart", "--time", "10", victim)
    eventually(f"{victim} has its port again", lambda: interface(victim) == port)


# As a service waits for its database, which greets whoever comes.
WAIT = """
import socket, sys
with socket.create_connection((sys.argv[1], 3306)) as connection:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    print(len(connection.recv(4096)) > 0, flush=True)
    try:
        connection.recv(4096)
    except OSError:
        pass
"""


def test_a_service_does_not_wait_for_one_who_was_cut_off(lab: Lab) -> None:
    """The proxy ends with its network gone, so that it says no goodbye, and another one takes the VIP."""
    proxy = lab.of_role("haproxy")
    vip = str(lab.settings()["config"]["dockstack:common"]["vip"])
    command = ["docker", "exec", "-i", lab.of_role("keystone"), "python3", "-c", WAIT, vip]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        try:
            assert service.stdout and service.stdout.readline() == "True\n"
            run(*network_of(proxy), "ip", "link", "set", "eth0", "down")
            since = time.monotonic()
            run("docker", "kill", proxy)
            service.wait(SILENCE_SECONDS)
            print(f"cut off from the proxy: noticed after {time.monotonic() - since:.1f} s")
        finally:
            service.kill()
            lab.await_healthy()


def test_a_page_of_the_dashboard_does_not_wait_for_a_cache_that_stands_still(lab: Lab) -> None:
    dashboard, cache = lab.of_role("dashboard"), lab.of_role("memcached")
    # At the container: haproxy would answer in its place, once a check has found out that it doesn't.
    domain = lab.settings()["config"]["dockstack:common"]["domain"]
    page = f"http://{dashboard}.{domain}/horizon/auth/login/"
    ask = ("curl", "--silent", "--output", "/dev/null", "--max-time", "10", "--write-out", "%{http_code}", page)
    assert inside(dashboard, *ask) == "200"
    run("docker", "pause", cache)
    try:
        assert inside(dashboard, *ask) == "500"
    finally:
        run("docker", "unpause", cache)
        lab.await_healthy()
    assert inside(dashboard, *ask) == "200"


@long_drill
def test_computes_and_agents_count_as_up_while_the_broker_comes_back(lab: Lab, acknowledged: Acknowledged) -> None:
    """Reports that are lost with the broker are waited for by those who sent them, for a minute."""
    cloud = connect(lab.openrc)
    since = time.monotonic()
    run("docker", "kill", lab.of_role("rabbitmq"))
    while time.monotonic() < since + REPORT_SECONDS:
        with suppress(*FAULTS):
            down = [f"{each.binary} of {each.host}" for each in cloud.compute.services() if each.state != "up"]
            down += [f"{each.agent_type} of {each.host}" for each in cloud.network.agents() if not each.is_alive]
            assert not down, f"after {time.monotonic() - since:.0f} s"
        time.sleep(2)
    back(lab, acknowledged, "killed RabbitMQ, and watched reports", since)


@long_drill
@pytest.mark.parametrize("role", ["galera", "rabbitmq", "keystone", "memcached", "haproxy"])
def test_a_container_out_of_memory_comes_back(lab: Lab, acknowledged: Acknowledged, role: str) -> None:
    """The kernel ends what is largest in the container, when a file in memory leaves too little."""
    container = lab.of_role(role)
    before = programs(container)
    group = memory_group(container)
    earlier = len(killed(group))
    with limited(group, used(group) + SPARE_BYTES):
        try:
            inside(container, "dd", "if=/dev/zero", "of=/dev/shm/filler", "bs=1M", check=False)
            eventually("the kernel kills", lambda: len(killed(group)) > earlier)
            since = time.monotonic()
        finally:
            # A container whose process 1 was killed takes its file along.
            inside(container, "rm", "-f", "/dev/shm/filler", check=False)
    eventually(f"the programs of {container} run", lambda: run_all(container, before, anew=False), RESTART_SECONDS)
    back(lab, acknowledged, f"{container} out of memory, killed {', '.join(killed(group)[earlier:])}", since)


def memory_group(container: str) -> Path:
    """Return the directory of the container's control group for memory, of either version."""
    groups: dict[str, str] = {}
    for line in Path(f"/proc/{inspect(container)['State']['Pid']}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        groups.update((controller, path.strip("/")) for controller in controllers.split(","))
    root = Path("/sys/fs/cgroup")
    return root / "memory" / groups["memory"] if "memory" in groups else root / groups[""]


def killed(group: Path) -> list[str]:
    """Return the names of what the kernel killed in a group for want of memory, by its own log."""
    said = re.findall(r"oom-kill:.*/([^/,]+),task=([^,]+),", run("dmesg").stdout)
    return [task for of, task in said if of == group.name]


def used(group: Path) -> int:
    """Return the bytes that the kernel can't do without: the processes' own."""
    values = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    return int(values.get("total_rss") or values["anon"])


@contextmanager
def limited(group: Path, limit: int) -> Iterator[None]:
    """Let a group use so much memory and no more, swap included."""
    limits = {
        "memory.limit_in_bytes": limit,
        "memory.memsw.limit_in_bytes": limit,
        "memory.swap.max": 0,
        "memory.max": limit,
    }
    files = [group / name for name in limits if (group / name).exists()]
    before = [file.read_text() for file in files]
    try:
        for file in files:
            file.write_text(str(limits[file.name]))
        yield
    finally:
        for file, text in reversed(list(zip(files, before, strict=True))):
            # A container that was started again has another group, without a limit.
            with suppress(OSError):
                file.write_text(text)


@long_drill
def test_drills_of_the_labs_owner_find_all_that_was_acknowledged_and_leave_nothing(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "losses.md"
    command = ["make", "drill", f"STACK={lab.stack}"]
    said = run(*command, "NAME=kill-keystone kill-galera kill-rabbitmq", f"FILE={file}", timeout=RUN_SECONDS).stdout
    told = re.findall(r"^acknowledged and lost: (.*)$", said, re.MULTILINE)
    assert len(told) == 3 and not re.search(r"(?<!\d)[1-9]\d* of", " ".join(told)), told
    kinds = [kind for kind, role in KEPT.items() if role in {each["role"] for each in lab.services.values()}]
    assert all(re.search(rf"0 of [1-9]\d* {kind}", line) for kind in kinds for line in told), told
    assert len(file.read_text().splitlines()) == 2 + 3
    assert of_drills(lab) == []

    with subprocess.Popen(
        [*command, "NAME=stop-keystone"], cwd=PROJECT, env=outside_of_make(os.environ), start_new_session=True
    ) as process:
        eventually("Keystone is stopped", lambda: not inspect(lab.of_role("keystone"))["State"]["Running"])
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(180) != 0
    lab.await_healthy()
    assert of_drills(lab) == []


KEPT = {"users": "keystone", "images": "glance", "volumes": "cinder", "messages": "rabbitmq", "rows": "galera"}
"""What drills have a lab keep, and the role that it takes."""


def of_drills(lab: Lab) -> list[str]:
    """Return the names of all that is in the lab for a drill."""
    cloud = connect(lab.openrc)
    listed = [*cloud.identity.users()]
    listed += cloud.image.images() if has(cloud, "image") else []
    listed += cloud.block_storage.volumes() if has(cloud, "volumev3") else []
    names = [each.name for each in listed]
    names += inside(lab.of_role("rabbitmq"), "rabbitmqctl", "list_queues", "--silent", "name").split()
    names += inside(lab.of_role("galera"), "mariadb", "-NBe", "SHOW DATABASES; SELECT user FROM mysql.user").split()
    return [name for name in names if name.startswith((kept.NAME, kept.DATABASE))]


@pytest.mark.alone
def test_the_lab_returns_after_the_host_lost_its_power(lab: Lab, acknowledged: Acknowledged) -> None:
    """Docker, Open vSwitch and all that runs in containers is killed; what the kernel itself holds stays."""
    ports = ports_of(lab)
    kill_host()
    return_by_make_lab(lab, ports, acknowledged, "all processes of Docker and Open vSwitch")


@long_drill
@pytest.mark.alone
def test_the_lab_returns_after_the_switchs_database_was_killed(lab: Lab, acknowledged: Acknowledged) -> None:
    """Nobody looks after Open vSwitch where there is no systemd; `make lab` starts again what doesn't run."""
    ports = ports_of(lab)
    kill([int(Path("/var/run/openvswitch/ovsdb-server.pid").read_text())])
    return_by_make_lab(lab, ports, acknowledged, "ovsdb-server")
    # The keeper reaches the new one.
    name = lab.of_role("memcached")
    run("docker", "restart", "--time", "10", name)
    eventually(f"{name} has its port", lambda: interface(name) == ports[name])


@long_drill
@pytest.mark.alone
def test_the_lab_returns_after_the_switch_was_killed(lab: Lab, acknowledged: Acknowledged) -> None:
    """With the userspace datapath the traffic and the bridges' own interfaces end with it."""
    ports = ports_of(lab)
    kill([int(Path("/var/run/openvswitch/ovs-vswitchd.pid").read_text())])
    return_by_make_lab(lab, ports, acknowledged, "ovs-vswitchd")


def ports_of(lab: Lab) -> dict[str, tuple[str, str, int]]:
    """Return what each container's port is like; all have one."""
    found = {name: interface(name) for name in lab.addresses}
    ports = {name: port for name, port in found.items() if port}
    assert ports.keys() == found.keys()
    return ports


def return_by_make_lab(
    lab: Lab, ports: Mapping[str, tuple[str, str, int]], acknowledged: Acknowledged, lost: str
) -> None:
    """Run `make lab`, and look whether all is as it was; print the seconds."""
    since = time.monotonic()
    run("make", "lab", f"STACK={lab.stack}", timeout=RUN_SECONDS)
    print(f"killed {lost}: `make lab` took {time.monotonic() - since:.1f} s")
    lab.await_healthy()
    for name, port in ports.items():
        eventually(f"{name} has its port", lambda name=name, port=port: interface(name) == port)  # type: ignore[misc]
    acknowledged.await_all()
    print(f"killed {lost}: all is back after {time.monotonic() - since:.1f} s")
