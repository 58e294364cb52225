"""What is said when a lab is up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import summary
from components import paths
from hostside.demo import RECORD

MADE = {
    "image": {"name": "guest"},
    "flavors": [{"name": "tiny"}, {"name": "small"}],
    "network": {"name": "demo"},
    "security_group": {"name": "demo"},
    "key": {"name": "demo-key"},
    "router": {"name": "demo", "inside": "demo", "outside": "provider"},
}


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(paths, "stack_directory", lambda stack: tmp_path / stack)
    (tmp_path / "lab").mkdir()
    return tmp_path / "lab" / RECORD


def test_the_dashboards_address_user_and_password_are_told() -> None:
    told = summary.pages({"endpoints": {"dashboard": "http://vip.lab/horizon/"}, "openrc": "/somewhere/openrc"})
    assert told == [
        "",
        "Horizon: http://vip.lab/horizon/, user admin; its password:",
        "  (. /somewhere/openrc && printenv OS_PASSWORD)",
    ]


def test_a_lab_without_dashboard_has_no_way_into_it() -> None:
    assert summary.pages({"endpoints": {"keystone": "http://vip.lab:5000/v3"}, "openrc": "/somewhere/openrc"}) == []


def test_other_peoples_clients_are_told_of_clouds_yaml_where_there_is_one() -> None:
    (told,) = summary.clouds("mine", {"clouds": "/somewhere/clouds.yaml"})
    assert "export OS_CLIENT_CONFIG_FILE=/somewhere/clouds.yaml OS_CLOUD=mine " in told
    assert summary.clouds("mine", {"clouds": None}) == summary.clouds("mine", {}) == []


def test_a_guest_is_booted_from_what_the_demo_made_last(record: Path) -> None:
    record.write_text(json.dumps({"image": "sha256:1", "made": [{}, MADE]}))
    create, address, ping = summary.guest("lab")
    assert create.strip() == (
        "openstack server create --image guest --flavor tiny --network demo --security-group demo "
        "--key-name demo-key --wait guest1"
    )
    assert address.endswith("floating_ip_address provider)")
    assert "ping" in ping


def test_without_a_router_nothing_is_said_of_floating_addresses(record: Path) -> None:
    record.write_text(json.dumps({"image": "sha256:1", "made": [{k: v for k, v in MADE.items() if k != "router"}]}))
    assert len(summary.guest("lab")) == 1


def test_without_a_demo_nothing_is_said_of_guests(record: Path) -> None:
    assert summary.guest("lab") == []
    record.write_text(json.dumps({"image": "sha256:1", "made": [{"image": {"name": "guest"}}]}))
    assert summary.guest("lab") == []
