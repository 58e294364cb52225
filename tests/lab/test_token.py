"""The lab answers with a Keystone token, through the VIP."""

from __future__ import annotations

import json
import os

import pytest

from tests.lab.conftest import Lab
from tests.lab.harness import inside, inspect, run

pytestmark = [pytest.mark.lab, pytest.mark.shares]


def environment(openrc: str) -> dict[str, str]:
    """Return the environment that a shell has after reading an openrc file."""
    shown = run("env", "-i", "sh", "-c", f". {openrc} && env").stdout
    settings = dict(line.split("=", 1) for line in shown.splitlines() if line.startswith("OS_"))
    return {**os.environ, **settings, "no_proxy": "*"}


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


def test_the_request_passes_haproxy_and_reaches_the_keystone_container(lab: Lab) -> None:
    keystone, haproxy = lab.of_role("keystone"), lab.of_role("haproxy")
    log = "/var/log/supervisor/keystone.log"
    before = inside(keystone, "sh", "-c", f"wc -c < {log}")
    run("openstack", "token", "issue", env=environment(lab.openrc))
    said = inside(keystone, "tail", "-c", f"+{int(before)}", log)
    assert "POST /v3/auth/tokens" in said
    assert lab.addresses[haproxy] in said or inspect(haproxy)["Config"]["Hostname"] in said


def test_the_openrc_file_is_for_root_alone(lab: Lab) -> None:
    assert os.stat(lab.openrc).st_mode & 0o777 == 0o600
