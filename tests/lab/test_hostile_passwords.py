"""A lab works whose passwords all have what means something else to a reader for whom it isn't quoted."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from components import services
from tests.hostile import all_in_one
from tests.lab import cloud as clouds
from tests.lab.browser import Browser
from tests.lab.conftest import Lab
from tests.lab.harness import inside, long_drill, puppet_runs, run
from tests.lab.secrets_of_lab import Secrets
from tests.lab.test_dashboard import log_in
from tests.lab.test_rotation import database_lets_in

pytestmark = [pytest.mark.lab, pytest.mark.drill, long_drill]

ONE_TEST = "tempest.api.identity.v3.test_tokens"


def hostile() -> Secrets:
    """Return for each secret that a lab may give as much as all of its readers can be given."""
    facts = services.facts().values()
    readers = {name: found for role in facts for name, found in role.readers.items()}
    return Secrets({name: all_in_one(*readers.get(name, ())) for role in facts for name in role.secrets})


def test_with_hostile_passwords_for_all_everything_works(lab: Lab, tmp_path: Path) -> None:
    given = hostile()
    settings = lab.settings()
    settings["config"]["dockstack:common"]["passwords"] = dict(given)
    with lab.changed(settings, tmp_path):
        lab.await_healthy()
        shell = clouds.environment(lab.openrc)
        assert shell["OS_PASSWORD"] == given["keystone_admin"]
        run("openstack", "token", "issue", env=shell)
        again = puppet_runs(lab.services, "--detailed-exitcodes", "--logdest", "console")
        assert {name: each.stdout + each.stderr for name, each in again.items() if each.returncode} == {}
        roles = {service["role"] for service in lab.services.values()}
        for role in services.ROLES.values():
            assert role.name not in roles or all(database_lets_in(lab, user, given) for user in role.databases)
        use_volumes(lab, tmp_path)
        if "tempest" in roles:
            inside(lab.of_role("tempest"), "/etc/dockstack/bin/tempest-smoke", "--regex", ONE_TEST)
        if "dashboard" in roles:
            use_the_dashboard(lab, tmp_path / "profile", given["keystone_admin"])


def use_volumes(lab: Lab, directory: Path) -> None:
    """Boot a guest, which gets its name from the metadata, and write on a volume there."""
    cloud = clouds.connect(lab.openrc)
    if not all(clouds.has(cloud, service) for service in ("compute", "image", "network", "volumev3")):
        return
    name = f"test-{uuid.uuid4().hex[:8]}"
    with clouds.volume(cloud, name) as volume, clouds.guest(cloud, name, directory, floating=True) as guest:
        guest.await_console(f"instance {guest.server.id}")
        guest.await_ssh()
        with clouds.attached(cloud, guest, volume) as device:
            assert guest.fill(device)


def use_the_dashboard(lab: Lab, profile: Path, password: str) -> None:
    """Log in as the administrator."""
    browser = Browser(profile)
    try:
        log_in(browser, lab, "admin", password)
        browser.find(".navbar .user-menu, .navbar .dropdown-toggle")
    finally:
        browser.end()
