"""Terraform and Ansible know the lab by its clouds.yaml: what an example makes comes, stays as it is, goes whole."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from hostside import files
from tests.documents import commands
from tests.lab import cloud as clouds
from tests.lab.cloud import Cloud, Guest
from tests.lab.conftest import Lab
from tests.lab.harness import PROJECT, eventually, run

pytestmark = [pytest.mark.lab, pytest.mark.long_drill]

DOCUMENT = PROJECT / "docs" / "getting-started.md"
BUILD_SECONDS = 3600
"""How long a client's program may be built or installed, which is kept."""
WRONG = "no-ones-password"


class Client(ABC):
    """A program that makes its example, by the documented commands in a copy of the examples."""

    def __init__(self, stack: str, name: str, directory: Path) -> None:
        """Copy the examples, and make a key.

        Args:
            stack: the lab's stack.
            name: what all that the example makes is called.
            directory: where to work.
        """
        self.stack, self.name, self.directory = stack, name, directory
        self.key = directory / "key"
        shutil.copytree(PROJECT / "examples", directory / "examples")
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "TF_", "ANSIBLE_"))}
        self.env = {**kept, "no_proxy": "*", "NO_PROXY": "*"}

    def command(
        self, *words: str, more: tuple[str, ...] = (), check: bool = True, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the one command of the document that has some words, with more arguments than it has there."""
        (found,) = [line.split() for line in commands(DOCUMENT) if set(words) <= set(line.split())]
        return self.run(*found, *more, check=check, env=env)

    def run(
        self, *arguments: str, check: bool = True, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command beside the examples."""
        return run(*arguments, cwd=self.directory, env={**self.env, **(env or {})}, check=check)

    @abstractmethod
    def up(self) -> str:
        """Make what the example has, and return the guest's address."""

    @abstractmethod
    def again(self) -> str:
        """Do it once more; return what that changes, or nothing."""

    @abstractmethod
    def down(self) -> None:
        """Take away what was made."""

    @abstractmethod
    def refused(self, login: Path) -> str:
        """Try with another clouds.yaml, which is not to do; return what is said then."""


class Terraform(Client):
    """Terraform, with the provider of Gophercloud."""

    def __init__(self, stack: str, name: str, directory: Path) -> None:
        """See above; ``TF_CLI_ARGS_apply`` and its like answer what a person is asked."""
        if not shutil.which("terraform"):
            pytest.skip("there is no terraform here")
        super().__init__(stack, name, directory)
        answers = {f"TF_CLI_ARGS_{command}": "-auto-approve" for command in ("apply", "destroy")}
        given = {"cloud": stack, "name": name, "public_key": f"{self.key}.pub"}
        self.env |= {
            **answers,
            **{f"TF_VAR_{variable}": value for variable, value in given.items()},
            "TF_CLI_ARGS": "-no-color",
            "TF_CLI_CONFIG_FILE": run("prepare/terraform", timeout=BUILD_SECONDS).stdout.strip(),
        }
        self.run("terraform", "-chdir=examples/terraform", "fmt", "-check", "-diff")
        self.command("terraform", "init")

    def up(self) -> str:
        self.command("terraform", "apply")
        return self.command("terraform", "output").stdout.strip()

    def again(self) -> str:
        # Ends with 2 where there is something to do.
        done = self.run("terraform", "-chdir=examples/terraform", "plan", "-detailed-exitcode", check=False)
        return f"{done.stdout}{done.stderr}" if done.returncode else ""

    def down(self) -> None:
        self.command("terraform", "destroy")

    def refused(self, login: Path) -> str:
        env = {"OS_CLIENT_CONFIG_FILE": str(login)}
        done = self.command("terraform", "apply", check=False, env=env)
        assert done.returncode == 1
        return done.stdout + done.stderr


class Ansible(Client):
    """Ansible, with its collection openstack.cloud."""

    def __init__(self, stack: str, name: str, directory: Path) -> None:
        """See above."""
        super().__init__(stack, name, directory)
        programs = run("prepare/ansible", timeout=BUILD_SECONDS).stdout.strip()
        self.env |= {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "ANSIBLE_HOME": str(directory / "ansible"),
            "ANSIBLE_REMOTE_TEMP": str(directory / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
        }
        given = {"cloud": stack, "guest_name": name, "public_key": f"{self.key}.pub"}
        self.given = ("--extra-vars", " ".join(f"{variable}={value}" for variable, value in given.items()))

    def up(self) -> str:
        said = self._play("guest").stdout
        found = re.search(r"has the address ([\d.]+)", said)
        assert found, said
        return found[1]

    def again(self) -> str:
        said = self._play("guest").stdout
        return "" if re.search(r" ok=\d+ +changed=0 ", said) else said

    def down(self) -> None:
        self._play("remove")

    def refused(self, login: Path) -> str:
        done = self._play("guest", check=False, env={"OS_CLIENT_CONFIG_FILE": str(login)})
        assert done.returncode == 2
        return done.stdout + done.stderr

    def _play(self, book: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.command("ansible-playbook", f"examples/ansible/{book}.yaml", more=self.given, **options)


@pytest.fixture(scope="module")
def cloud(lab: Lab) -> Cloud:
    """Connect to the lab's OpenStack."""
    connection = clouds.connect(lab.openrc)
    clouds.needs(connection, "compute", "image", "network", "volumev3")
    return connection


@pytest.fixture(scope="module", params=[Terraform, Ansible], ids=["terraform", "ansible"])
def client(
    request: pytest.FixtureRequest, lab: Lab, cloud: Cloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """A client with its example; what it has made goes at the end, whatever was tried."""
    name = f"as-code-{uuid.uuid4().hex[:8]}"
    made: Client = request.param(lab.stack, name, tmp_path_factory.mktemp("client"))
    made.env["OS_CLIENT_CONFIG_FILE"] = lab.clouds
    yield made
    if called(cloud, name):
        made.down()


def called(cloud: Cloud, name: str) -> set[str]:
    """Return the kinds of what there is under a name."""
    compute, network, volume = cloud.compute, cloud.network, cloud.block_storage
    listed = {
        "server": compute.servers(),
        "key pair": compute.keypairs(),
        "volume": volume.volumes(),
        "router": network.routers(),
        "network": network.networks(),
        "subnet": network.subnets(),
        "port": network.ports(),
        "security group": network.security_groups(),
    }
    return {kind for kind, things in listed.items() if any(thing.name == name for thing in things)}


def changed(login: str, to: Path, change: Mapping[str, Any]) -> Path:
    """Write a clouds.yaml whose clouds differ from another's in some settings, and return its place."""
    written = yaml.safe_load(Path(login).read_text())
    for settings in written["clouds"].values():
        settings["auth"] |= change.get("auth", {})
        for key in change.keys() - {"auth"}:
            settings.pop(key)
    files.put(to, yaml.safe_dump(written), 0o600)
    return to


def test_a_wrong_password_makes_nothing_and_is_told_but_not_shown(
    lab: Lab, cloud: Cloud, client: Client, tmp_path: Path
) -> None:
    said = client.refused(changed(lab.clouds, tmp_path / "clouds.yaml", {"auth": {"password": WRONG}}))
    assert "401" in said or "requires authentication" in said
    assert WRONG not in said and "Traceback" not in said and "panic" not in said
    assert called(cloud, client.name) == set()


def test_who_does_not_know_the_authority_makes_nothing(lab: Lab, cloud: Cloud, client: Client, tmp_path: Path) -> None:
    if not lab.authority:
        pytest.skip("the lab is in clear")
    said = client.refused(changed(lab.clouds, tmp_path / "clouds.yaml", {"cacert": None}))
    assert "certificate" in said and "verify" in said
    assert called(cloud, client.name) == set()


def test_an_example_is_made_once_and_goes_whole(cloud: Cloud, client: Client) -> None:
    address = client.up()
    server = cloud.compute.get_server(cloud.compute.find_server(client.name, ignore_missing=False))
    guest = Guest(cloud, server, client.key)
    guest.floating = address
    guest.await_ssh(clouds.BOOT_SECONDS)
    assert guest.ssh("hostname").strip() == client.name
    eventually("the volume is a disk of the guest's", lambda: "/dev/vdb" in guest.ssh("ls /dev/vd?"), interval=1)
    assert {"server", "key pair", "volume", "router", "network", "subnet", "security group"} <= called(
        cloud, client.name
    )
    assert client.again() == ""
    (floating,) = cloud.network.ips(floating_ip_address=address)
    network = cloud.network.find_network(client.name, ignore_missing=False)
    client.down()
    assert called(cloud, client.name) == set()
    # What has no name of its own.
    assert cloud.network.find_ip(floating.id) is None
    assert list(cloud.network.ports(network_id=network.id)) == []
    assert list(cloud.block_storage.attachments(instance_id=server.id)) == []
