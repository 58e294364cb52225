"""What is written with a secret means the same to its reader, whatever characters it has.

Readers that are in the images alone are tried in tests/lab/test_quoting.py, as are Puppet's own functions.
"""

from __future__ import annotations

import configparser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from oslo_config import cfg

from components import quoting
from tests.hostile import SECRETS
from tests.unit.scripts import load


@pytest.fixture
def tempest(monkeypatch: pytest.MonkeyPatch) -> Any:
    return load("tempest/bin/tempest-smoke", monkeypatch)


@pytest.fixture
def openstack_api(monkeypatch: pytest.MonkeyPatch) -> Any:
    return load("nova/bin/openstack_api.py", monkeypatch)


def read_by_oslo_config(path: Path, section: str, names: list[str]) -> dict[str, str]:
    settings = cfg.ConfigOpts()
    settings.register_opts([cfg.StrOpt(name, secret=True) for name in names], group=section)
    settings([], default_config_files=[str(path)])
    return {name: settings[section][name] for name in names}


def test_secrets_are_of_all_kinds() -> None:
    assert len(SECRETS) > 500
    assert {len(secret) for secret in SECRETS} >= {1, 2, 3, 200}
    assert set(map(chr, range(32, 127))) <= set("".join(SECRETS))


def test_yaml_is_read_as_it_was_meant() -> None:
    data = {"secrets": {secret: secret for secret in SECRETS}, "list": SECRETS, "number": 5, "nothing": None}
    text = quoting.yaml_document(data)
    assert yaml.safe_load(text) == data
    # YAML's versions differ in what text without quotes means.
    assert all(f'"{name}"' in text for name in data)


def test_nothing_is_interpolated_by_hiera() -> None:
    found = yaml.safe_load(quoting.hiera_data({"b": "%{x}", "a": {"c": ["%{x", "100%"]}, "number": 5}))
    assert found == {"a": {"c": ["%{literal('%')}{x", "100%"]}, "b": "%{literal('%')}{x}", "number": 5}


def test_oslo_config_reads_what_tempests_file_was_given(tempest: Any, openstack_api: Any, tmp_path: Path) -> None:
    path = tmp_path / "tempest.conf"
    names = {f"secret{index}": secret for index, secret in enumerate(SECRETS)}
    written = configparser.RawConfigParser()
    written.read_dict({"auth": {name: tempest.for_oslo_config(secret) for name, secret in names.items()}})
    with path.open("w", encoding="utf-8") as file:
        written.write(file)
    assert read_by_oslo_config(path, "auth", list(names)) == names
    # So do the programs of the containers that can't wait for oslo.config to load.
    assert openstack_api.settings("auth", str(path)) == names


def test_tempests_file_has_the_password_quoted(tempest: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempest, "WORK", str(tmp_path))
    monkeypatch.setattr(tempest, "CONFIG", str(tmp_path / "tempest.conf"))
    password = " '$x\\$ #;%(x)s=\" "
    settings = {
        "auth_url": "http://vip/v3", "password": password, "region": "R", "computes": 0, "dashboard_url": None,
        "provider_address": None,
    }  # fmt: skip
    tempest.prepare(SimpleNamespace(settings=settings, has=lambda kind: kind == "identity", volume_type=""))
    found = read_by_oslo_config(tmp_path / "tempest.conf", "auth", ["admin_password"])
    assert found == {"admin_password": password}


@pytest.mark.parametrize("value", ["", "x", '"', "'x", "True", "qemu", "http://x:5000/v3", '"x"y"', "''"])
def test_unquoted_values_are_read_as_by_oslo_config(value: str, openstack_api: Any, tmp_path: Path) -> None:
    path = tmp_path / "service.conf"
    path.write_text(f"[x]\nsetting = {value}\n")
    assert openstack_api.settings("x", str(path)) == read_by_oslo_config(path, "x", ["setting"])
