"""docs/adding-a-service.md, followed: its files make a copy of the program declare the new service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import paths
from tests.documents import blocks, patched

DOCUMENT = paths.PROJECT / "docs/adding-a-service.md"
COPIED = ("commands", "components", "hostside", "Dockerfiles", "dockervolumes", "tests", "docs", "examples", "prepare")
SINGLE = ("__main__.py", "Pulumi.yaml", "Pulumi.lab.yaml", "README.md", "stack.schema.json", "pyproject.toml")
TESTS = (
    "tests/unit/components/test_services.py",
    "tests/unit/components/test_graph_outputs.py",
    "tests/unit/components/configuration/test_environment.py::test_the_default_lab_of_the_repository_is_sound",
    "tests/unit/commands/test_reference.py::test_what_is_generated_is_up_to_date",
)
RECORD = """
import json
from tests.unit.graph_recorder import config, record_lab

graph = record_lab(config())
made = {r.name: {"type": r.type, "inputs": r.parameters() if r.operation() else {}} for r in graph if r.custom}
generated = sorted(r.name for r in graph.commands() if r.name.startswith("secret-"))
print(json.dumps({"made": made, "generated": generated, "outputs": graph.outputs}, default=lambda secret: secret.value))
"""


def run(copy: Path, *arguments: str) -> str:
    """Run Python in the copy, and nothing of this checkout."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment = {**kept, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the program in which the document has been followed."""
    made = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        shutil.copytree(paths.PROJECT / name, made / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in SINGLE:
        shutil.copy(paths.PROJECT / name, made / name)
    given = [block for block in blocks(DOCUMENT) if block.file]
    assert len(given) == 9
    for block in given:
        path = made / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        assert path.exists() is (block.language == "diff"), block.file
        path.write_text(patched(path.read_text(), block.text) if block.language == "diff" else block.text)
    run(made, "-m", "commands.reference")
    return made


@pytest.fixture(scope="module")
def recorded(copy: Path) -> dict[str, Any]:
    return dict(json.loads(run(copy, "-c", RECORD)))


def test_the_page_names_each_file_that_it_gives() -> None:
    text = DOCUMENT.read_text()
    for block in blocks(DOCUMENT):
        assert not block.file or f"`{block.file}`" in text


def test_the_tests_of_roles_are_content_with_the_new_one(copy: Path) -> None:
    said = run(copy, "-m", "pytest", "-v", "-p", "no:cacheprovider", *TESTS)
    assert "[nats]" in said


def test_the_new_service_has_every_stage(recorded: dict[str, Any]) -> None:
    made = recorded["made"]
    stages = ("files", "port", "registration", "certificate", "provisioning", "health")
    assert {f"nats1-{stage}" for stage in stages} <= set(made)
    assert made["nats1"]["type"] == "docker:index/container:Container"
    assert "nats1-streams" in made


def test_its_parameters_and_its_secret_are_at_the_puppet_server(recorded: dict[str, Any]) -> None:
    entry = recorded["made"]["nats1-registration"]["inputs"]
    assert yaml.safe_load(entry["data"])["profile::nats::address"] == "10.87.0.47"
    assert "secret-nats_client" in recorded["generated"]
    assert yaml.safe_load(entry["secrets"]) == {"profile::nats::client_password": "made-by-secret-nats_client"}
    assert "made-by-secret-nats_client" not in entry["data"]


def test_haproxy_serves_it_without_having_been_told(recorded: dict[str, Any]) -> None:
    data = recorded["made"]["haproxy1-registration"]["inputs"]["data"]
    assert "nats-monitoring" in data and "10.87.0.47" in data
    assert recorded["outputs"]["endpoints"]["nats"] == "tcp://vip.dockstack.lab:4222"


def test_it_is_checked_at_its_address_and_at_the_vip(recorded: dict[str, Any]) -> None:
    checks = recorded["made"]["nats1-health"]["inputs"]["checks"]
    own, behind_the_vip = (check["url"] for check in checks if check["kind"] == "http")
    assert own == "http://10.87.0.47:8222/healthz"
    assert behind_the_vip.endswith(":8222/healthz") and "10.87.0.47" not in behind_the_vip


def test_a_difference_that_does_not_fit_is_told() -> None:
    assert patched("a\nb\nc\n", " b\n+d\n@@\n-a\n+e\n") == "e\nb\nd\nc\n"
    with pytest.raises(ValueError, match="there 0 times"):
        patched("a\n", " b\n+c\n")
