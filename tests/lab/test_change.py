"""What a change of the lab would do, as a preview tells it: who is replaced, who is provisioned again, nobody else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.conftest import Lab
from tests.lab.harness import PROGRAM, PROJECT, run

pytestmark = pytest.mark.lab

CODE = "dockervolumes/puppet/code/environments/production/site-modules/profile/manifests"


class Copy:
    """The lab's project, to be changed and never brought up."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab, self.directory = lab, directory
        self.settings_file = directory / f"Pulumi.{lab.stack}.yaml"
        for entry in PROGRAM:
            source = PROJECT / entry
            if source.is_dir():
                shutil.copytree(source, directory / entry, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, directory / entry)
        shutil.copy2(PROJECT / self.settings_file.name, self.settings_file)

    def replace(self, path: str, old: str, new: str) -> None:
        """Change a text that a file has once."""
        file = self.directory / path
        text = file.read_text()
        assert text.count(old) == 1
        file.write_text(text.replace(old, new))

    def configure(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the stack's configuration, keys without the namespace."""
        settings = yaml.safe_load(self.settings_file.read_text())
        plain = {key.removeprefix("dockstack:"): value for key, value in settings["config"].items()}
        change(plain)
        settings["config"] = {f"dockstack:{key}": value for key, value in plain.items()}
        self.settings_file.write_text(yaml.safe_dump(settings))

    def plan(self) -> dict[str, set[str]]:
        """Return the resources that a preview would change, by operation."""
        told = run("pulumi", "preview", "--json", "--stack", self.lab.stack, cwd=self.directory).stdout
        found: dict[str, set[str]] = {}
        for step in json.loads(told)["steps"]:
            # A replacement is told in parts as well.
            if step["op"] in ("create", "update", "replace", "delete") and "::pulumi:pulumi:Stack::" not in step["urn"]:
                found.setdefault(step["op"], set()).add(step["urn"].rpartition("::")[2])
        return found


@pytest.fixture
def copy(lab: Lab, tmp_path: Path) -> Copy:
    return Copy(lab, tmp_path)


def stages(name: str, *stages: str) -> set[str]:
    return {f"{name}-{stage}" for stage in stages}


def test_a_copy_without_a_change_plans_nothing(copy: Copy) -> None:
    assert copy.plan() == {}


def test_a_changed_profile_provisions_its_containers_again(lab: Lab, copy: Copy) -> None:
    copy.replace(f"{CODE}/glance.pp", "class profile::glance (", "# changed\nclass profile::glance (")
    glance, server = lab.of_role("glance"), lab.of_role("puppet")
    assert copy.plan() == {"update": {f"{server}-files", *stages(glance, "provisioning", "health")}}


def test_a_changed_supervisor_program_provisions_its_containers_again(lab: Lab, copy: Copy) -> None:
    copy.replace("dockervolumes/glance/supervisor/available/glance-api.conf", "startsecs=", "priority=900\nstartsecs=")
    glance = lab.of_role("glance")
    assert copy.plan() == {"update": stages(glance, "files", "provisioning", "health")}


def test_another_image_replaces_the_container_and_nothing_else(lab: Lab, copy: Copy) -> None:
    glance, other = lab.of_role("glance"), lab.services[lab.of_role("placement")]["image"]
    copy.configure(lambda settings: settings["containers"][glance].update(image=other))
    plan = copy.plan()
    assert plan["replace"] == {glance}
    assert plan["update"] <= stages(glance, "port", "registration", "certificate", "provisioning", "health")


def test_another_capability_replaces_the_container_and_nothing_else(lab: Lab, copy: Copy) -> None:
    copy.replace("components/services/glance.py", "    memory_mib=", '    capabilities=("SYS_NICE",),\n    memory_mib=')
    glance = lab.of_role("glance")
    plan = copy.plan()
    assert plan["replace"] == {glance}
    assert plan["update"] <= stages(glance, "port", "registration", "certificate", "provisioning", "health")


def test_another_address_replaces_the_container_and_tells_those_who_go_to_it(lab: Lab, copy: Copy) -> None:
    glance = lab.of_role("glance")
    address = lab.addresses[glance].rpartition(".")[0] + ".199"
    copy.configure(lambda settings: settings["containers"][glance].update(address=address))
    plan = copy.plan()
    assert plan["replace"] == {glance}
    proxy = lab.of_role("haproxy")
    assert {f"{proxy}-provisioning", f"{glance}-port", f"{glance}-provisioning"} <= plan["update"]


def test_another_password_provisions_those_who_know_it(lab: Lab, copy: Copy) -> None:
    passwords = {"glance_database": "another-one"}
    copy.configure(lambda settings: settings["common"].update(passwords=passwords))
    glance, server = lab.of_role("glance"), lab.of_role("galera")
    plan = copy.plan()
    assert plan.pop("delete") == {"secret-glance_database"}
    told = plan.pop("update")
    assert plan == {}
    assert told == {
        *stages(glance, "registration", "provisioning", "health"),
        *stages(server, "registration", "provisioning", "health"),
    }
