"""The documents are true of the checkout: their commands are run by tests, and what they name is there."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import tomllib
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path

import pytest
import yaml

from components import paths, services
from components.configuration import environment
from tests.documents import DOCUMENTS, blocks, commands
from tests.unit.commands.test_reference import configuration, errors

FENCES = {"sh", "console", "yaml", "mermaid", "python", "diff", "dockerfile", "ini", "puppet", "text"}
PLACEHOLDERS = re.compile(r"[<>*…]|ROLE|STACK|NAME|OUTDIR")
OURS = "components|hostside|prepare|tests|Dockerfiles|dockervolumes|engine|examples|docs"


@dataclass(frozen=True)
class Run:
    """A test, a fixture or a script that runs a command, and the words that it runs it by."""

    place: str
    """File, or file and name of a function in it, divided by ``::``."""
    words: str


@dataclass(frozen=True)
class Recipe:
    """What ``make`` does for a target; the words are in what a dry run prints."""

    words: str


@dataclass(frozen=True)
class ByHand:
    """Why no test runs a command."""

    reason: str


Proof = Run | Recipe | ByHand
LAB_IS_UP = Run("tests/lab/conftest.py::lab", 'run("make", "lab", f"STACK={STACK}"')
OUTPUTS = Run("tests/lab/conftest.py::lab", '"pulumi", "stack", "output"')
UP = Run("tests/lab/test_idempotence.py::test_a_second_up_changes_nothing_and_restarts_nothing", '"pulumi", "up"')
PREVIEW = Run("tests/lab/test_idempotence.py::test_a_second_up_changes_nothing_and_restarts_nothing", '"preview"')
TOKEN = Run(
    "tests/lab/test_token.py::test_the_openstack_client_gets_a_token_through_the_vip", '"openstack", "token", "issue"'
)
OPENRC = Run("tests/lab/cloud.py::environment", ". {openrc} && env")
GUEST = Run("tests/lab/test_dashboard.py::guest", "documented_commands(")
EXAMPLE = Run("tests/lab/test_documents.py::test_an_example_is_reviewed_and_its_secret_is_kept", "Pulumi.identity.yaml")
SMOKE = "tempest-smoke"
AS_CODE = "tests/lab/test_terraform_and_ansible.py"

PROOFS: dict[str, tuple[Proof, ...]] = {
    ". ./activate": (Run("tests/unit/prepare/test_shell.py::shell", ". ./activate"),),
    ". $(pulumi stack output openrc)": (GUEST, OUTPUTS, OPENRC),
    ". $(pulumi stack output openrc) && openstack token issue": (OUTPUTS, OPENRC, TOKEN),
    "address=$(openstack floating ip create -f value -c floating_ip_address provider)": (GUEST,),
    "ansible-playbook examples/ansible/guest.yaml": (Run(AS_CODE, 'self._play("guest")'),),
    "ansible-playbook examples/ansible/remove.yaml": (Run(AS_CODE, 'self._play("remove")'),),
    "cp examples/Pulumi.classic.yaml .": (
        Run("tests/unit/commands/test_reference.py", "examples/Pulumi.classic.yaml"),
    ),
    "cp examples/Pulumi.identity.yaml .": (EXAMPLE,),
    "docker exec cassandra1 nodetool status": (Run("tests/lab/test_cassandra.py::ring", '"nodetool", "status"'),),
    "docker image rm $(docker image ls -q 'dockstack/*')": (ByHand("the other tests need the images"),),
    "export OS_CLIENT_CONFIG_FILE=$(pulumi stack output clouds)": (
        Run("tests/lab/test_token.py::test_clouds_yaml_has_a_cloud_of_the_stacks_name", "OS_CLIENT_CONFIG_FILE"),
    ),
    "export TF_CLI_CONFIG_FILE=$(prepare/terraform)": (Run(AS_CODE, '"TF_CLI_CONFIG_FILE": run("prepare/terraform"'),),
    "make backup FILE=lab.tar.zst": (
        Run("tests/lab/test_backup.py::test_a_restored_lab_has_all_that_was_there_and_nothing_else", 'make("backup"'),
    ),
    "make bench": (Recipe("python3 -m tests.bench"), ByHand("measures for an hour")),
    'make capture CONTAINER=compute1 FILTER="udp port 4789" | wireshark -k -i -': (
        Recipe("commands.capture"),
        Run("tests/lab/test_seeing.py::test_packets_come_by_a_pipe_and_the_capture_ends_with_it", "FILTER=icmp or udp"),
    ),
    "make capture CONTAINER=haproxy1 FILE=haproxy1.pcap": (
        Recipe("commands.capture"),
        Run("tests/lab/test_seeing.py::test_packets_go_to_a_file_until_the_capture_is_interrupted", "FILE={file}"),
    ),
    "make chart": (Recipe("python3 -m tests.bench.chart"), ByHand("measures, and draws a picture for people")),
    "make check": (Recipe("tests/unit"), Run(".ci/run", "make test")),
    "make destroy": (
        Run("tests/lab/test_backup.py::test_a_restored_lab_has_all_that_was_there_and_nothing_else", 'make("destroy"'),
        Run(".ci/run", "make destroy"),
    ),
    "make docs": (
        Recipe("python3 -m commands.reference"),
        Run("tests/unit/documents/test_adding_a_service.py::copy", '"commands.reference"'),
    ),
    "make drill LIST=1": (
        Recipe("--list"),
        Run("tests/lab/test_seeing.py", '"drill", "LIST=1"'),
    ),
    'make drill NAME="power-cut kill-*" FILE=losses.md': (
        Recipe('--file="$FILE"'),
        Run("tests/lab/test_seeing.py", '"drill", "NAME=kill-plain", f"FILE={table}"'),
        Run("tests/unit/commands/test_drill.py::test_several_drills_are_chosen_at_once", '"kill-*"'),
    ),
    "make drill NAME=kill-galera": (
        Recipe("commands.drill"),
        Run("tests/lab/test_seeing.py", '"drill", "NAME=kill-plain"'),
    ),
    "make forget HOST=host2": (
        Run(
            "tests/lab/test_hosts.py::test_a_host_that_is_gone_for_good_is_forgotten_and_may_come_back",
            '"make", "forget"',
        ),
    ),
    "make hosts": (Run("tests/lab/test_hosts.py::test_a_host_is_prepared_from_here_and_again", '"commands.hosts"'),),
    "make open": (Recipe("commands.page"), Run("tests/lab/test_portal.py", '"make", "open"')),
    "make graph CHANGE=1 FILE=change.svg": (
        Recipe("--change"),
        Run("tests/lab/test_seeing.py::test_a_picture_shows_what_an_update_would_do", '"CHANGE=1", f"FILE={file}"'),
    ),
    "make graph FILE=lab.svg": (
        Recipe("commands.graph"),
        Run("tests/lab/test_seeing.py::test_a_picture_shows_what_an_update_would_do", '.make("graph"'),
    ),
    "make graph FORMAT=mermaid FILE=lab.mmd": (
        Recipe("--format"),
        Run("tests/lab/test_seeing.py::test_a_picture_shows_what_an_update_would_do", '"FORMAT=mermaid"'),
    ),
    "make impair CLEAR=1": (
        Recipe("--clear"),
        Run("tests/lab/test_seeing.py::test_a_worse_port_lasts_until_it_is_cleared", '"impair", "CLEAR=1"'),
    ),
    "make impair CONTAINER=galera1 DELAY=50ms JITTER=5ms LOSS=1% RATE=10mbit": (
        Recipe("commands.impair"),
        Run("tests/lab/test_seeing.py::test_a_worse_port_lasts_until_it_is_cleared", '"LOSS=30%", "RATE=1mbit"'),
    ),
    "make lab": (LAB_IS_UP,),
    "make lab STACK=classic": (
        LAB_IS_UP,
        Run("tests/lab/test_environment_file.py::test_a_file_of_2015_is_a_lab_of_today", "made.up()"),
    ),
    "make lab STACK=identity": (LAB_IS_UP, EXAMPLE),
    "make logs": (
        Recipe("commands.logs"),
        Run("tests/lab/test_seeing.py::test_logs_of_all_containers_are_one_time_line", '"logs")'),
    ),
    'make logs CONTAINER="nova1 compute1" SINCE=2h GREP="ERROR|Traceback"': (
        Recipe("commands.logs"),
        Run("tests/lab/test_seeing.py::test_logs_of_all_containers_are_one_time_line", '"logs", "GREP=failed|then$"'),
    ),
    "make lab STACK=sdn": (
        LAB_IS_UP,
        Run("tests/unit/commands/test_reference.py", '("lab", "sdn", "opencontrail")'),
        Run("tests/lab/test_sdn.py::sdn", "stack.up()"),
    ),
    "make openrc PROJECT=demo USER=ann": (
        Run("tests/lab/test_token.py::test_others_than_the_administrator_get_an_openrc_file_too", '"openrc", *whose'),
    ),
    "make prepare": (
        Run("tests/lab/test_interruption.py::test_make_purge_takes_all_away_whatever_is_broken", '"prepare"'),
        Run(".ci/run", "make prepare"),
    ),
    "make preview": (Recipe("pulumi preview --stack"), PREVIEW),
    "make purge": (
        Run("tests/lab/test_interruption.py::test_make_purge_takes_all_away_whatever_is_broken", '"purge"'),
        Run(".ci/run", "make purge"),
    ),
    "make restore FILE=lab.tar.zst": (
        Run("tests/lab/test_backup.py::test_a_restored_lab_has_all_that_was_there_and_nothing_else", 'make("restore"'),
    ),
    "make rotate": (
        Run("tests/lab/test_rotation.py", 'pytest.param((), marks=long_drill, id="all")'),
        Run("tests/lab/test_rotation.py", '"make", "rotate"'),
    ),
    'make rotate SECRETS="keystone_fernet keystone_credential"': (
        Recipe('python3 -m commands.rotate "$STACK" keystone_fernet keystone_credential'),
        Run(
            "tests/lab/test_ha_messages.py::test_a_token_of_one_keystone_is_good_at_the_other_and_across_a_rotation",
            '"keystone_fernet", "keystone_credential"',
        ),
    ),
    'make rotate SECRETS="nova_database keystone_admin"': (
        Run("tests/lab/test_rotation.py", "f\"SECRETS={' '.join(names)}\""),
    ),
    "make status": (
        Run("tests/lab/test_status.py::test_a_lab_that_works_is_told_in_a_line_for_each_container", '"make", "status"'),
    ),
    "make status JSON=1": (
        Recipe("commands.status"),
        Recipe("--json"),
        Run("tests/lab/test_status.py::status", '"--json"'),
    ),
    "make tempest": (
        Recipe(SMOKE),
        Run("components/services/tempest.py", "tempest-smoke"),
        ByHand("12 minutes; its result is among the figures"),
    ),
    'make tempest TESTS="--regex tempest.api.image"': (Recipe("--regex"), ByHand("as all of Tempest")),
    "make test": (Run(".ci/run", "make test"),),
    "make test DRILLS=all SEQUENCES=200 SEED=$RANDOM": (Recipe("pytest"), ByHand("takes hours")),
    "make token": (Recipe("openstack token issue"), OUTPUTS, OPENRC, TOKEN),
    "make up": (Recipe("pulumi up --stack"), UP),
    "make upgrade": (
        Run("tests/lab/test_upgrade.py::test_an_upgrade_rolls_through_the_lab_service_by_service", '"upgrade"'),
    ),
    "openstack --os-cloud lab token issue": (
        Run("tests/lab/test_token.py::test_clouds_yaml_has_a_cloud_of_the_stacks_name", '"--os-cloud"'),
    ),
    "PATH=$PATH:$(prepare/ansible)": (Run(AS_CODE, 'run("prepare/ansible"'),),
    "python3 -m tests.standins.images": (Run("tests/lab/test_sdn.py::sdn", "images.build()"),),
    "openstack image import --method copy-image --store rbd IMAGE": (
        Run("tests/lab/test_ha_storage.py::test_an_image_that_is_a_file_is_copied_to_ceph", '"copy-image", "rbd"'),
    ),
    "openstack router set --disable ROUTER": (
        Run(
            "tests/lab/test_ha_network.py::test_a_router_from_before_goes_over_when_it_is_told_to",
            "is_admin_state_up=F",
        ),
    ),
    "openstack router set --enable ROUTER": (
        Run(
            "tests/lab/test_ha_network.py::test_a_router_from_before_goes_over_when_it_is_told_to",
            "is_admin_state_up=T",
        ),
    ),
    "openstack router set --ha ROUTER": (
        Run("tests/lab/test_ha_network.py::test_a_router_from_before_goes_over_when_it_is_told_to", "is_ha=True"),
    ),
    "openstack server add floating ip guest1 $address": (GUEST,),
    "openstack server create --image guest --flavor tiny --network demo --security-group demo --key-name demo-key "
    "--wait guest1": (GUEST, Run("tests/unit/commands/test_summary.py", "--key-name demo-key --wait guest1")),
    "pre-commit install": (ByHand("changes the clone's Git hooks"),),
    "pulumi config set --secret --path 'dockstack:common.passwords.keystone_admin'": (
        Run("tests/lab/test_documents.py::test_an_example_is_reviewed_and_its_secret_is_kept", '"--secret", "--path"'),
    ),
    "pulumi destroy": (Run("tests/lab/harness.py", 'self.pulumi("destroy"'),),
    "pulumi preview": (PREVIEW,),
    "pulumi up": (UP,),
    "pulumi up --refresh": (
        Run("tests/lab/test_drift.py::test_a_container_that_was_removed_is_told_and_comes_back", '"--refresh"'),
    ),
    "python3 -m tests.bench --lab": (ByHand("measures the whole lab"),),
    "rm -rf /var/lib/dockstack": (ByHand("the other tests need what is there"),),
    "ssh -i /var/lib/dockstack/stacks/lab/demo-key root@$address": (
        Run("tests/lab/cloud.py", '"-i", str(self.key), f"root@{self.floating}"'),
        Run("tests/lab/test_demo.py::test_nova_has_the_public_half_of_the_key_in_the_stacks_directory", "demo-key"),
    ),
    "terraform -chdir=examples/terraform apply": (Run(AS_CODE, 'self.command("terraform", "apply")'),),
    "terraform -chdir=examples/terraform destroy": (Run(AS_CODE, 'self.command("terraform", "destroy")'),),
    "terraform -chdir=examples/terraform init": (Run(AS_CODE, 'self.command("terraform", "init")'),),
    "terraform -chdir=examples/terraform output -raw address": (Run(AS_CODE, 'self.command("terraform", "output")'),),
}
"""Each command of the documents, and what runs it."""
COMMANDS = sorted({command for document in DOCUMENTS for command in commands(document)})
MAKES = [command for command in COMMANDS if command.startswith("make ")]


def source(place: str) -> str:
    """Return the text of a file, or of a function in it.

    Raises:
        AssertionError: when there is no such function.
    """
    file, _, name = place.partition("::")
    text = (paths.PROJECT / file).read_text()
    if not name:
        return text
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef) and node.name == name]
    assert found, f"{file} has no {name}"
    return ast.get_source_segment(text, found[0]) or ""


def words_of(command: str) -> list[str]:
    """Return the words of a command, without what its output is handed to."""
    return list(takewhile(lambda word: word != "|", shlex.split(command)))


@cache
def dry_run(command: str) -> str:
    """Return what `make` would do; it does nothing of it."""
    words = [word.replace("$RANDOM", "1") for word in words_of(command)]
    done = subprocess.run(
        ["env", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", *words, "--dry-run"],
        cwd=paths.PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_command_of_the_documents_has_a_proof_and_each_proof_a_command() -> None:
    assert sorted(PROOFS) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_what_runs_a_command_is_there(command: str) -> None:
    for proof in PROOFS[command]:
        if isinstance(proof, Run):
            assert proof.words in source(proof.place), f"{proof.place} does not run: {proof.words}"
        elif isinstance(proof, Recipe):
            assert proof.words in dry_run(command), f"{command} does not do: {proof.words}"
        else:
            assert proof.reason


@pytest.mark.parametrize("command", MAKES)
def test_a_documented_make_has_a_target_and_knows_its_variables(command: str) -> None:
    assert dry_run(command)
    read = "".join(path.read_text() for path in [paths.PROJECT / "Makefile", *(paths.PROJECT / "tests").rglob("*.py")])
    for word in words_of(command)[2:]:
        name = word.partition("=")[0]
        assert re.search(rf'\b{name}\b|"{name}"', read), f"nothing reads {name}"


def test_every_target_of_the_makefile_is_told_by_its_help() -> None:
    makefile = (paths.PROJECT / "Makefile").read_text().replace("\\\n", "")
    targets = re.search(r"^\.PHONY: ([\w\s-]+)", makefile, re.MULTILINE)
    assert targets
    told = dry_run("make help")
    assert [name for name in targets[1].split() if name != "help" and f"make {name} " not in told] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_block_says_what_language_it_is(document: Path) -> None:
    languages = {block.language for block in blocks(document)}
    assert languages <= FENCES
    # None is overlooked, whose commands nobody would look for.
    assert len(re.findall(r"^```", document.read_text(), re.MULTILINE)) == 2 * len(list(blocks(document)))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_links_to_is_there(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.read_text()), target


def anchors(text: str) -> set[str]:
    """Return the names that a reader's browser knows the headings by."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_path_that_a_document_names_is_there(document: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    made_by_it = {block.file for block in blocks(document)}
    for name in re.findall(rf"`((?:{OURS})/[^`\s]*)`", text):
        if not PLACEHOLDERS.search(name) and name not in made_by_it:
            assert (paths.PROJECT / name).exists(), name


def test_what_shows_a_figure_again_is_there() -> None:
    text = (paths.PROJECT / "docs/figures.md").read_text()
    asked = re.findall(r"(test_\w+\.py)(?: -k (\w+))?", text)
    assert len(asked) > 10
    for name, words in asked:
        assert words in source(f"tests/lab/{name}"), f"{name} has nothing that is called {words}"


def test_the_capabilities_are_those_of_the_roles() -> None:
    text = (paths.PROJECT / "docs/security.md").read_text()
    table = text[text.index("| Role | Capability |") : text.index("The keeper, and the roles")]
    told: dict[str, set[str]] = {}
    for line in table.splitlines()[2:]:
        if line:
            names, granted, _ = line.strip("|").split("|", 2)
            for name in names.split(","):
                told.setdefault(name.strip(), set()).update(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", granted))
    roles = {role.name: set(role.capabilities) for role in [*services.ROLES.values(), services.KEEPER]}
    given = configuration(paths.PROJECT / "Pulumi.lab.yaml")
    for backend in ("nfs",):
        given["common"]["volumeBackend"] = backend
        made, _ = environment.load(given, stack="lab", roles=services.facts(), base_dir=paths.PROJECT)
        for role in services.for_lab(made).values():
            if set(role.capabilities) != roles[role.name]:
                roles[f"{role.name} on `{backend}`"] = set(role.capabilities)
    assert told == {name: granted for name, granted in roles.items() if granted}


def test_a_configuration_in_a_document_has_the_form_of_one() -> None:
    # One that is called a file is another program's.
    found = [block for path in DOCUMENTS for block in blocks(path) if block.language == "yaml" and not block.file]
    shown = [yaml.safe_load(block.text) for block in found]
    assert len(shown) >= 2
    for stack in shown:
        assert errors({key.removeprefix("dockstack:"): value for key, value in stack["config"].items()}) == []


def test_the_readme_is_short() -> None:
    assert len((paths.PROJECT / "README.md").read_text().splitlines()) <= 130


def test_the_changelog_ends_with_the_version_that_the_project_has() -> None:
    project = tomllib.loads((paths.PROJECT / "pyproject.toml").read_text())["project"]
    released = re.findall(r"^## \[(\d[^]]*)\] - \d{4}-\d\d-\d\d$", (paths.PROJECT / "CHANGELOG.md").read_text(), re.M)
    assert released[0] == project["version"]


def test_what_others_run_for_us_runs_what_there_is() -> None:
    jobs = yaml.safe_load((paths.PROJECT / ".github/workflows/ci.yml").read_text())["jobs"]
    run = [step.get("run") for job in jobs.values() for step in job["steps"]]
    assert ".ci/run" in run and (paths.PROJECT / ".ci/run").stat().st_mode & 0o111
    repositories = yaml.safe_load((paths.PROJECT / ".pre-commit-config.yaml").read_text())["repos"]
    entries = [hook["entry"] for repository in repositories for hook in repository["hooks"]]
    assert entries == ["make lint-python", "make lint"]
    assert all(dry_run(entry) for entry in entries)
