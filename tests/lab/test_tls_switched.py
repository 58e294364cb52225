"""TLS at the VIP is switched off and on in a lab that is up: it ends as a fresh one of that configuration would be."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from components.secrets import VIP_CERTIFICATE
from tests.lab import cloud as clouds
from tests.lab.conftest import Lab
from tests.lab.connection import Connection
from tests.lab.harness import inside, long_drill, run, started_at
from tests.lab.secrets_of_lab import generated

pytestmark = [pytest.mark.lab, pytest.mark.drill, long_drill]


def told(lab: Lab) -> dict[str, str]:
    """Return the lab's APIs as its outputs have them now."""
    outputs = json.loads(run("pulumi", "stack", "output", "--json", "--stack", lab.stack).stdout)
    return {name: url for name, url in outputs["endpoints"].items() if name in lab.apis}


def check(lab: Lab, *, tls: bool) -> None:
    """See that everything speaks, and says, one thing and not the other."""
    scheme = "https" if tls else "http"
    assert bool(lab.authority) is tls
    env = clouds.environment(lab.openrc)
    assert env["OS_AUTH_URL"].startswith(f"{scheme}://") and env.get("OS_CACERT", "") == lab.authority
    listed = json.loads(run("openstack", "endpoint", "list", "-f", "json", env=env).stdout)
    assert {urlsplit(row["URL"]).scheme for row in listed} == {scheme}
    at_vip = {name: urlsplit(url) for name, url in told(lab).items()}
    assert {url.scheme for url in at_vip.values()} == {scheme}
    for name, url in at_vip.items():
        with Connection(str(url.hostname), int(url.port or 0), lab.authority) as connection:
            assert connection.ask("GET", url.path or "/").status < 500, name
    assert (VIP_CERTIFICATE in generated(lab.stack)) is tls
    signed = inside(lab.of_role("puppet"), "/etc/dockstack/bin/valid-certificates").split()
    assert any(name.startswith("vip.") for name in signed) is tls
    kept = inside(lab.of_role("haproxy"), "sh", "-c", "ls /etc/haproxy/vip.* /var/lib/puppet/ssl/*/vip.*", check=False)
    assert bool(kept) is tls
    lab.await_healthy()


def test_a_lab_changes_between_tls_and_clear_without_a_new_container(lab: Lab, tmp_path: Path) -> None:
    lab.await_healthy()
    tls, before, settings = bool(lab.authority), started_at(lab.stack), lab.settings()
    settings["config"]["dockstack:common"]["tls"] = not tls
    with lab.changed(settings, tmp_path):
        check(lab, tls=not tls)
    check(lab, tls=tls)
    assert started_at(lab.stack) == before
    lab.pulumi("preview", "--expect-no-changes")
