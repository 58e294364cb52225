"""What a secret can't be, as one of its readers couldn't read it, is a fault that says so and quotes nothing."""

from __future__ import annotations

import pytest

from components import paths, services
from components.configuration.environment import survey
from components.configuration.faults import Fault
from components.configuration.schema import password_faults
from components.services import ROLES
from components.services.role import Requirements
from tests.hostile import SECRETS, all_in_one
from tests.unit.graph_recorder import config

FACTS = services.facts()
NAMES = sorted({name for role in FACTS.values() for name in role.secrets})
READERS = {name: found for role in FACTS.values() for name, found in role.readers.items()}


def faults(**passwords: str) -> tuple[Fault, ...]:
    given = config(common=config()["common"] | {"passwords": passwords})
    return survey(given, stack="lab", roles=FACTS, base_dir=paths.PROJECT).faults


@pytest.mark.parametrize(
    ("name", "secret", "reason"),
    [
        ("keystone_admin", "", "is an empty password"),
        ("keystone_admin", "   ", "is a password of nothing but blanks"),
        ("keystone_admin", "a\tb\ncd\x7f", "has what can't be printed: U+0009, U+000A, U+007F"),
        ("keystone_admin", "\u00a0\u200b\u202e\ue000", "has what can't be printed: U+00A0, U+200B, U+202E and others"),
        ("keystone_admin", "x" * 4097, "has 4097 bytes, of which Keystone reads 4096"),
        ("glance_identity", "é" * 2049, "has 4098 bytes, of which Keystone reads 4096"),
        ("glance_database", "é", "has a character beyond ASCII, which PyMySQL can't read"),
        (
            "galera_root",
            "*" + "0A" * 20,
            "has a `*` and 40 hexadecimal digits at its end, which Puppet's MySQL module can't read",
        ),
        ("rabbitmq_openstack", "a/b", "has a `/`, which oslo.messaging can't read"),
        ("rabbitmq_openstack", "x" * 2049, "has 2049 bytes, of which oslo.messaging reads 2048"),
        ("rabbitmq_cookie", "é", "has a character beyond ASCII, which Erlang can't read"),
        ("rabbitmq_cookie", "x" * 256, "has 256 bytes, of which Erlang reads 255"),
        ("vrrp", "x" * 9, "has 9 bytes, of which keepalived reads 8"),
    ],
)
def test_it_is_said_which_characters_which_reader_cannot_read(name: str, secret: str, reason: str) -> None:
    (fault,) = faults(**{name: secret})
    assert (fault.key, fault.reason) == (f"dockstack:common.passwords.{name}", reason)
    assert fault.fix.endswith("or leave it out to have one generated.")


def test_all_that_is_wrong_with_a_secret_is_said_at_once() -> None:
    assert len(faults(vrrp='"' * 9, rabbitmq_cookie="é" * 200, glance_database="é")) == 5


def test_no_fault_quotes_a_secret() -> None:
    readers = {reader for found in READERS.values() for reader in found}
    for secret in SECRETS:
        said = "".join(map(str, password_faults(secret, "key", readers)))
        assert len(secret) < 4 or secret not in said


def test_every_secret_may_have_what_its_readers_can_read() -> None:
    given = {name: all_in_one(*READERS.get(name, ())) for name in NAMES}
    assert faults(**given) == ()
    assert min(map(len, given.values())) == 8
    # Where nothing reads less, all printable ASCII.
    assert all(set(map(chr, range(32, 127))) <= set(given[name]) for name in NAMES if name not in READERS)


def test_a_reader_is_named_for_a_parameter_that_its_profile_has() -> None:
    requirements = Requirements.of(ROLES.values())
    for role in ROLES.values():
        assert set(role.readers) <= set(role.secrets(requirements)), role.name
