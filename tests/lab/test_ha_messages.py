"""Three brokers and two Keystones: what was acknowledged outlives a member and all of them, and members come and go."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from hostside import web
from tests.lab.harness import (
    OF_LABS,
    Stack,
    brought_up,
    eventually,
    inside,
    kill_container,
    left_since,
    long_drill,
    puppet_runs,
    run,
    started_at,
)

pytestmark = [pytest.mark.lab, pytest.mark.drill, long_drill]

STACK = "t65"
SUBNET = "10.86.65"
BROKERS = [f"{STACK}-rabbitmq{number}" for number in (1, 2, 3)]
KEYSTONES = [f"{STACK}-keystone{number}" for number in (1, 2)]
PASSWORD = "of-the-administrator"
QUEUE = "test-quorum"
# Runs where a service of OpenStack's does, with the library, the login and the brokers that it has.
CLIENT = f"""
import configparser, sys
from urllib.parse import unquote, urlsplit
import amqp

settings = configparser.ConfigParser(interpolation=None, strict=False)
settings.read("/etc/keystone/keystone.conf")
brokers, _, vhost = settings["DEFAULT"]["transport_url"].removeprefix("rabbit://").partition("/")
action, *names = sys.argv[1:]
for broker in brokers.split(","):
    url = urlsplit(f"rabbit://{{broker}}")
    try:
        with amqp.Connection(
            f"{{url.hostname}}:{{url.port}}", url.username, unquote(url.password), virtual_host=vhost,
            confirm_publish=True, connect_timeout=5, read_timeout=20, write_timeout=20,
        ) as connection:
            channel = connection.channel()
            if action == "publish":
                channel.queue_declare("{QUEUE}", durable=True, auto_delete=False)
                for name in names:
                    message = amqp.Message(name, delivery_mode=2)
                    channel.basic_publish_confirm(message, routing_key="{QUEUE}", confirm_timeout=20)
                    print(name, flush=True)
            while action == "read" and (message := channel.basic_get("{QUEUE}")):
                print(message.body)
        break
    except (OSError, amqp.exceptions.AMQPError) as error:
        print(error, file=sys.stderr)
else:
    sys.exit("no broker")
"""


def configuration(brokers: int = 3, keystones: int = 2) -> dict[str, Any]:
    """Return a lab that has users and messages, with so many members."""
    names: dict[str, Any] = {
        **{name: {"role": "rabbitmq", "address": f"{SUBNET}.{40 + at}"} for at, name in enumerate(BROKERS[:brokers])},
        **{
            name: {"role": "keystone", "address": f"{SUBNET}.{50 + at}"}
            for at, name in enumerate(KEYSTONES[:keystones])
        },
    }
    return {
        "common": {
            "domain": f"{STACK}.lab",
            "vip": f"{SUBNET}.250",
            "passwords": {"keystone_admin": PASSWORD},
        },
        "containerDefaults": {"mask": 24, "gateway": f"{SUBNET}.1", "bridge": f"br-{STACK}"},
        "containers": {
            f"{STACK}-dnsmasq1": {"role": "dnsmasq", "address": f"{SUBNET}.53"},
            f"{STACK}-puppet1": {"role": "puppet", "address": f"{SUBNET}.10"},
            f"{STACK}-haproxy1": {"role": "haproxy", "address": f"{SUBNET}.20"},
            f"{STACK}-galera1": {"role": "galera", "address": f"{SUBNET}.30"},
            f"{STACK}-memcached1": {"role": "memcached", "address": f"{SUBNET}.45"},
            **names,
        },
    }


@pytest.fixture(scope="module")
def made(before: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Bring the lab up; what a test changes, it changes back."""
    with brought_up(STACK, tmp_path_factory.mktemp("stacks"), configuration()) as made:
        yield made


def published(*names: str) -> list[str]:
    """Publish messages; return those that the brokers have confirmed."""
    return client("publish", *names).split()


def kept() -> set[str]:
    """Return the messages that the brokers have, which none of them is acknowledged by."""
    return set(client("read").split())


def client(*arguments: str) -> str:
    return run("docker", "exec", "-i", KEYSTONES[0], "python3", "-", *arguments, stdin=CLIENT, check=False).stdout


def asked_of(broker: str, *command: str) -> str:
    """Return what a command of RabbitMQ's says."""
    return run("docker", "exec", "-e", "HOME=/var/lib/rabbitmq", broker, *command, "--silent", check=False).stdout


def members(broker: str) -> list[str]:
    """Return the brokers of the cluster, by one of them."""
    told = asked_of(broker, "rabbitmqctl", "cluster_status", "--formatter=json")
    return sorted(node.removeprefix("rabbit@") for node in json.loads(told)["disk_nodes"]) if told else []


def replicas(broker: str) -> list[str]:
    """Return the brokers that keep the queue."""
    listing = ("rabbitmqctl", "list_queues", "--vhost=quorum", "--formatter=json", "name", "type", "members")
    told = asked_of(broker, *listing)
    return sorted(
        node.removeprefix("rabbit@")
        for queue in (json.loads(told) if told else [])
        if queue["name"] == QUEUE and queue["type"] == "quorum"
        for node in queue["members"]
    )


def answer(number: int, path: str, token: str = "", body: object = None) -> tuple[str, Any]:
    """Ask one of the Keystones; return the token that it gives, and its answer."""
    headers = {"Content-Type": "application/json", "X-Auth-Token": token, "X-Subject-Token": token}
    headers = {name: value for name, value in headers.items() if value}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{SUBNET}.{49 + number}:5000/v3{path}", data, headers)
    with web.opener().open(request, timeout=30) as told:
        return told.headers.get("X-Subject-Token", ""), json.load(told)


def token_of(number: int) -> str:
    """Return a token that one of the Keystones has made."""
    domain = {"id": "default"}
    identity = {
        "methods": ["password"],
        "password": {"user": {"name": "admin", "domain": domain, "password": PASSWORD}},
    }
    scope = {"project": {"name": "admin", "domain": domain}}
    return answer(number, "/auth/tokens", body={"auth": {"identity": identity, "scope": scope}})[0]


def believes(number: int, token: str) -> bool:
    """Say whether one of the Keystones takes a token."""
    try:
        return bool(answer(number, "/auth/tokens", token)[1]["token"])
    except urllib.error.HTTPError as error:
        assert error.code in (401, 404)
        return False


def test_all_brokers_are_one_cluster_that_keeps_messages_threefold(made: Stack) -> None:
    assert all(members(broker) == BROKERS for broker in BROKERS)
    assert published("first") == ["first"]
    assert replicas(BROKERS[0]) == BROKERS
    assert "khepri_db\tenabled" in asked_of(BROKERS[0], "rabbitmqctl", "list_feature_flags")


def test_a_second_update_and_a_second_run_of_puppet_change_nothing(made: Stack) -> None:
    made.preview("--expect-no-changes")
    ended = puppet_runs([*BROKERS, *KEYSTONES], "--test")
    assert {name: done.stdout + done.stderr for name, done in ended.items() if done.returncode} == {}


def test_what_a_queue_has_confirmed_outlives_the_death_of_one_broker(made: Stack) -> None:
    names = [f"one-{number}" for number in range(20)]
    confirmed = published(*names)
    kill_container(BROKERS[0])
    # Those that are left are a majority: nobody waits for the one that is gone.
    confirmed += published("without-one")
    assert confirmed == [*names, "without-one"]
    assert set(confirmed) <= kept()
    eventually("the broker is back", lambda: len(members(BROKERS[0])) == 3, interval=1)


def test_what_a_queue_has_confirmed_outlives_the_death_of_all(made: Stack) -> None:
    names = [f"all-{number}" for number in range(20)]
    assert published(*names) == names
    for name in reversed(BROKERS):
        kill_container(name)
    eventually("all messages are there", lambda: set(names) <= kept(), interval=1)
    assert published("after") == ["after"]


def test_a_token_of_one_keystone_is_good_at_the_other_and_across_a_rotation(made: Stack) -> None:
    old = [token_of(1), token_of(2)]
    user = answer(1, "/auth/tokens", old[0])[1]["token"]["user"]["id"]
    credential = {"blob": "encrypted", "type": "test", "user_id": user}
    number = answer(1, "/credentials", old[0], {"credential": credential})[1]["credential"]["id"]
    assert all(believes(each, token) for each in (1, 2) for token in old)
    started = started_at(STACK)
    keys = keys_of(KEYSTONES[0])

    made.rotate("keystone_fernet", "keystone_credential")

    assert keys_of(KEYSTONES[0]) == keys_of(KEYSTONES[1]) != keys
    new = [token_of(1), token_of(2)]
    assert all(believes(each, token) for each in (1, 2) for token in (*old, *new))
    assert answer(2, f"/credentials/{number}", new[0])[1]["credential"]["blob"] == "encrypted"
    assert started_at(STACK) == started


def keys_of(keystone: str) -> str:
    """Return the keys that one of the Keystones has, whatever their numbers are."""
    return inside(keystone, "sh", "-c", "cat /etc/keystone/*-keys/* | fold --width=44 | sort --unique")


def test_another_cookie_and_password_end_no_broker(made: Stack) -> None:
    running = [inside(name, "supervisorctl", "pid", "rabbitmq-server") for name in BROKERS]
    made.rotate("rabbitmq_cookie", "rabbitmq_openstack")
    assert [inside(name, "supervisorctl", "pid", "rabbitmq-server") for name in BROKERS] == running
    assert published("with-another-password") == ["with-another-password"]
    kill_container(BROKERS[1])
    eventually("it finds the others by the new cookie", lambda: len(members(BROKERS[1])) == 3, interval=1)


def test_members_that_go_leave_nothing_in_the_others_and_come_again(made: Stack) -> None:
    assert published("before-the-end") == ["before-the-end"]
    started = started_at(STACK)
    made.configure(configuration(brokers=1, keystones=1))
    made.up()
    assert members(BROKERS[0]) == BROKERS[:1]
    made.configure(configuration())
    made.up()
    assert all(members(broker) == BROKERS for broker in BROKERS)
    assert published("after-the-return") == ["after-the-return"]
    eventually("the queue is kept threefold", lambda: replicas(BROKERS[0]) == BROKERS, interval=1)
    assert believes(2, token_of(1))
    stayed = [name for name in started if name not in (*BROKERS[1:], *KEYSTONES[1:])]
    assert [started_at(STACK)[name] for name in stayed] == [started[name] for name in stayed]


def test_nothing_is_left_of_it(made: Stack, before: dict[str, list[str]]) -> None:
    made.destroy()
    assert left_since(before, OF_LABS) == {}
