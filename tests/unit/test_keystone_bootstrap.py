"""Making Keystone's administrator, or giving him a new password."""

from __future__ import annotations

import sys
import time
from types import ModuleType
from typing import Any

import pytest

from tests.unit import scripts

SETTINGS = {"password": "p", "region": "RegionOne", "url": "http://vip.lab:5000"}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the script, with keystone-manage's commands played: they do nothing, and quickly."""
    package, commands = ModuleType("keystone"), ModuleType("keystone.cmd")
    package.cmd, commands.cli = commands, ModuleType("cli")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keystone", package)
    monkeypatch.setitem(sys.modules, "keystone.cmd", commands)
    loaded = scripts.load("keystone/bin/keystone-bootstrap", monkeypatch)
    monkeypatch.setattr(loaded, "manage", lambda *_: None)
    monkeypatch.setattr(loaded, "without_keys", list)
    return loaded


def test_no_token_is_asked_for_in_the_second_of_a_new_password(script: Any) -> None:
    while time.time() % 1 > 0.2:
        time.sleep(0.05)
    begun = int(time.time())
    script.apply(SETTINGS)
    assert int(time.time()) > begun
