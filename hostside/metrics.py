"""What the keeper knows, in Prometheus' text format, served on the host's address on the lab's bridge and nowhere else.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hostside import docker_api, labels

TYPE = "text/plain; version=0.0.4; charset=utf-8"
PATH = "/metrics"
SUMMARY = "/proc/{pid}/root/var/cache/puppet/public/last_run_summary.yaml"
"""What Puppet's agent writes at the end of each run."""
CLIENT_SECONDS = 10
"""How long a client may take to say what it wants."""
_SECTION = re.compile(r"^(\w+):\n((?:^  .*\n)*)", re.MULTILINE)
_VALUE = re.compile(r"^  (\w+): (\d+(?:\.\d+)?(?:e-?\d+)?)$", re.MULTILINE)

Sample = tuple[Mapping[str, str], float]
Family = tuple[str, str, str, list[Sample]]
"""Name, type and help of a metric, and what was measured: labels and value."""


class Counters:
    """What the keeper counts since its own start; several threads may."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self._lock = threading.Lock()
        self._starts: Counter[str] = Counter()
        self._repairs: Counter[str] = Counter()

    def started(self, container: str) -> None:
        """Count a start of a container."""
        with self._lock:
            self._starts[container] += 1

    def repaired(self, container: str) -> None:
        """Count a port that was put back while its container ran on."""
        with self._lock:
            self._repairs[container] += 1

    def families(self, listed: Iterable[str]) -> Iterator[Family]:
        """Return the counts of some containers, those included of which nothing was counted yet."""
        names = sorted(listed)
        with self._lock:
            starts, repairs = Counter(self._starts), Counter(self._repairs)
        yield (
            "dockstack_container_starts_total", "counter", "Starts of the container that the keeper has seen.",
            [({"container": name}, starts[name]) for name in names],
        )  # fmt: skip
        yield (
            "dockstack_port_repairs_total", "counter", "Ports that were put back while their container ran.",
            [({"container": name}, repairs[name]) for name in names],
        )  # fmt: skip


def text(stack: str, counters: Counters, impaired: Iterable[str]) -> str:
    """Return all metrics of a stack's containers on this host.

    Args:
        stack: the stack.
        counters: what was counted.
        impaired: the containers whose ports are impaired.

    Raises:
        EngineError: when the engine can't be asked.
    """
    listed = {docker_api.name(each): each for each in docker_api.containers(stack)}
    worse = set(impaired)
    families: list[Family] = [
        (
            "dockstack_container_running", "gauge", "Whether the container runs.",
            [(_labelled(name, each), float(each["State"] == "running")) for name, each in sorted(listed.items())],
        ),
        (
            "dockstack_container_healthy", "gauge", "Whether its programs run, where Docker looks after them.",
            [
                (_labelled(name, each), float("(healthy)" in each["Status"]))
                for name, each in sorted(listed.items())
                if "health" in each["Status"]
            ],
        ),
        (
            "dockstack_container_impaired", "gauge", "Whether `make impair` makes its ports worse.",
            [({"container": name}, float(name in worse)) for name in sorted(listed)],
        ),
        *counters.families(listed),
        *puppet_runs(_summaries(listed)),
    ]  # fmt: skip
    return "".join(_written(family) for family in families)


def puppet_runs(summaries: Mapping[str, str]) -> Iterator[Family]:
    """Return the metrics of the last Puppet runs, given each container's summary."""
    found = {name: _numbers(summary) for name, summary in sorted(summaries.items())}
    for metric, told, section, key in (
        ("dockstack_puppet_run_seconds", "How long the last Puppet run took.", "time", "total"),
        ("dockstack_puppet_run_timestamp_seconds", "When the last Puppet run ended.", "time", "last_run"),
        ("dockstack_puppet_run_failed_resources", "Resources that failed in the last run.", "resources", "failed"),
    ):
        samples: list[Sample] = [
            ({"container": name}, sections[section][key])
            for name, sections in found.items()
            if key in sections.get(section, {})
        ]
        yield metric, "gauge", told, samples


def serve(
    address: str,
    port: int,
    metrics: Callable[[], str],
    others: Callable[[BaseHTTPRequestHandler], bool] = lambda _request: False,
) -> ThreadingHTTPServer:
    """Serve metrics from now on, on threads of their own.

    Args:
        address: the address to listen at.
        port: the port.
        metrics: makes them, whenever somebody asks.
        others: answers a question that isn't about metrics, and says whether it has.

    Raises:
        OSError: the address isn't there, or another has the port.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = CLIENT_SECONDS

        def do_GET(self) -> None:
            try:
                if others(self):
                    return
                if self.path.partition("?")[0] != PATH:
                    self.send_error(HTTPStatus.NOT_FOUND)
                    return
                body = metrics().encode()
            except OSError as error:
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, explain=str(error))
                return
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing of each question: one comes every few seconds."""

    server = ThreadingHTTPServer((address, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _labelled(name: str, listed: Mapping[str, Any]) -> dict[str, str]:
    return {"container": name, "role": str((listed["Labels"] or {}).get(labels.ROLE, ""))}


def _summaries(listed: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the summaries of the last Puppet runs; only what has a health check has Puppet, too."""
    found = {}
    for name, each in listed.items():
        pid = docker_api.pid(name) if "health" in each["Status"] else None
        try:
            found.update({name: Path(SUMMARY.format(pid=pid)).read_text()} if pid else {})
        except OSError:
            # It had no run yet, or has ended meanwhile.
            continue
    return found


def _numbers(summary: str) -> dict[str, dict[str, float]]:
    """Return the numbers of a summary, by section and key: a text as YAML that Puppet writes, and no other."""
    return {
        name: {key: float(value) for key, value in _VALUE.findall(body)} for name, body in _SECTION.findall(summary)
    }


def _written(family: Family) -> str:
    name, kind, told, samples = family
    if not samples:
        return ""
    lines = [f"# HELP {name} {told}", f"# TYPE {name} {kind}"]
    for sample_labels, value in samples:
        shown = ",".join(f'{key}="{_escaped(word)}"' for key, word in sample_labels.items())
        lines.append(f"{name}{{{shown}}} {value:.15g}")
    return "\n".join([*lines, ""])


def _escaped(word: str) -> str:
    return word.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
