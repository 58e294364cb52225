"""The lab answers with a Keystone token, through the VIP."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.cloud import environment
from tests.lab.conftest import Lab
from tests.lab.harness import inside, inspect, run

pytestmark = [pytest.mark.lab, pytest.mark.shares]


def test_the_openstack_client_gets_a_token_through_the_vip(lab: Lab) -> None:
    env = environment(lab.openrc)
    assert env["OS_AUTH_URL"] == lab.endpoints["keystone"]
    token = json.loads(run("openstack", "token", "issue", "-f", "json", env=env).stdout)
    assert token["id"] and token["project_id"]


def test_the_catalogue_names_the_vip(lab: Lab) -> None:
    env = environment(lab.openrc)
    listed = json.loads(run("openstack", "endpoint", "list", "-f", "json", env=env).stdout)
    identity = {row["Interface"]: row["URL"] for row in listed if row["Service Type"] == "identity"}
    assert set(identity) == {"public", "internal", "admin"}
    assert {url.removesuffix("/v3") for url in identity.values()} == {lab.endpoints["keystone"].removesuffix("/v3")}


def test_root_gets_a_token_in_keystones_container(lab: Lab) -> None:
    issue = ". /root/openrc && openstack token issue -f value -c id"
    assert len(inside(lab.of_role("keystone"), "sh", "-c", issue)) > 32


def test_the_request_passes_haproxy_and_reaches_the_keystone_container(lab: Lab) -> None:
    keystone, haproxy = lab.of_role("keystone"), lab.of_role("haproxy")
    log = "/var/log/supervisor/keystone.log"
    before = inside(keystone, "sh", "-c", f"wc -c < {log}")
    run("openstack", "token", "issue", env=environment(lab.openrc))
    said = inside(keystone, "tail", "-c", f"+{int(before)}", log)
    assert "POST /v3/auth/tokens" in said
    assert lab.addresses[haproxy] in said or inspect(haproxy)["Config"]["Hostname"] in said


def test_the_files_to_log_in_by_are_for_root_alone(lab: Lab) -> None:
    assert os.stat(lab.openrc).st_mode & 0o777 == 0o600
    assert os.stat(lab.clouds).st_mode & 0o777 == 0o600


def without_openrc() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("OS_")} | {"no_proxy": "*"}


def test_clouds_yaml_has_a_cloud_of_the_stacks_name(lab: Lab) -> None:
    env = {**without_openrc(), "OS_CLIENT_CONFIG_FILE": lab.clouds}
    token = json.loads(run("openstack", "--os-cloud", lab.stack, "token", "issue", "-f", "json", env=env).stdout)
    assert token["id"] and token["project_id"]


PASSWORD = """it's "$HOME" `id` \\ #é"""


@pytest.fixture
def user(lab: Lab) -> Iterator[str]:
    """Make a project, and a user of the same name in it; they go at the end."""
    name, env = f"test {uuid.uuid4().hex[:8]}", environment(lab.openrc)
    try:
        run("openstack", "project", "create", name, env=env)
        run("openstack", "user", "create", name, "--project", name, "--password", PASSWORD, env=env)
        run("openstack", "role", "add", "member", "--user", name, "--project", name, env=env)
        yield name
    finally:
        run("openstack", "user", "delete", name, env=env, check=False)
        run("openstack", "project", "delete", name, env=env, check=False)


def test_others_than_the_administrator_get_an_openrc_file_too(lab: Lab, user: str, tmp_path: Path) -> None:
    whose = [f"STACK={lab.stack}", f"PROJECT={user}", f"USER={user}"]
    env = {**without_openrc(), "OS_PASSWORD": PASSWORD}
    printed = run("make", "--silent", "openrc", *whose, env=env).stdout
    run("make", "--silent", "openrc", *whose, f"FILE={tmp_path / 'mine'}", env=env)
    assert (tmp_path / "mine").read_text() == printed
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o600
    token = json.loads(run("openstack", "token", "issue", "-f", "json", env=environment(str(tmp_path / "mine"))).stdout)
    assert token["project_id"]


def test_nobody_gets_an_openrc_file_that_does_not_let_him_in(lab: Lab, user: str, tmp_path: Path) -> None:
    env = {**without_openrc(), "OS_PASSWORD": "of somebody else"}
    whose = [f"STACK={lab.stack}", f"PROJECT={user}", f"FILE={tmp_path / 'mine'}"]
    for given, said in (
        ([*whose, f"USER={user}"], "Keystone lets"),
        (whose, "Say whose"),
        ([*whose, f"USER={user}", "OS_PASSWORD="], "no terminal"),
    ):
        done = run("make", "--silent", "openrc", *given, env=env, check=False)
        assert done.returncode != 0
        assert said in done.stderr
        assert "of somebody else" not in done.stderr
        assert not (tmp_path / "mine").exists()
