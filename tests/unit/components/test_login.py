"""How one logs in: openrc as shells read it, and clouds.yaml as openstacksdk does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import openstack.config
import pytest
import requests.utils
import yaml

from components import access, login, services
from components.services.topology import Topology
from tests.unit.environment_cases import lab, look

PATH = "/usr/bin:/bin"
PRINTABLE = "".join(map(chr, range(33, 127)))
PASSWORDS = ["""it's "$HOME" `id` \\ !""", PRINTABLE, PRINTABLE[::-1], " a b ", "-n", "# é€𝄞", "~"]
SHELLS = pytest.mark.parametrize("interpreter", ["sh", "bash"])


@pytest.fixture(scope="module")
def topology() -> Topology:
    """Return a lab."""
    configured = look(lab()).environment
    assert configured is not None
    return Topology(configured, services.for_lab(configured))


def openrc(topology: Topology, directory: Path, password: str = "password") -> Path:
    """Write the lab's openrc file."""
    path = directory / "openrc"
    path.write_text(access.openrc(topology, password), encoding="utf-8")
    return path


def sourced(path: Path, interpreter: str, **before: str) -> dict[str, str]:
    """Return the environment of a shell that has read an openrc file twice."""
    done = subprocess.run(
        [interpreter, "-euc", '. "$0"; . "$0"; env', str(path)], env={"PATH": PATH, **before}, capture_output=True,
        text=True, encoding="utf-8", check=True,
    )  # fmt: skip
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


@SHELLS
@pytest.mark.parametrize("password", PASSWORDS)
def test_openrc_means_the_password_whatever_characters_it_has(
    interpreter: str, password: str, topology: Topology, tmp_path: Path
) -> None:
    path = openrc(topology, tmp_path, password)
    assert sourced(path, interpreter)["OS_PASSWORD"] == password
    found = login.settings(str(path))
    assert found == access.variables(topology, password)
    assert login.text(found) + login.rest(str(path)) == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("password", [*PASSWORDS, "0123", "1e3", "null", "yes", "{a: b}", "!x", "%"])
def test_clouds_yaml_means_the_password_whatever_it_looks_like(
    password: str, topology: Topology, tmp_path: Path
) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text(access.clouds(topology, password), encoding="utf-8")
    assert yaml.safe_load(path.read_text())["clouds"]["lab"]["auth"]["password"] == password
    # As `openstack --os-cloud lab` reads it.
    cloud = openstack.config.OpenStackConfig(config_files=[str(path)], load_envvars=False).get_one("lab")
    assert cloud.auth == {
        "auth_url": "http://vip.dockstack.lab:5000/v3", "username": "admin", "password": password,
        "project_name": "admin", "user_domain_name": "Default", "project_domain_name": "Default",
    }  # fmt: skip
    assert cloud.region_name == "RegionOne"


@pytest.mark.parametrize("before", [{}, {"no_proxy": "a.b"}, {"NO_PROXY": "a.b"}, {"no_proxy": "c", "NO_PROXY": "d"}])
@pytest.mark.parametrize("interpreter", ["sh", "bash"])
def test_openrc_keeps_a_proxy_away_from_the_lab_once(
    interpreter: str, before: dict[str, str], topology: Topology, tmp_path: Path
) -> None:
    found = sourced(openrc(topology, tmp_path), interpreter, **before)
    for name in ("no_proxy", "NO_PROXY"):
        entries = found[name].split(",")
        assert {"vip.dockstack.lab", ".dockstack.lab", "10.87.0.250", "10.87.0.0/24"} <= set(entries)
        # The variable's own value, or else that of its other name.
        other = next(iter(before.values()), "")
        assert set(before.get(name, other).split(",")) - {""} <= set(entries)
        assert len(set(entries)) == len(entries)
        assert requests.utils.should_bypass_proxies("http://vip.dockstack.lab:5000/v3", found[name])
        assert requests.utils.should_bypass_proxies("http://10.87.0.250:80", found[name])
        assert not requests.utils.should_bypass_proxies("http://example.com", found[name])


def test_openrc_leaves_a_star_alone(topology: Topology, tmp_path: Path) -> None:
    found = sourced(openrc(topology, tmp_path), "sh", no_proxy="*")
    assert (found["no_proxy"], found["NO_PROXY"]) == ("*", "*")
