"""Runs of which Pulumi keeps no account until their end: which those are, and how a lost one is known."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from components import accounts, paths
from tests.unit.graph_recorder import Graph

RESOURCE = '{"urn":"urn:pulumi:s::dockstack::docker:index/container:Container::p1"}'
PLAIN = "config:\n  dockstack:containers:\n    p1: {role: plain, address: 10.0.0.1}\n    p2:\n      role: plain\n"
NO_PROCESS = "999999999"


@pytest.fixture
def backend(tmp_path: Path) -> Path:
    (tmp_path / ".pulumi/stacks/dockstack").mkdir(parents=True)
    (tmp_path / ".dockstack").mkdir()
    return tmp_path


def state(backend: Path, text: str = RESOURCE) -> Path:
    """Write the state as Pulumi does: another file takes the place of the one before."""
    path = backend / ".pulumi/stacks/dockstack/s.json"
    path.with_suffix(".new").write_text(text)
    return path.with_suffix(".new").replace(path)


def shell(backend: Path, script: str) -> str:
    """Run a script that has the functions of prepare/accounts.sh."""
    begin = f'set -euo pipefail; dockstack_checkout={paths.PROJECT}; source "$dockstack_checkout/prepare/accounts.sh"; '
    environment = {**os.environ, "PULUMI_BACKEND_URL": f"file://{backend}", "DOCKSTACK_HOME": str(backend / "home")}
    done = subprocess.run(
        ["bash", "-c", begin + script], capture_output=True, text=True, check=True, env=environment
    )  # fmt: skip
    return done.stdout


def begin(backend: Path, monkeypatch: pytest.MonkeyPatch, process: str = NO_PROCESS) -> Path:
    """Begin a run as the program does; return its file."""
    run = backend / ".dockstack/s"
    monkeypatch.setenv(accounts.ACCOUNT, f"{process} {run}")
    monkeypatch.delenv(accounts.LOST, raising=False)
    accounts.begin("s")
    return run


def test_a_run_that_ended_without_the_state_being_written_is_lost(
    backend: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state(backend)
    run = begin(backend, monkeypatch)
    assert run.read_text().startswith(f"open {NO_PROCESS} ")
    shell(backend, "look_for_lost_runs")
    assert run.read_text().split()[0] == "lost"


def test_the_first_run_of_a_stack_that_was_lost_left_nothing_in_the_state(
    backend: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(backend, monkeypatch)
    assert run.read_text() == f"open {NO_PROCESS} none\n"
    shell(backend, "look_for_lost_runs; look_for_lost_runs")
    assert not run.exists()


def test_a_run_that_wrote_the_state_has_come_to_its_end(backend: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state(backend)
    run = begin(backend, monkeypatch)
    state(backend)
    shell(backend, "look_for_lost_runs")
    assert not run.exists()


def test_a_run_whose_engine_works_is_not_lost(backend: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state(backend)
    run = begin(backend, monkeypatch)
    shell(backend, "is_pulumi() { true; }; look_for_lost_runs")
    assert run.read_text().startswith("open ")


def test_a_lost_run_stays_lost_until_the_state_has_its_number(backend: Path) -> None:
    run = backend / ".dockstack/s"
    run.write_text("lost 4711 -\n")
    state(backend)
    shell(backend, "look_for_lost_runs")
    # Another command, such as a refresh, may have written the state.
    state(backend, RESOURCE + f'{{"environment":{{"{accounts.AGAIN}":"47110"}}}}')
    shell(backend, "look_for_lost_runs")
    assert run.read_text() == "lost 4711 -\n"
    state(backend, RESOURCE + f'{{"environment":{{"{accounts.AGAIN}":"4711"}}}}')
    shell(backend, "look_for_lost_runs")
    assert not run.exists()


def test_the_next_up_looks_at_all_and_the_one_after_it_keeps_the_number(
    backend: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (backend / ".dockstack/s").write_text("lost 4711 -\n")
    state(backend)
    (backend / "s.yaml").write_text(PLAIN)
    told = shell(backend, f"keep_account up s {backend}/s.yaml; env")
    assert {f"{accounts.LOST}=4711", "PULUMI_OPTION_REFRESH=true"} <= set(told.splitlines())
    assert "SKIP_CHECKPOINTS" not in told

    monkeypatch.setattr(paths, "HOME", backend / "home")
    monkeypatch.setenv(accounts.LOST, "4711")
    assert accounts.again("s") == 4711
    assert not (backend / "home/stacks/s").exists()
    accounts.begin("s")
    monkeypatch.delenv(accounts.LOST)
    assert accounts.again("s") == 4711
    assert accounts.again("other") == 0


@pytest.mark.parametrize("command", ["up", "destroy", "preview"])
def test_only_what_changes_something_is_a_run(backend: Path, command: str) -> None:
    (backend / "s.yaml").write_text(PLAIN)
    state(backend)
    told = shell(backend, f"keep_account {command} s {backend}/s.yaml; env")
    assert ("PULUMI_SKIP_CHECKPOINTS=true" in told) == (command != "preview")
    # An `up` may still be declined; the program notes it.
    assert (backend / ".dockstack/s").exists() == (command == "destroy")


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        (PLAIN, True),
        ('{"config": {"dockstack:containers": {"p1": {"role": "plain", "address": "10.0.0.1"}}}}', True),
        (PLAIN + "    p3: {address: 10.0.0.3, role: plain}\n", True),
        (PLAIN + "    d1: {role: dnsmasq, address: 10.0.0.2}\n", False),
        (PLAIN + "    d1:\n      role:\n        dnsmasq\n", False),
        (PLAIN + "    d1: {role: plainer}\n", False),
        (PLAIN + '    d1: {"r\\x6fle": dnsmasq}\n', False),
        (PLAIN + "    d1: {? role : dnsmasq}\n", False),
        (PLAIN.replace("role: plain,", "role: plain, hooks: {postCreation: [a.sh]},"), False),
        (PLAIN + "  dockstack:environment: environment.yaml\n", False),
        (PLAIN + "  dockstack:containerHosts: {far: {ssh: {host: far}}}\n", False),
        ((paths.PROJECT / "Pulumi.lab.yaml").read_text(), False),
        ("config: {}\n", False),
        ("", False),
    ],
)
def test_only_stacks_of_plain_containers_are_run_so(backend: Path, configuration: str, expected: bool) -> None:
    (backend / "s.yaml").write_text(configuration)
    assert shell(backend, f"only_plain {backend}/s.yaml s && echo yes || echo no") == ("yes\n" if expected else "no\n")


def test_a_stack_that_still_has_a_service_is_not_run_so(backend: Path) -> None:
    (backend / "s.yaml").write_text(PLAIN)
    state(backend, '{"urn":"urn:pulumi:s::dockstack::dockstack:index:Lab$dockstack:index:ServiceContainer::db1"}')
    assert shell(backend, f"only_plain {backend}/s.yaml s && echo yes || echo no") == "no\n"


def test_a_backend_that_is_no_directory_is_left_alone(backend: Path) -> None:
    (backend / "s.yaml").write_text(PLAIN)
    url = "export PULUMI_BACKEND_URL=https://api.pulumi.com; source $dockstack_checkout/prepare/accounts.sh; "
    told = shell(backend, f"{url} look_for_lost_runs; keep_account up s {backend}/s.yaml; env")
    assert "SKIP_CHECKPOINTS" not in told


def test_attributes_that_a_kill_left_empty_are_forgotten(backend: Path) -> None:
    kept, empty = state(backend), backend / ".pulumi/stacks/dockstack/s.json.attrs"
    whole = backend / ".pulumi/locks/dockstack/s/1.json.attrs"
    whole.parent.mkdir(parents=True)
    whole.write_text("{}")
    empty.touch()
    shell(backend, "forget_empty_attributes")
    assert (kept.exists(), empty.exists(), whole.exists()) == (True, False, True)


@pytest.mark.parametrize("left", ["all", "half of what was removed", "half, and a new tool", "nothing"])
def test_the_last_step_of_a_destroy_may_be_repeated_wherever_it_was_cut_off(
    lab: Graph, tmp_path: Path, left: str
) -> None:
    stacks = tmp_path / "stacks"
    directory, gone = stacks / "lab", stacks / "lab.gone"
    if left in ("all", "half, and a new tool"):
        (directory / "tool").mkdir(parents=True)
        (directory / "tool/__main__.py").write_text(f"open({str(tmp_path / 'swept')!r}, 'w').close()")
    if left.startswith("half"):
        (gone / "tool").mkdir(parents=True)
        (gone / "tool/__main__.py").write_text("import no_such_module")
    delete = str(lab.one("local-tool").inputs["delete"])
    subprocess.run(["sh", "-c", delete.replace(str(paths.stack_directory("lab").parent), str(stacks))], check=True)
    assert (tmp_path / "swept").exists() == left.startswith(("all", "half, and"))
    assert not stacks.exists()
