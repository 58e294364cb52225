"""Making Keystone's administrator, or giving him a new password."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
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


FIRST, SECOND, THIRD, FOURTH = (f"{moment}\nsome-bits" for moment in (7, 80, 900, 1000))


@pytest.fixture
def keys(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A member's directory of keys."""
    monkeypatch.setattr(script.pwd, "getpwnam", lambda _name: SimpleNamespace(pw_uid=os.getuid(), pw_gid=os.getgid()))
    directory = tmp_path / "keys"
    directory.mkdir()
    return directory


def ring(script: Any, *keys: str) -> list[str]:
    return [script.fernet(key) for key in keys]


def test_keys_are_used_in_the_order_in_which_they_were_made(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "SHARED_KEYS", tmp_path / "keys.json")
    assert script.shared_keys() == {}
    script.SHARED_KEYS.write_text(json.dumps({"fernet": [THIRD, FIRST, SECOND]}))
    assert script.shared_keys() == {"fernet": ring(script, FIRST, SECOND, THIRD)}


def test_a_new_member_has_the_keys_of_the_others(script: Any, keys: Path) -> None:
    wanted = ring(script, FIRST, SECOND, THIRD)
    script.install(keys, wanted)
    assert script.installed(keys) == {1: wanted[0], 2: wanted[1], 0: wanted[2]}
    assert script.in_place(keys, wanted)


def test_a_rotation_uses_what_was_staged_before_and_keeps_what_was_used(script: Any, keys: Path) -> None:
    first, second, third, fourth = ring(script, FIRST, SECOND, THIRD, FOURTH)
    script.install(keys, [first, second, third])
    assert not script.in_place(keys, [second, third, fourth])
    script.install(keys, [second, third, fourth])
    found = script.installed(keys)
    assert found[0] == fourth and found[max(found)] == third
    assert sorted(found.values()) == sorted([second, third, fourth])


def test_a_member_can_read_all_that_it_could_at_each_moment_of_a_rotation(
    script: Any, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third, fourth = ring(script, FIRST, SECOND, THIRD, FOURTH)
    script.install(keys, [first, second, third])
    put, seen = script.put, []

    def watched(path: Path, key: str) -> None:
        put(path, key)
        seen.append(set(script.installed(keys).values()))

    monkeypatch.setattr(script, "put", watched)
    script.install(keys, [second, third, fourth])
    assert seen and all({first, second, third} <= each for each in seen)


def test_what_a_member_used_before_it_had_others_is_read_until_the_next_rotation(script: Any, keys: Path) -> None:
    (keys / "0").write_text("its own staged")
    (keys / "1").write_text("its own")
    script.install(keys, ring(script, FIRST, SECOND, THIRD))
    assert "its own" in script.installed(keys).values() and script.in_place(keys, ring(script, FIRST, SECOND, THIRD))
    script.install(keys, ring(script, SECOND, THIRD, FOURTH))
    assert "its own" not in script.installed(keys).values()


def test_a_key_is_one_of_fernets_and_only_its_owners(script: Any, keys: Path) -> None:
    script.install(keys, ring(script, FIRST, SECOND, THIRD))
    for path in keys.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert len(base64.urlsafe_b64decode(path.read_text())) == 32
