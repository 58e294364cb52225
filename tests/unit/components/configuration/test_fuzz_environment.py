"""Thousands of odd configurations: each comes to a sound lab or to a full list of faults, and never to a traceback."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.configuration.environment import Survey, load
from components.configuration.faults import ConfigurationFaults
from tests.unit.environment_cases import DATA, LAB, ROLES, lab, look

QUICK = settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)

WORDS = st.sampled_from(
    [
        *("10.87.0.10", "10.87.0.1", "10.87.0.250", "10.87.0.255", "10.88.0.7", "8.8.8.8", "255.255.255.0", "br-lab"),
        *("local", "puppet", "plain", "keystone", "nova", "dns", "puppet1", "galera1", "dockstack.lab", "/a:/b", "/a"),
        *("", " ", "\x00", "\ud800", "{x}", "a" * 300, "../..", "é", "registry/x:1", "*", "<<", "~", "0x1F", "1:30"),
    ]
)
SCALARS = st.one_of(
    WORDS, st.none(), st.booleans(), st.integers(), st.integers(0, 40), st.floats(), st.text(max_size=8)
)
KEYS = st.one_of(
    st.sampled_from(
        [
            *("common", "containers", "containerHosts", "containerDefaults", "domain", "vip", "dhcp", "start", "end"),
            *("passwords", "galera_root_password", "mask", "gateway", "bridge", "dns", "mtu", "host", "ssh", "port"),
            *("volumes", "source", "target", "readOnly", "role", "address", "image", "needs", "hooks", "preCreation"),
            *("local", "puppet1", "galera1", "keystone1", "vip", "x", "user", "hostKey", "privateKey", "region"),
        ]
    ),
    st.text(max_size=5),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=4),
        st.dictionaries(st.one_of(KEYS, SCALARS.filter(lambda v: v == v)), inner, max_size=3),
    ),
    max_leaves=8,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    places = [path]
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        places += _places(item, (*path, key))
    return places


PLACES = _places(LAB)[1:]


def _change(config: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        if not isinstance(config, (dict, list)) or (isinstance(config, dict) and key not in config):
            return
        if isinstance(config, list) and not (isinstance(key, int) and key < len(config)):
            return
        config = config[key]
    if isinstance(config, dict) or (isinstance(config, list) and isinstance(path[-1], int) and path[-1] < len(config)):
        config[path[-1]] = value


def _sensible(result: Survey) -> None:
    for fault in result.faults:
        assert fault.key
        assert fault.reason
        assert fault.fix.endswith(".")
        str(fault).encode("utf-8")
        assert str(fault).isprintable()
    for note in result.notes:
        assert str(note).isprintable()
    assert list(result.faults) == sorted(set(result.faults))
    if not result.faults:
        assert result.environment is not None
        addresses = [c.address for c in result.environment.containers]
        assert len(set(addresses)) == len(addresses)
        assert all(c.address in c.network for c in result.environment.containers)
        assert result.environment.vip not in addresses


@QUICK
@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_configuration_is_a_lab_or_a_list_of_faults(config: dict[Any, Any]) -> None:
    config.pop("environment", None)
    _sensible(look(config))


@QUICK
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=4))
def test_a_sound_lab_with_something_changed_is_a_lab_or_a_list_of_faults(
    changes: list[tuple[tuple[Any, ...], Any]],
) -> None:
    config = lab()
    for path, value in changes:
        _change(config, path, value)
    _sensible(look(config))


@QUICK
@given(st.lists(st.tuples(st.sampled_from(PLACES), WORDS, st.sampled_from(["", "x", "y"])), min_size=1, max_size=3))
def test_load_raises_faults_and_nothing_else(changes: list[tuple[tuple[Any, ...], str, str]]) -> None:
    config = lab()
    for path, value, suffix in changes:
        _change(config, (*path[:-1], f"{path[-1]}{suffix}") if suffix else path, value)
    try:
        load(config, stack="lab", roles=ROLES, base_dir=DATA)
    except ConfigurationFaults as refused:
        assert str(refused).splitlines() == [str(fault) for fault in refused.faults] != []


@QUICK
@given(st.text(alphabet=st.sampled_from("abc:{}[]&*<>!|-#\t \n'\"0123.?,%@`~"), max_size=120))
def test_any_text_is_a_2015_file_or_a_list_of_faults(text: str) -> None:
    _sensible(look({"environment": "x.yaml"}, read_text=lambda path: text))


@QUICK
@given(
    st.lists(
        st.tuples(
            st.integers(0, 4000), st.integers(0, 12), st.text(max_size=6) | st.sampled_from(["*", "&a ", "<<: "])
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_damaged_2015_file_is_a_lab_or_a_list_of_faults(damage: list[tuple[int, int, str]]) -> None:
    text = (DATA / "legacy" / "token.yaml").read_text(encoding="utf-8")
    for start, length, new in damage:
        text = text[: start % len(text)] + new + text[start % len(text) + length :]
    _sensible(look({"environment": "x.yaml"}, read_text=lambda path: text))


@QUICK
@given(st.dictionaries(KEYS | st.sampled_from(["containerhosts", "containerdefault"]), VALUES, max_size=5))
def test_any_map_is_a_2015_file_or_a_list_of_faults(content: dict[Any, Any]) -> None:
    text = yaml.safe_dump(content)
    _sensible(look({"environment": "x.yaml"}, read_text=lambda path: text))


@QUICK
@given(st.dictionaries(st.sampled_from(["common", "containerHosts", "containerDefaults", "containers"]), VALUES))
def test_any_map_beside_a_2015_file_is_a_lab_or_a_list_of_faults(beside: dict[Any, Any]) -> None:
    text = (
        "common: {vip: 10.86.0.254}\ncontainerdefault: {mask: 16}\ncontainers: {a: {image: plain, volumes: ['/a:/b']}}"
    )
    _sensible(look({"environment": "x.yaml", **beside}, read_text=lambda path: text))
