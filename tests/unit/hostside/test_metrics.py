"""The keeper's metrics: what is measured, in the form that Prometheus reads, where it is asked for it."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import paths, services
from components.configuration import environment
from components.services.haproxy import METRICS_PORT
from hostside import docker_api, metrics
from tests.documents import blocks
from tests.unit.commands.test_reference import configuration

SUMMARY = """---
version:
  config: 1795860293
  puppet: 8.10.0
resources:
  failed: 2
  total: 13
time:
  package: 6.9203e-05
  total: 115.25
  last_run: 1795860298
events:
  total: 4
"""
SAMPLE = re.compile(r'([a-z_]+)\{((?:[a-z]+="(?:[^"\\\\]|\\\\.)*",?)*)\} (-?[\d.e+]+)')
LISTED: list[dict[str, Any]] = [
    {"Names": ["/web1"], "State": "running", "Status": "Up 2 minutes", "Labels": {"dockstack.role": "plain"}},
    {"Names": ["/nova1"], "State": "running", "Status": "Up (unhealthy)", "Labels": {"dockstack.role": "nova"}},
    {"Names": ["/off1"], "State": "exited", "Status": "Exited (0)", "Labels": {"dockstack.role": "plain"}},
    {"Names": ["/lab-keeper"], "State": "running", "Status": "Up (healthy)", "Labels": {"dockstack.role": "keeper"}},
]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(docker_api, "containers", lambda _stack: LISTED)
    monkeypatch.setattr(docker_api, "pid", lambda name: {"nova1": 7, "lab-keeper": 8}.get(name))
    monkeypatch.setattr(metrics, "SUMMARY", f"{tmp_path}/{{pid}}")
    (tmp_path / "7").write_text(SUMMARY)
    return tmp_path


def parsed(text: str) -> dict[tuple[str, str], float]:
    """Return the samples of a text by metric and container; each metric is announced before its samples, and once."""
    found: dict[tuple[str, str], float] = {}
    announced: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            _, what, name, rest = line.split(" ", 3)
            announced += [name] if what == "TYPE" else []
            assert rest in ("gauge", "counter") or what == "HELP"
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, line
        assert sample[1] == announced[-1]
        container = re.search('container="([^"]*)"', sample[2])
        assert container
        found[sample[1], container[1]] = float(sample[3])
    assert len(announced) == len(set(announced))
    assert text.endswith("\n")
    return found


def test_each_metric_has_its_value(host: Path) -> None:
    counters = metrics.Counters()
    counters.started("web1")
    counters.started("web1")
    counters.repaired("nova1")
    found = parsed(metrics.text("lab", counters, ["web1"]))
    assert {name: found["dockstack_container_running", name] for name in ("web1", "nova1", "off1")} == {
        "web1": 1, "nova1": 1, "off1": 0,
    }  # fmt: skip
    assert {name: value for (metric, name), value in found.items() if metric == "dockstack_container_healthy"} == {
        "nova1": 0, "lab-keeper": 1,
    }  # fmt: skip
    assert found["dockstack_container_starts_total", "web1"] == 2
    assert found["dockstack_container_starts_total", "off1"] == 0
    assert found["dockstack_port_repairs_total", "nova1"] == 1
    assert (found["dockstack_container_impaired", "web1"], found["dockstack_container_impaired", "nova1"]) == (1, 0)
    assert found["dockstack_puppet_run_seconds", "nova1"] == 115.25
    assert found["dockstack_puppet_run_timestamp_seconds", "nova1"] == 1795860298
    assert found["dockstack_puppet_run_failed_resources", "nova1"] == 2
    assert ("dockstack_puppet_run_seconds", "lab-keeper") not in found


def test_half_of_a_summary_is_no_measurement() -> None:
    told = list(metrics.puppet_runs({"nova1": "time:\n  total:"}))
    assert [samples for _, _, _, samples in told] == [[], [], []]


def test_words_are_written_so_that_they_end_where_they_should() -> None:
    written = metrics._written(("m", "gauge", "Help.", [({"container": 'a"b\\c\nd'}, 1.0)]))
    assert written.splitlines()[-1] == 'm{container="a\\"b\\\\c\\nd"} 1'


@pytest.fixture
def served() -> Iterator[tuple[str, list[str]]]:
    answers = ["first\n", "second\n"]

    def answer() -> str:
        if not answers:
            raise docker_api.EngineGone("the Docker engine is gone")
        return answers.pop(0)

    server = metrics.serve("127.0.0.1", 0, answer)
    yield f"http://127.0.0.1:{server.server_port}", answers
    server.shutdown()
    server.server_close()


def test_each_question_is_answered_anew_and_no_other_path_is(served: tuple[str, list[str]]) -> None:
    address, _ = served
    for wanted in (b"first\n", b"second\n"):
        with urllib.request.urlopen(f"{address}/metrics") as answer:
            assert answer.read() == wanted
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    for path, status in (("/metrics", 503), ("/", 404), ("/metricsx", 404)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{address}{path}")
        assert refused.value.code == status
        refused.value.close()


def test_the_documented_scrape_configuration_asks_where_there_is_an_answer() -> None:
    (shown,) = [block for block in blocks(paths.PROJECT / "docs/seeing.md") if block.file == "prometheus.yml"]
    jobs = {job["job_name"]: job for job in yaml.safe_load(shown.text)["scrape_configs"]}
    lab, _ = environment.load(
        configuration(paths.PROJECT / "Pulumi.lab.yaml"), stack="lab", roles=services.facts(), base_dir=paths.PROJECT
    )
    asked = {name: [each for part in job["static_configs"] for each in part["targets"]] for name, job in jobs.items()}
    assert asked == {
        "dockstack": [f"{lab.gateway}:{lab.metrics_port}"],
        "haproxy": [f"{member.address}:{METRICS_PORT}" for member in lab.members("haproxy")],
    }
    # Prometheus' own default, which both serve.
    assert all(job.get("metrics_path", "/metrics") == metrics.PATH for job in jobs.values())
