"""The role tempest: what its program is told, what it makes of that, and what it counts."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components import paths, services
from components.configuration import environment
from components.services.topology import Topology
from tests.unit.graph_recorder import config
from tests.unit.scripts import load

VOLUMES = paths.DOCKERVOLUMES / "tempest"
SETTINGS = {
    "auth_url": "http://vip.lab.test:5000/v3", "password": "p", "domain": "lab.test", "region": "R", "computes": 0,
    "dashboard_url": None, "provider_address": None,
}  # fmt: skip


def hiera(given: dict[str, Any]) -> dict[str, object]:
    checked, _ = environment.load(given, stack="lab", roles=services.facts(), base_dir=paths.PROJECT)
    topology = Topology(checked, services.ROLES)
    role = services.ROLES["tempest"]
    return dict(role.hiera(topology, topology.members("tempest")[0]))


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Any:
    return load("tempest/bin/tempest-smoke", monkeypatch)


def test_every_test_that_is_not_run_has_its_reason() -> None:
    lines = [line for line in (VOLUMES / "tempest/exclude").read_text().splitlines() if not line.startswith("#")]
    assert lines
    for line in lines:
        pattern, _, reason = line.partition("#")
        assert re.compile(pattern.strip()) and reason.strip(), line


@pytest.mark.parametrize(
    ("network", "gateway", "address"),
    [
        ("10.87.1.0/24", "10.87.1.1", "10.87.1.127/24"),
        ("10.87.1.0/24", "10.87.1.127", "10.87.1.126/24"),
        ("10.87.1.0/29", "10.87.1.6", "10.87.1.3/29"),
    ],
)
def test_its_address_on_the_provider_network_is_outside_the_demos_pool(
    network: str, gateway: str, address: str
) -> None:
    told = hiera({**config(), "provider": {"bridge": "br-ext", "network": network, "gateway": gateway}})
    assert told["profile::tempest::provider_address"] == address


def test_a_lab_without_a_provider_network_gives_it_no_address_there() -> None:
    given = {key: value for key, value in config().items() if key != "provider"}
    assert "profile::tempest::provider_address" not in hiera(given)


def test_only_services_of_the_catalogue_are_tested(program: Any) -> None:
    lab = SimpleNamespace(settings=SETTINGS, has=lambda kind: kind == "identity", volume_type="")
    made = program.configuration(lab)
    assert not any(made["service_available"].values())
    assert "compute" not in made and "volume" not in made


def test_tempest_verifies_with_the_labs_authority_where_there_is_tls(program: Any) -> None:
    settings = {
        "auth_url": "https://vip/v3", "password": "p", "region": "R", "computes": 0, "dashboard_url": None,
        "provider_address": None, "cacert": "/etc/ssl/dockstack.pem",
    }  # fmt: skip
    lab = SimpleNamespace(settings=settings, has=lambda kind: kind == "identity", volume_type="")
    assert program.configuration(lab)["identity"]["ca_certificates_file"] == "/etc/ssl/dockstack.pem"


def test_of_the_network_only_what_neutron_has_is_tested(program: Any) -> None:
    lab = SimpleNamespace(
        settings=SETTINGS,
        has=lambda kind: kind in ("identity", "network"),
        volume_type="",
        list=lambda *_: [{"alias": "router"}, {"alias": "dvr"}],
    )
    made = program.configuration(lab)
    assert made["network-feature-enabled"] == {"api_extensions": "dvr,router"}
    assert made["neutron_plugin_options"]["dns_domain"] == "lab.test"


@pytest.mark.parametrize(
    ("services", "tested"),
    [([], False), ([{"state": "down"}], False), ([{"state": "up"}], True)],
    ids=["none", "silent", "works"],
)
def test_backups_are_tested_where_a_backup_service_works(
    program: Any, services: list[dict[str, str]], tested: bool
) -> None:
    lab = SimpleNamespace(
        settings=SETTINGS,
        has=lambda kind: kind in ("identity", "volumev3"),
        volume_type="volumev3",
        list=lambda *_: services,
    )
    assert program.configuration(lab)["volume-feature-enabled"] == {"backup": tested}


def test_the_table_counts_by_service_and_a_failure_fails_the_run(
    program: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "exclude").write_text("# what this is\ntempest\\.x  # no x\n")
    monkeypatch.setattr(program, "EXCLUDE", str(tmp_path / "exclude"))
    passed = ("tempest.api.identity.v3.test_a.A.test_a[id-1,smoke]", "success", 2.0, "")
    skipped = ("setUpClass (tempest.scenario.test_b.B)", "skip", 0.0, "no b")
    failed = ("tempest.api.identity.v3.test_a.A.test_c[id-2]", "fail", 1.0, "")
    assert program.report([passed, skipped], 3.0) == 0
    assert program.report([skipped], 3.0) == 1
    capsys.readouterr()
    assert program.report([passed, skipped, failed], 4.0) == 1
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "| tempest.api.identity | 1 | 1 | 0 | 3 |" in said
    assert "| tempest.scenario | 0 | 0 | 1 | 0 |" in said
    assert "skipped 1: no b" in said and "not run: tempest\\.x # no x" in said
    assert f"failed: {failed[0]}" in said
