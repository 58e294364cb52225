"""No secret in clear where somebody else could read it."""

from __future__ import annotations

import pytest

from tests.lab.conftest import Lab
from tests.lab.harness import HOME, run
from tests.lab.secrets_of_lab import Secrets, all_secrets, leaked

pytestmark = [pytest.mark.lab, pytest.mark.shares]


@pytest.fixture(scope="module")
def secrets(lab: Lab) -> Secrets:
    found = all_secrets(lab.stack, list(lab.services))
    assert len(found) >= 6 + len(lab.services)
    assert all(len(value) >= 32 for value in found.values())
    return found


def test_no_secret_is_in_the_state_in_clear(lab: Lab, secrets: Secrets) -> None:
    assert leaked(secrets, run("pulumi", "stack", "export", "--stack", lab.stack).stdout) == []
    for path in (HOME / "backend").rglob("*"):
        if path.is_file():
            assert leaked(secrets, path.read_text(errors="replace")) == [], path


def test_no_secret_is_in_a_log_or_in_what_docker_tells(lab: Lab, secrets: Secrets) -> None:
    for name in [*lab.services, f"{lab.stack}-keeper"]:
        logs = run("docker", "logs", name)
        # The keeper shares the host's processes: its own number 1 is the host's.
        told = run("docker", "inspect", name).stdout + run("docker", "exec", name, "cat", "/proc/self/environ").stdout
        files = run("docker", "exec", name, "sh", "-c", "find /var/log -type f -exec cat {} +").stdout
        assert leaked(secrets, logs.stdout + logs.stderr + told + files) == [], name
    for path in (HOME / "stacks" / lab.stack / "logs").iterdir():
        assert leaked(secrets, path.read_text()) == [], path


def test_no_secret_is_in_an_image(lab: Lab, secrets: Secrets) -> None:
    for service in lab.services.values():
        told = run("docker", "history", "--no-trunc", service["image"]).stdout
        assert leaked(secrets, told + run("docker", "image", "inspect", service["image"]).stdout) == []


def test_nobody_but_root_and_the_service_can_read_a_file_with_a_secret(lab: Lab, secrets: Secrets) -> None:
    patterns = "\n".join(secrets.values())
    where = ["/etc", "/var", "/run", "/root", "/tmp", "/home", "/opt", "/srv", "/usr/local"]
    search = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "grep", "-rlF", "-f", "-", *where]
    for name in lab.services:
        found = run("docker", "exec", "-i", name, *search, stdin=patterns, check=False).stdout
        assert found == "", f"{name}: {found}"
    found = run(
        *search[: -len(where)], "/var/lib/dockstack", "/etc", "/run", "/tmp", stdin=patterns, check=False
    ).stdout
    assert found == "", found


def test_the_search_finds_a_secret_where_there_is_one(lab: Lab, secrets: Secrets) -> None:
    keystone = lab.of_role("keystone")
    search = ["grep", "-rlF", "-f", "-", "/etc/keystone", "/root"]
    found = run("docker", "exec", "-i", keystone, *search, stdin="\n".join(secrets.values()), check=False).stdout
    assert "/etc/keystone/keystone.conf" in found
