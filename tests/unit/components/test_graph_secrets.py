"""Passwords: generated unless given, marked as secrets wherever they go, and nowhere else."""

from __future__ import annotations

import hashlib
import shlex

import pytest

from components import services
from components.services.role import Requirements, Role
from tests.unit.graph_recorder import (
    CONFIG,
    GENERATED,
    GIVEN,
    UNKNOWN,
    Graph,
    Secret,
    config,
    container,
    data_of,
    record_lab,
    texts,
)

ALL_ROLES = list(services.ROLES.values())


def with_passwords(**passwords: str) -> Graph:
    return record_lab(config(common=config()["common"] | {"passwords": passwords}))


def test_each_secret_that_is_not_given_is_generated_once(lab: Graph) -> None:
    wanted = {name for role in ALL_ROLES for name in role.secret_names(Requirements.of(ALL_ROLES))} | {"enrolment"}
    generated = [r.name.removeprefix("secret-") for r in lab if r.name.startswith("secret-")]
    assert sorted(generated) == sorted(wanted - set(CONFIG["common"]["passwords"]))


def test_a_given_password_is_used_and_nothing_is_generated_for_it() -> None:
    graph = with_passwords(galera_root="a-root-password")
    assert not [r for r in graph if r.name == "secret-galera_root"]
    registered = graph.the("register", server="puppet1", fqdn="galera1.dockstack.lab")
    assert data_of(registered, "secrets")["profile::galera::root_password"] == "a-root-password"


def test_what_a_generator_prints_is_a_secret_and_is_not_logged(lab: Graph) -> None:
    generators = [r for r in lab if r.name.startswith("secret-")]
    assert generators
    for generator in generators:
        assert "stdout" in generator.secret_outputs
        assert generator.inputs["logging"] == "none"
        assert not generator.inputs.keys() & {"update", "triggers", "delete"}


def test_no_password_is_in_an_input_that_is_not_secret(lab: Graph) -> None:
    for resource in lab:
        for text in texts(resource.inputs, secrets=False):
            assert GIVEN not in text, resource.name
            assert GENERATED not in text, resource.name


def test_passwords_reach_the_registration_and_the_openrc_file(lab: Graph) -> None:
    holding = {r.operation() for r in lab if any(GIVEN in text for text in texts(r.inputs, secrets=True))}
    assert holding == {"register", "access-publish", "demo"}


def test_each_secret_input_is_a_commands_standard_input(lab: Graph) -> None:
    for resource in lab:
        secret = {key for key, value in resource.inputs.items() if isinstance(value, Secret)}
        assert secret <= {"stdin"}, resource.name


@pytest.mark.parametrize("operation", ["register", "certificate-issue", "access-publish"])
def test_what_a_secret_step_gets_is_marked_secret(lab: Graph, operation: str) -> None:
    assert lab.operations(operation)
    assert all(isinstance(r.inputs["stdin"], Secret) for r in lab.operations(operation))


@pytest.mark.parametrize("operation", ["register", "certificate-issue", "access-publish"])
def test_what_a_secret_step_gets_is_marked_secret_in_a_preview_too(previewed: Graph, operation: str) -> None:
    assert previewed.operations(operation)
    for resource in previewed.operations(operation):
        # What isn't known yet, the engine shows nothing of.
        assert resource.inputs["stdin"] == UNKNOWN or isinstance(resource.inputs["stdin"], Secret)
        assert not [text for text in texts(resource.inputs, secrets=False) if GIVEN in text]


@pytest.mark.parametrize("operation", ["provision", "health-await", "files-write", "bridge-up", "image-build"])
def test_what_a_person_should_see_in_a_preview_is_not_secret(lab: Graph, operation: str) -> None:
    # Of a token, a digest is written, which is one of a password where that is given.
    shown = [r for r in lab.operations(operation) if r.name != "local-watchers"]
    assert shown
    assert not any(isinstance(r.inputs["stdin"], Secret) for r in shown)


def test_nothing_secret_is_in_an_output(lab: Graph) -> None:
    assert not any(isinstance(value, Secret) for value in lab.outputs.values())
    assert not any(GIVEN in text or GENERATED in text for text in texts(lab.outputs, secrets=True))


def test_a_changed_password_is_a_reason_for_a_puppet_run_and_its_fingerprint_does_not_show_it() -> None:
    one, other = with_passwords(galera_root="one-password"), with_passwords(galera_root="other-password")
    runs = [graph.the("provision", container="galera1").shown("stdin") for graph in (one, other)]
    assert runs[0] != runs[1]
    assert "one-password" not in runs[0]
    same = [graph.the("provision", container="memcached1").shown("stdin") for graph in (one, other)]
    assert same[0] == same[1]


def test_each_container_has_an_enrolment_secret_of_its_own(lab: Graph) -> None:
    secrets = [r.parameters()["secret"] for r in lab.operations("certificate-issue")]
    assert len(set(secrets)) == len(secrets) > 1
    assert all(len(secret) == 64 for secret in secrets)


def test_the_server_gets_the_digest_of_an_enrolment_secret_and_never_the_secret(lab: Graph) -> None:
    for request in lab.operations("certificate-issue"):
        given = request.parameters()
        entry = lab.the("register", fqdn=f"{given['container']}.dockstack.lab")
        assert given["secret"] not in entry.shown("stdin")
        digest, role = entry.parameters()["grant"].splitlines()
        assert digest == hashlib.sha256(given["secret"].encode()).hexdigest()
        assert role == given["role"] == CONFIG["containers"][given["container"]]["role"]


@pytest.mark.parametrize("role", ALL_ROLES, ids=lambda role: role.name)
def test_a_container_is_given_the_secrets_of_its_role_and_no_others(lab: Graph, role: Role) -> None:
    if not role.provisioned:
        assert not lab.operations("register", fqdn=f"{role.name}1.dockstack.lab")
        return
    entry = lab.the("register", fqdn=f"{role.name}1.dockstack.lab")
    assert set(data_of(entry, "secrets")) == set(role.secrets(Requirements.of(ALL_ROLES)))


def test_members_of_a_role_share_its_passwords() -> None:
    graph = record_lab(container("galera2", role="galera", address="10.87.0.31"))
    both = [data_of(graph.the("register", fqdn=f"galera{n}.dockstack.lab"), "secrets") for n in (1, 2)]
    assert both[0] == both[1]


def test_a_service_logs_in_with_the_password_that_its_database_was_made_with(lab: Graph) -> None:
    galera, keystone, rabbitmq, config = (
        data_of(lab.the("register", fqdn=f"{name}1.dockstack.lab"), "secrets")
        for name in ("galera", "keystone", "rabbitmq", "config")
    )
    passwords = galera["profile::galera::database_passwords"]
    assert passwords["keystone"] == keystone["profile::keystone::database_password"]
    assert len(set(passwords.values())) == len(passwords) > 1
    users = rabbitmq["profile::rabbitmq::user_passwords"]
    assert users == {
        "openstack": keystone["profile::keystone::rabbit_password"],
        "opensdn": config["profile::config::common::rabbit_password"],
    }


def test_the_openrc_file_means_the_password_whatever_characters_it_has() -> None:
    password = """it's "$HOME" `id` \\ !"""
    graph = with_passwords(keystone_admin=password)
    text = graph.the("access-publish").parameters()["text"]
    words = shlex.split(text)
    assert f"OS_PASSWORD={password}" in words
    assert words.count("export") == len(text.splitlines())
