"""Generated secrets become others in one `up`, without a restart of a container or a step by hand."""

from __future__ import annotations

import pytest

from components.secrets import VIP_CERTIFICATE
from tests.lab import cloud as clouds
from tests.lab.conftest import Lab
from tests.lab.harness import PROJECT, long_drill, run, started_at
from tests.lab.secrets_of_lab import Secrets, generated
from tests.lab.test_tls import revoked, serial

pytestmark = [pytest.mark.lab, pytest.mark.drill]

ROTATE_SECONDS = 1200
SOME = ("keystone_admin", "galera_root", "glance_database", "glance_identity", "ceph_cinder", VIP_CERTIFICATE)
"""One of each kind; what all services know takes longer, since all are provisioned again."""


def database_lets_in(lab: Lab, user: str, secrets: Secrets) -> bool:
    """Say whether the database takes a service's password, the way the service comes: over the network."""
    server = lab.of_role("galera")
    ask = f"exec mariadb --host={lab.addresses[server]} --user={user} --execute='SELECT 1' {user}"
    return accepts(server, secrets[f"{user}_database"], "sh", "-c", f"MYSQL_PWD=$(cat) {ask}")


def broker_lets_in(lab: Lab, secrets: Secrets) -> bool:
    """Say whether RabbitMQ takes the services' password."""
    return accepts(
        lab.of_role("rabbitmq"), secrets["rabbitmq_openstack"], "rabbitmqctl", "authenticate_user", "openstack"
    )


def accepts(container: str, secret: str, *command: str) -> bool:
    return run("docker", "exec", "-i", container, *command, stdin=secret, check=False).returncode == 0


@pytest.mark.parametrize("names", [pytest.param((), marks=long_drill, id="all"), pytest.param(SOME, id="some")])
def test_a_rotated_secret_is_another_one_and_only_the_new_one_is_good(lab: Lab, names: tuple[str, ...]) -> None:
    lab.await_healthy()
    before = started_at(lab.stack)
    old = generated(lab.stack)
    former = clouds.environment(lab.openrc)
    assert database_lets_in(lab, "glance", old)
    assert broker_lets_in(lab, old)

    certificate = serial(lab) if VIP_CERTIFICATE in old else ""
    names = tuple(name for name in names if name in old)

    run("make", "rotate", f"STACK={lab.stack}", f"SECRETS={' '.join(names)}", cwd=PROJECT, timeout=ROTATE_SECONDS)

    new = generated(lab.stack)
    rotated = set(names) or set(old)
    assert new.keys() == old.keys()
    assert {name for name in old if new[name] != old[name]} == rotated
    assert started_at(lab.stack) == before
    if certificate and VIP_CERTIFICATE in rotated:
        assert serial(lab) not in {certificate, *revoked(lab)}
        assert certificate in revoked(lab)
    lab.await_healthy()
    for name in rotated:
        user, _, kind = name.rpartition("_")
        if kind == "database":
            assert database_lets_in(lab, user, new) and not database_lets_in(lab, user, old), user
    if "rabbitmq_openstack" in rotated:
        assert not broker_lets_in(lab, old)
    assert broker_lets_in(lab, new)
    # The administrator's old openrc is good for nothing, and the new one for all: guests, volumes, images.
    assert run("openstack", "token", "issue", env=former, check=False).returncode != 0
    cloud = clouds.connect(lab.openrc)
    if clouds.has(cloud, "volumev3"):
        with clouds.volume(cloud, "test-after-rotation"):
            pass
    lab.pulumi("preview", "--expect-no-changes")
