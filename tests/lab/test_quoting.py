"""Each secret is read as it was given: written by the Puppet server's code, and read by what reads it in a lab.

Readers that are Python packages are in tests/unit/components/test_quoting.py, too; a whole lab with such passwords is
in tests/lab/test_hostile_passwords.py.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from components import paths, quoting
from components.configuration.readers import ERLANG, KEEPALIVED, MYSQL_HASH, OSLO_MESSAGING, PYMYSQL, Reader
from tests.hostile import LONGEST, SECRETS, all_in_one, readable
from tests.lab.conftest import Lab
from tests.lab.harness import inside, run

pytestmark = [pytest.mark.lab, pytest.mark.shares]

PROGRAMS = Path(__file__).parent / "quoting"
NAMED = {f"s{index}": secret for index, secret in enumerate(SECRETS)}
SOME = (" x ", "$x", r"\$x", '"x"', "'x'", "true", "<SERVICE DEFAULT>", "x #y", ";x", "=x", "%{x}", "\\", "é", "𝄞")
"""What Puppet's types for configuration files might take for something else."""
BROKER = "test-quoting-broker"
MOST_ROUTERS = 255
"""Of VRRP on one interface."""


def named(*readers: Reader) -> dict[str, str]:
    """Return the secrets that these readers can be given, by name."""
    kept = set(readable(*readers))
    return {name: secret for name, secret in NAMED.items() if secret in kept}


class Written:
    """What Puppet has written, and containers of the lab's images that read it, without a network."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        """Take a directory to write to."""
        self.lab = lab
        self.directory = directory
        pairs = [f"{directory / name}:/etc/{name}" for name in ("written", "keystone", "neutron")]
        self._mounts = [option for pair in (*pairs, f"{PROGRAMS}:/programs:ro") for option in ("--volume", pair)]

    def command(self, role: str, *command: str, options: tuple[str, ...] = ("--rm", "--network", "none")) -> list[str]:
        """Return the command that runs a command in a container of a role's image."""
        image = self.lab.services[self.lab.of_role(role)]["image"]
        return ["docker", "run", *options, *self._mounts, image, *command]

    def tell(self, name: str) -> Any:
        """Return what one of the files has, which is JSON."""
        return json.loads((self.directory / "written" / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def written(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Have Puppet write each secret the ways that the profiles do, from Hiera's data as a server has them."""
    made = Written(lab, tmp_path_factory.mktemp("quoting"))
    data = {
        "passwords": NAMED,
        "some_passwords": {name: text for name, text in NAMED.items() if text in SOME or len(text) >= LONGEST},
        "user_passwords": named(OSLO_MESSAGING),
        "vrrp_passwords": named(KEEPALIVED),
        "erlang_cookie": all_in_one(ERLANG),
    }
    assert len(data["some_passwords"]) >= len(SOME) + 5
    nodes = made.directory / "nodes"
    nodes.mkdir()
    text = quoting.hiera_data({f"profile::written::{key}": value for key, value in data.items()})
    (nodes / "writer.yaml").write_text(text, encoding="utf-8")
    mounts = {
        paths.DOCKERVOLUMES / "puppet/code": "/etc/dockstack/code",
        nodes: "/etc/dockstack/secrets/nodes",
    }
    options = [option for source, target in mounts.items() for option in ("--volume", f"{source}:{target}:ro")]
    done = run(
        *made.command(
            "puppet", "puppet", "apply", "--environmentpath", "/etc/dockstack/code/environments", "--certname",
            "writer", "--logdest", "console", "--color", "false", "--detailed-exitcodes", "/programs/write.pp",
            options=("--rm", "--network", "none", *options),
        ),
        check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    assert made.tell("secrets.json") == NAMED
    return made


@pytest.fixture(scope="module")
def found(written: Written) -> dict[str, dict[str, str]]:
    """Return what OpenStack's libraries read: text by name by reader."""
    return dict(json.loads(run(*written.command("keystone", "/programs/read-written")).stdout))


def misread(found: Mapping[str, str], wanted: Mapping[str, str]) -> set[str]:
    """Return the secrets of which something else was read."""
    assert len(found) >= len(SOME)
    return {NAMED[name] for name, text in found.items() if text != wanted[name]}


@pytest.mark.parametrize("reader", ["oslo.config", "keystone.conf", "metadata_agent.ini"])
def test_oslo_config_reads_every_secret(reader: str, found: dict[str, dict[str, str]]) -> None:
    assert misread(found[reader], NAMED) == set()


def test_oslo_messaging_reads_every_secret_but_those_that_the_check_refuses(found: dict[str, dict[str, str]]) -> None:
    assert misread(found["oslo.messaging"], NAMED) == set(SECRETS) - set(readable(OSLO_MESSAGING))


@pytest.mark.parametrize("reader", ["PyMySQL", "PyMySQL's own files"])
def test_the_database_lets_every_secret_in_but_those_that_the_check_refuses(
    reader: str, found: dict[str, dict[str, str]], written: Written
) -> None:
    tried = {NAMED[name] for name in found[reader]}
    assert misread(found[reader], written.tell("hashes.json")) == tried - set(readable(PYMYSQL, MYSQL_HASH))


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_reads_every_secret(shell: str, written: Written) -> None:
    path = written.directory / "written" / "openrc"
    done = subprocess.run([shell, "-euc", '. "$0"; env -0', str(path)], capture_output=True, check=True)
    settings = dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if line)
    assert {name: settings[name] for name in NAMED} == NAMED


@pytest.fixture(scope="module")
def broker(written: Written) -> Iterator[str]:
    """Start a broker whose cookie is as hostile as can be."""
    start = (
        "install --owner=rabbitmq --group=rabbitmq --mode=0400 /etc/written/cookie /var/lib/rabbitmq/.erlang.cookie"
        " && export HOME=/var/lib/rabbitmq RABBITMQ_LOGS=- && epmd -daemon"
        " && exec setpriv --reuid=rabbitmq --regid=rabbitmq --clear-groups /usr/lib/rabbitmq/bin/rabbitmq-server"
    )
    settings = written.directory / "written" / "users.json"
    options = (
        "--detach", "--name", BROKER, "--network", "none", "--hostname", "broker", "--add-host", "broker:127.0.0.1",
        "--env", "ERL_MAX_PORTS=16384", "--no-healthcheck", "--volume", f"{settings}:/etc/rabbitmq/users.json:ro",
        "--volume", f"{paths.DOCKERVOLUMES / 'rabbitmq/bin'}:/etc/dockstack/bin:ro",
    )  # fmt: skip
    run("docker", "rm", "--force", "--volumes", BROKER, check=False)
    run(*written.command("rabbitmq", "sh", "-c", start, options=options))
    try:
        inside(BROKER, "/etc/dockstack/bin/rabbitmq-settle", "apply")
        yield BROKER
    finally:
        run("docker", "rm", "--force", "--volumes", BROKER)


def test_the_broker_lets_every_secret_in_but_those_that_the_check_refuses(broker: str, written: Written) -> None:
    options = ("--rm", "--network", f"container:{broker}")
    refused = json.loads(run(*written.command("keystone", "/programs/log-in", options=options)).stdout)
    assert {NAMED[name] for name in refused} == set(SECRETS) - set(readable(OSLO_MESSAGING))


def test_keepalived_reads_every_secret_that_the_check_lets_through(written: Written) -> None:
    common, instance = (written.directory / "written" / "keepalived.conf").read_text().split("vrrp_instance vip", 1)
    words = written.tell("words.json")
    instances = [
        f"vrrp_instance {name}{instance}".replace("PASSWORD", word)
        .replace("virtual_router_id 51", f"virtual_router_id {index % MOST_ROUTERS + 1}")
        .replace("eth0", f"eth{index // MOST_ROUTERS}")
        for index, (name, word) in enumerate(words.items())
    ]
    (written.directory / "written" / "instances.conf").write_text(common + "".join(instances), encoding="utf-8")
    options = ("--rm", "--network", "none", "--cap-add", "NET_ADMIN", "--cap-add", "NET_BROADCAST")
    said = run(*written.command("haproxy", "/programs/dump-keepalived", str(len(words)), options=options)).stdout
    shown = re.findall(r"^.*?  VRRP Instance = (\S+)$|^.*?    Password = (.*)$", said, re.MULTILINE)
    read = {name: text for (name, _), (_, text) in zip(shown[::2], shown[1::2], strict=True)}
    assert read == named(KEEPALIVED)
    assert "runcating" not in said and "quote" not in said
