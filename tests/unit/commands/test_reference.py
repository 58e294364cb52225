"""The reference of the configuration is up to date, and the examples are what it says."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from commands import reference
from components import paths, services
from components.configuration import environment, schema
from tests.unit.environment_cases import DATA, changes_in, lab

STACKS = [
    *(paths.PROJECT / f"Pulumi.{name}.yaml" for name in ("lab", "sdn", "opencontrail")),
    *sorted((paths.PROJECT / "examples").glob("Pulumi.*.yaml")),
]
VALIDATOR = jsonschema.Draft202012Validator(
    reference.stack_schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)
FORM = (
    "bad-hosts", "bad-names", "bridge-name", "malformed-values", "tenant-networks", "unknown-key",
    "unknown-nested-key", "unknown-password", "unknown-role", "unprintable", "wrong-types",
)  # fmt: skip
"""Cases whose fault is in the form of a value or a key, which a schema can tell."""


def errors(config: dict[str, Any]) -> list[str]:
    """Return what the schema finds wrong with a configuration, its keys without the namespace."""
    stack = {"config": {f"dockstack:{key}": value for key, value in config.items()}}
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(stack)]


def configuration(path: Path) -> dict[str, Any]:
    given = yaml.safe_load(path.read_text())["config"]
    return {key.removeprefix("dockstack:"): value for key, value in given.items()}


@pytest.mark.parametrize("path", reference.files(), ids=lambda path: path.name)
def test_what_is_generated_is_up_to_date(path: Path) -> None:
    assert path.read_text() == reference.files()[path], f"{path.name} is stale. Fix: run `make docs`, and commit it."


def test_every_key_says_what_it_means() -> None:
    models: list[type[BaseModel]] = [*reference.MODELS.values(), schema.StackInput]
    for model in models:
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name} has no text below it"


def test_every_map_of_the_configuration_is_in_the_document() -> None:
    assert set(reference.configuration_schema()["$defs"]) == {model.__name__ for model in reference.MODELS.values()}


def test_pulumi_yaml_and_the_reader_know_the_same_keys() -> None:
    project = yaml.safe_load((paths.PROJECT / "Pulumi.yaml").read_text())
    assert set(project["config"]) == environment.CONFIGURATION_KEYS


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.stem)
def test_a_stack_that_comes_with_the_project_is_sound_to_the_reader_and_to_the_schema(path: Path) -> None:
    given = configuration(path)
    assert errors(given) == []
    made, _ = environment.load(given, stack=path.suffixes[0][1:], roles=services.facts(), base_dir=paths.PROJECT)
    assert made.containers
    assert path.read_text().startswith("# yaml-language-server: $schema=stack.schema.json\n")
    assert (path.parent / "stack.schema.json").resolve() == reference.SCHEMA


def test_stacks_that_come_with_the_project_can_be_up_at_the_same_time() -> None:
    made = [
        environment.load(configuration(path), stack="lab", roles=services.facts(), base_dir=paths.PROJECT)[0]
        for path in STACKS
    ]
    names = [container.name for each in made for container in each.containers]
    bridges = [bridge for each in made for bridge in {c.bridge for c in each.containers}]
    outside = [each.provider for each in made if each.provider]
    networks = [str(each.network) for each in made] + [str(provider.network) for provider in outside]
    bridges += [provider.bridge for provider in outside]
    for things in (names, bridges, networks):
        assert len(things) == len(set(things))


def test_the_lab_of_three_hosts_is_that_of_one_with_most_members_of_no_role_on_one_of_the_others() -> None:
    given = (configuration(paths.PROJECT / "examples" / file) for file in ("Pulumi.ha.yaml", "Pulumi.ha-hosts.yaml"))
    one, three = (
        environment.load(each, stack="ha", roles=services.facts(), base_dir=paths.PROJECT)[0] for each in given
    )
    kinds = [Counter(container.role for container in each.containers) for each in (one, three)]
    assert kinds[0] == kinds[1]
    placed = Counter((container.role, container.host) for container in three.containers)
    for (role, host), count in placed.items():
        assert count == 1 or host == "local", (role, host)


def test_the_example_of_2015_has_the_file_and_what_stands_beside_it() -> None:
    given = configuration(paths.PROJECT / "examples/Pulumi.classic.yaml")
    made, notes = environment.load(given, stack="classic", roles=services.facts(), base_dir=paths.PROJECT)
    assert made.container("classic-keystone1").role == "keystone"
    assert made.container("classic-ceph1").role == "ceph"
    assert not any(container.hooks != environment.HookScripts() for container in made.containers)
    assert any("registerService.py" in note.text for note in notes)


def test_the_whole_lab_of_2015_deploys_as_it_is() -> None:
    given = configuration(paths.PROJECT / "examples/Pulumi.juno.yaml")
    made, notes = environment.load(given, stack="juno", roles=services.facts(), base_dir=paths.PROJECT)
    file = (paths.PROJECT / "examples/juno-environment.yaml").read_text()
    written = {f"juno-{name}1" for name in re.findall(r"^  juno-(\w+)1: .*image", file, re.MULTILINE)}
    gone = {"juno-ifmap1", "juno-discovery1"}
    assert len(written - gone) == 17
    assert {c.name for c in made.containers} == (written - gone) | {"juno-ceph1", "juno-memcached1", "juno-placement1"}
    assert {c.role for c in made.containers} >= {"cassandra", "config", "analytics", "control", "webui"}
    told = {note.key.rpartition(".")[2]: note.text for note in notes if "since 2017" in note.text}
    assert set(told) == gone


def test_the_schema_takes_what_the_reader_takes() -> None:
    given = lab({"common": {"passwords": {"keystone_admin": "a password"}}, "demo": "true"})
    assert errors(given) == []
    given["common"]["passwords"]["keystone_admin"] = {"secure": "v1:cipher"}
    for mask in (24, "24", "/24", "255.255.255.0"):
        given["containerDefaults"]["mask"] = mask
        assert errors(given) == []
    given["containerHosts"]["far"] = {
        "ssh": {"host": "192.0.2.20", "user": "lab", "port": 2222, "privateKey": "/k/lab"}
    }
    given["containers"]["puppet1"] |= {
        "volumes": ["/srv/a:/a:ro", {"source": "/srv/b", "target": "/b"}],
        "needs": "dnsmasq1",
        "hooks": {"preCreation": ["first", "second"], "postDestroy": "one"},
    }
    assert errors(given) == []


@pytest.mark.parametrize("case", FORM)
def test_the_schema_refuses_what_the_reader_refuses_for_its_form(case: str) -> None:
    given = lab(changes_in(DATA / f"faults/{case}.yaml"))
    assert errors(json.loads(json.dumps(given, default=str)))


def test_a_key_of_pulumis_own_is_left_alone_and_another_is_not() -> None:
    given = copy.deepcopy(yaml.safe_load((paths.PROJECT / "Pulumi.lab.yaml").read_text()))
    given |= {"encryptionsalt": "v1:x", "secretsprovider": "passphrase"}
    given["config"]["pulumi:disable-default-providers"] = ["*"]
    assert VALIDATOR.is_valid(given)
    given["dockstack:demo"] = True
    assert not VALIDATOR.is_valid(given)


def test_a_part_that_is_marked_and_not_known_is_an_error() -> None:
    with pytest.raises(KeyError, match="nothing"):
        reference.document("<!-- nothing: generated by `make docs` -->\n<!-- end -->")


def test_the_editors_comment_is_nothing_to_what_reads_the_file_by_its_lines(tmp_path: Path) -> None:
    """prepare/accounts.sh looks for words that a stack of plain containers doesn't have."""
    comment = STACKS[0].read_text().splitlines()[0]
    path = tmp_path / "Pulumi.p.yaml"
    path.write_text(f"{comment}\nconfig:\n  dockstack:containers:\n    a: {{role: plain, address: 10.86.1.2}}\n")
    script = 'PULUMI_BACKEND_URL=file:///none; source prepare/accounts.sh; only_plain "$1" p'
    done = subprocess.run(["bash", "-c", script, "only", str(path)], cwd=paths.PROJECT, check=False)
    assert done.returncode == 0
    path.write_text(re.sub("plain", "memcached", path.read_text()))
    assert subprocess.run(["bash", "-c", script, "only", str(path)], cwd=paths.PROJECT, check=False).returncode
