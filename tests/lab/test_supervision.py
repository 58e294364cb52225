"""supervisord is the init of every container, restarts what dies, and tells."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.lab.conftest import Lab
from tests.lab.harness import eventually, inside, inspect, long_drill, puppet_runs, run

pytestmark = pytest.mark.lab

CHANGED = 2
"""Puppet's exit code of a run that changed something."""


def test_supervisord_is_process_1_of_every_container(lab: Lab) -> None:
    for name in [*lab.services, f"{lab.stack}-keeper"]:
        pid = inspect(name)["State"]["Pid"]
        with open(f"/proc/{pid}/cmdline", "rb") as command:
            assert b"/usr/bin/supervisord" in command.read(), name


def test_its_files_are_mounted_from_the_host_and_read_only(lab: Lab) -> None:
    for name in lab.services:
        mounts = {mount["Destination"]: mount for mount in inspect(name)["Mounts"]}
        assert mounts["/etc/dockstack"]["Source"].startswith(f"/var/lib/dockstack/stacks/{lab.stack}/volumes/")
        assert mounts["/etc/dockstack"]["RW"] is False


def test_a_killed_program_is_restarted_and_shows_in_the_health(lab: Lab) -> None:
    memcached = lab.of_role("memcached")
    eventually("healthy before", lambda: _health(memcached) == "healthy")
    before = _programs(memcached)["memcached"]
    inside(memcached, "pkill", "-KILL", "--exact", "memcached")
    eventually("runs again", lambda: _programs(memcached).get("memcached", ("", 0))[0] == "RUNNING")
    assert _programs(memcached)["memcached"][1] < before[1] + 5


def test_a_puppet_run_starts_a_program_and_waits_for_it(lab: Lab) -> None:
    memcached = lab.of_role("memcached")
    inside(memcached, "supervisorctl", "stop", "memcached")
    assert _agent(memcached).returncode == CHANGED
    assert _programs(memcached)["memcached"][0] == "RUNNING"
    assert _agent(memcached).returncode == 0


@long_drill
def test_a_puppet_run_fails_with_the_last_lines_of_a_program_that_ends_again_and_again(lab: Lab) -> None:
    memcached = lab.of_role("memcached")
    program, away = "/usr/bin/memcached", "/usr/bin/memcached.away"
    inside(memcached, "mv", program, away)
    inside(memcached, "sh", "-c", f"printf '#!/bin/sh\\necho no cache today\\n' > {program}; chmod 755 {program}")
    try:
        inside(memcached, "supervisorctl", "restart", "memcached", check=False)
        done = _agent(memcached)
        assert done.returncode not in (0, CHANGED)
        assert "memcached is FATAL; its last lines:" in done.stdout + done.stderr
        assert "no cache today" in done.stdout + done.stderr
    finally:
        inside(memcached, "mv", away, program)
        inside(memcached, "supervisorctl", "start", "memcached")


@long_drill
def test_an_erlang_program_that_comes_first_leaves_the_port_mapper_to_supervisord(lab: Lab) -> None:
    broker = lab.of_role("rabbitmq")
    heard = _heard(broker)
    inside(broker, "supervisorctl", "stop", "rabbitmq-server", "epmd")
    try:
        assert run("docker", "exec", broker, "rabbitmqctl", "status", check=False).returncode != 0
    finally:
        inside(broker, "supervisorctl", "start", "epmd", "rabbitmq-server")
    lab.await_healthy()
    assert _programs(broker)["epmd"][0] == "RUNNING"
    # What is asked for before that is lost, and a volume would be in the making for ever.
    eventually("every service hears its queue again", lambda: _heard(broker) >= heard, interval=2)


def _heard(broker: str) -> set[str]:
    """Return the queues that somebody hears, without those whose names are of one life of a program."""
    said = inside(broker, "rabbitmqctl", "--quiet", "list_queues", "--no-table-headers", "name", "consumers")
    queues = (line.split() for line in said.splitlines())
    return {name for name, count in queues if count != "0" and not re.search("^reply_|_fanout_", name)}


def test_every_container_becomes_healthy(lab: Lab) -> None:
    for name in [*lab.services, f"{lab.stack}-keeper"]:
        eventually(f"{name} healthy", lambda name=name: _health(name) == "healthy", interval=1)  # type: ignore[misc]


def test_no_container_is_privileged_and_only_the_keeper_sees_the_docker_socket(lab: Lab) -> None:
    for name in [*lab.services, f"{lab.stack}-keeper"]:
        found = inspect(name)
        assert found["HostConfig"]["Privileged"] is False
        sockets = [mount for mount in found["Mounts"] if "docker.sock" in mount["Source"]]
        assert bool(sockets) == name.endswith("-keeper"), name


def _agent(container: str) -> subprocess.CompletedProcess[str]:
    return puppet_runs([container], "--detailed-exitcodes")[container]


def _health(container: str) -> str:
    return str(inspect(container)["State"]["Health"]["Status"])


def _programs(container: str) -> dict[str, tuple[str, int]]:
    """Return state and uptime of each program, by the container's own account."""
    said = run("docker", "exec", container, "/etc/dockstack/bin/health", check=False).stdout
    rows = [line.split() for line in said.splitlines()]
    return {row[0]: (row[1], int(row[3].rstrip("s"))) for row in rows}
