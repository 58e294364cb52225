"""What is done behind the lab's back is told by the next preview and mended by the next `up`; then nothing is to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab import cloud as clouds
from tests.lab.conftest import Lab
from tests.lab.harness import (
    HOME,
    Make,
    eventually,
    inside,
    inspect,
    interface,
    long_drill,
    plain,
    run,
    started_at,
)

pytestmark = pytest.mark.lab

KINDS = (
    "-files",
    "-port",
    "-registration",
    "-certificate",
    "-provisioning",
    "-health",
    "-membership",
    "-agents",
    "-queues",
)


def planned(text: str) -> set[str]:
    """Return the resources that a preview would change."""
    return {word.removesuffix("...") for word in text.split() if word.endswith(KINDS)}


@contextmanager
def broken(lab: Lab) -> Iterator[dict[str, str]]:
    """Change one thing of each kind by hand; return how a preview has to put it, by the resource that mends it."""
    lab.await_healthy()
    cache, web, idle = lab.of_role("memcached"), lab.of_role("dashboard"), lab.of_role("tempest")
    proxy, server = lab.of_role("haproxy"), lab.of_role("puppet")
    volumes = HOME / "stacks" / lab.stack / "volumes"
    rendered = volumes / cache / "bin/health"
    entry = next((volumes / server / "code/environments/production/data/nodes").glob(f"{web}.*"))
    with rendered.open("a") as file:
        file.write("# by hand\n")
    entry.unlink()
    run("docker", "stop", "--time", "5", idle)
    fqdn = entry.name.removesuffix(".yaml")
    inside(server, "/etc/dockstack/bin/clean-certificates", fqdn)
    inside(cache, "supervisorctl", "stop", "memcached")
    inside(proxy, "sh", "-c", f"echo 'set server dashboard/{web} state maint' | nc -U -N /run/haproxy.sock")
    told = {
        f"{cache}-files": f"{rendered} was edited",
        f"{web}-registration": f"{entry} is gone",
        f"{idle}-port": f"container {idle} is exited",
        f"{idle}-health": f"container {idle} is exited",
        f"{web}-certificate": f"the certificate of {fqdn} ends soon, was revoked, or is gone from the authority",
        f"{cache}-health": f"{cache}: its program memcached was stopped",
        f"{proxy}-health": f"{proxy}: {web} was taken out of service for dashboard",
        f"{web}-health": f"{web} does not work: ",
    }
    try:
        yield told
    except BaseException:
        # The other tests find the lab as it was.
        lab.pulumi("up", "--yes", "--skip-preview")
        raise


def test_what_was_changed_by_hand_is_told_and_mended_by_up(lab: Lab) -> None:
    with broken(lab) as told:
        before = started_at(lab.stack)
        said = lab.pulumi("preview")
        for reason in told.values():
            assert re.search(f"{re.escape(reason)}[^;]*; `pulumi up` mends it", said), reason
        assert planned(said) == set(told)

        lab.pulumi("up", "--yes", "--skip-preview")

        lab.pulumi("preview", "--expect-no-changes")
        idle = lab.of_role("tempest")
        assert {name: when for name, when in started_at(lab.stack).items() if name != idle} == {
            name: when for name, when in before.items() if name != idle
        }
        lab.await_healthy()
        web = lab.of_role("dashboard")
        # The new certificate is good for a run.
        done = run("docker", "exec", web, "puppet", "agent", "--test", "--noop", "--color", "false", check=False)
        assert done.returncode == 0, done.stdout[-2000:]


@long_drill
def test_a_database_that_was_dropped_is_told_and_made_again(lab: Lab) -> None:
    """Empty as it is then, the computes fill Placement's when they are started again."""
    lab.await_healthy()
    cloud = clouds.connect(lab.openrc)
    clouds.needs(cloud, "compute")
    galera, compute = lab.of_role("galera"), lab.of_role("compute")

    def providers() -> set[str]:
        return {provider.name.split(".")[0] for provider in cloud.placement.resource_providers()}

    assert compute in providers()
    inside(galera, "mariadb", "--execute", "DROP DATABASE placement")
    assert f"database placement of {galera} is gone; `pulumi up` mends it" in lab.pulumi("preview")

    lab.pulumi("up", "--yes", "--skip-preview")
    assert providers() == set()
    run("docker", "restart", compute)
    eventually("Placement has the compute", lambda: compute in providers(), 180, 2)
    lab.await_healthy()
    lab.pulumi("preview", "--expect-no-changes")


def test_a_bridge_that_was_deleted_is_told_and_made_again_with_all_its_ports(stack: Make) -> None:
    made = stack("t23", plain(23, 3))
    made.up()
    run("ovs-vsctl", "del-br", "br-t23")
    # Its keeper, that is to give it a port, must not have the bridge made: nobody would know that one for the stack's.
    run("docker", "restart", "t23-p1")
    logs = ("docker", "logs", "t23-keeper")
    eventually("the keeper has tried", lambda: "t23-p1: attaching its port failed: " in run(*logs).stdout)
    assert run("ovs-vsctl", "br-exists", "br-t23", check=False).returncode != 0
    started = started_at("t23")

    said = " ".join(made.preview().stdout.split())
    assert "bridge br-t23 is gone; `pulumi up` mends it" in said

    made.up()
    for number in range(1, 4):
        assert interface(f"t23-p{number}") == (f"10.86.23.{9 + number}/24", "10.86.23.1", 1500)
        ping = ("ping", "-c", "1", "-W", "2", f"10.86.23.{9 + number}")
        eventually(f"t23-p{number} answers", lambda ping=ping: run(*ping, check=False).returncode == 0)  # type: ignore[misc]
    assert started_at("t23") == started
    made.preview("--expect-no-changes")


def test_a_container_that_was_removed_is_told_and_comes_back(stack: Make) -> None:
    made = stack("t24", plain(24, 2))
    made.up()
    run("docker", "rm", "--force", "t24-p1")

    said = " ".join(made.preview("--refresh").stdout.split())
    assert "container t24-p1 is gone; `pulumi up --refresh` mends it" in said

    made.pulumi("up", "--yes", "--skip-preview", "--refresh")
    assert inspect("t24-p1")["State"]["Running"]
    assert interface("t24-p1") == ("10.86.24.10/24", "10.86.24.1", 1500)
    made.preview("--expect-no-changes")
