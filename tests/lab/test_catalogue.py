"""The services' users and the catalogue in Keystone, and what becomes of a service that is no longer configured."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from keystoneauth1.exceptions.http import Unauthorized
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session

from tests.lab.cloud import Cloud, connect
from tests.lab.conftest import Lab
from tests.lab.harness import HOME, inside, run
from tests.lab.secrets_of_lab import Secrets, generated

pytestmark = [pytest.mark.lab, pytest.mark.shares]

IDENTITY = "_identity"
"""How the names of the service users' secrets end."""
INTERFACES = {"public", "internal", "admin"}


@pytest.fixture(scope="module")
def cloud(lab: Lab) -> Cloud:
    return connect(lab.openrc)


@pytest.fixture(scope="module")
def passwords(lab: Lab) -> Secrets:
    found = generated(lab.stack)
    return Secrets({name.removesuffix(IDENTITY): found[name] for name in found if name.endswith(IDENTITY)})


def token(lab: Lab, user: str, password: str) -> Any:
    """Return what Keystone says of a token of a service user, through the VIP."""
    os.environ["no_proxy"] = "*"
    auth = Password(
        auth_url=lab.endpoints["keystone"], username=user, password=password, project_name="services",
        user_domain_name="Default", project_domain_name="Default",
    )  # fmt: skip
    return auth.get_access(Session(verify=lab.authority or True))


def puppet(container: str) -> int:
    """Run Puppet once and return its exit code: 0 when nothing changed, 2 when something did."""
    done = run("docker", "exec", container, "puppet", "agent", "--test", "--color", "false", check=False)
    assert done.returncode in (0, 2), done.stdout + done.stderr
    assert "Warning" not in done.stdout + done.stderr
    return done.returncode


def service(cloud: Cloud, name: str) -> list[Any]:
    return [found for found in cloud.identity.services() if found.name == name]


def endpoints(cloud: Cloud, name: str) -> dict[str, str]:
    ids = {found.id for found in service(cloud, name)}
    return {found.interface: found.url for found in cloud.identity.endpoints() if found.service_id in ids}


@contextmanager
def one_more_identity(lab: Lab, name: str, password: str) -> Iterator[None]:
    """Put a service user with an endpoint into the data of Keystone's node, as a further role would."""
    domain = urlsplit(lab.endpoints["keystone"]).netloc.partition(".")[2].partition(":")[0]
    node = f"{lab.of_role('keystone')}.{domain}.yaml"
    server = HOME / "stacks" / lab.stack / "volumes" / lab.of_role("puppet")
    data = server / "code/environments/production/data/nodes" / node
    secret = server / "secrets/nodes" / node
    vip = urlsplit(lab.endpoints["keystone"]).hostname
    before = {path: path.read_text() for path in (data, secret)}
    entry = {"type": f"{name}-type", "description": "One more", "url": f"http://{vip}:9999/v1"}
    _add(data, "profile::keystone::identities", {name: entry})
    _add(secret, "profile::keystone::identity_passwords", {name: password})
    try:
        yield
    finally:
        for path, text in before.items():
            path.write_text(text)


def _add(path: Path, key: str, more: dict[str, Any]) -> None:
    data = yaml.safe_load(path.read_text()) or {}
    data[key] = {**data.get(key, {}), **more}
    # In place: owner and mode are the server's.
    path.write_text(yaml.safe_dump(data))


def test_every_endpoint_holds_the_name_of_the_vip(lab: Lab, cloud: Cloud) -> None:
    vip = urlsplit(lab.endpoints["keystone"]).hostname
    found = list(cloud.identity.endpoints())
    assert found and {urlsplit(endpoint.url).hostname for endpoint in found} == {vip}
    for entry in cloud.identity.services():
        assert {e.interface for e in found if e.service_id == entry.id} == INTERFACES, entry.name


def test_a_service_user_gets_a_token_of_the_project_services(lab: Lab, passwords: Secrets) -> None:
    for user, password in passwords.items():
        access = token(lab, user, password)
        assert access.project_name == "services", user
        assert {"admin", "service"} <= set(access.role_names), user


def test_an_identity_comes_is_mended_and_goes_with_puppets_run(lab: Lab, cloud: Cloud) -> None:
    keystone, name, password = lab.of_role("keystone"), "passing", "only-for-this-test-0123456789"
    foreign = cloud.identity.create_service(name="foreign", type="somebody-elses")
    try:
        with one_more_identity(lab, name, password):
            assert puppet(keystone) == 2
            assert {"admin", "service"} <= set(token(lab, name, password).role_names)
            assert set(endpoints(cloud, name)) == INTERFACES

            _spoil(cloud, name)
            with pytest.raises(Unauthorized):
                token(lab, name, password)
            assert puppet(keystone) == 2
            assert token(lab, name, password).project_name == "services"
            assert {urlsplit(url).port for url in endpoints(cloud, name).values()} == {9999}
            written = ["/var/log", "/var/cache/puppet/public", "/var/cache/puppet/state"]
            assert inside(keystone, "grep", "-rlF", password, *written, check=False) == ""

        assert puppet(keystone) == 2
        assert service(cloud, name) == [] and endpoints(cloud, name) == {}
        assert cloud.identity.find_user(name) is None
        with pytest.raises(Unauthorized):
            token(lab, name, password)
        assert service(cloud, "foreign"), "what somebody else made is gone"
        assert puppet(keystone) == 0
    finally:
        cloud.identity.delete_service(foreign)


def _spoil(cloud: Cloud, name: str) -> None:
    """Change password and an endpoint behind Puppet's back."""
    cloud.identity.update_user(cloud.identity.find_user(name), password="another-one-0123456789")
    ids = {found.id for found in service(cloud, name)}
    endpoint = next(found for found in cloud.identity.endpoints() if found.service_id in ids)
    cloud.identity.update_endpoint(endpoint, url="http://elsewhere.invalid:1")
