"""The operations, and what they run: real programs and processes, with scripts of the test's own first on the PATH."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
import time
import uuid
from collections.abc import Callable
from inspect import getsource
from pathlib import Path
from typing import Any

import pytest

from commands import backup, capture, drills, impair, keeping, logs, places, status
from components import foresight, paths
from components.host import container_host, distance
from hostside import asked, bridge, cli, containers, docker_api, image, ovs, ports, process
from hostside.errors import StepError
from hostside.operations import NAMES, UNDONE_BY, named
from hostside.operations.keeper_start import KeeperStart
from hostside.process import CommandFailed
from tests.unit.graph_recorder import Graph, container, record_lab, texts

Script = Callable[[str, str], None]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Return a function that puts a shell script on the PATH, which notes every call in the file `$LOG`."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    monkeypatch.setenv("LOG", str(tmp_path / "calls"))

    def make(name: str, body: str) -> None:
        path = directory / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> "$LOG"\n{body}\n')
        path.chmod(0o755)

    return make


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[], list[str]]:
    """Return a function that returns the command lines of the programs so far."""
    path = tmp_path / "calls"
    return lambda: path.read_text().splitlines() if path.exists() else []


# Running programs.


def test_a_programs_standard_output_is_returned_and_its_input_is_given() -> None:
    assert process.run(["cat"], stdin="text") == "text"
    assert process.run(["sh", "-c", "cat; echo end"]) == "end\n"


def test_programs_are_told_of_this_hosts_docker_engine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "HOST": "tcp://192.0.2.1:2376", "CONTEXT": "far", "TLS_VERIFY": "1", "CERT_PATH": "/nowhere",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"DOCKER_{name}", value)
    told = process.run(["env"]).splitlines()
    assert [line for line in told if line.startswith("DOCKER_")] == ["DOCKER_HOST=unix:///var/run/docker.sock"]


def test_a_program_that_fails_is_told_with_status_and_words() -> None:
    with pytest.raises(CommandFailed, match=r"sh -c .* ended with status 3: the reason"):
        process.run(["sh", "-c", "echo the reason >&2; exit 3"])


def test_what_a_failing_program_says_is_cut_to_its_end() -> None:
    with pytest.raises(CommandFailed) as caught:
        process.run(["sh", "-c", "seq 100000 >&2; exit 1"])
    assert str(caught.value).endswith("100000")
    assert len(str(caught.value)) < 2200


def test_a_program_that_is_not_there_is_told_by_name() -> None:
    with pytest.raises(CommandFailed, match="no-such-program is not installed"):
        process.run(["no-such-program"])


def test_a_program_that_does_not_end_is_ended() -> None:
    with pytest.raises(CommandFailed, match="did not end within 0 s"):
        process.run(["sleep", "60"], timeout=0.05)


def test_success_is_a_status_of_zero() -> None:
    assert process.succeeds(["true"])
    assert not process.succeeds(["false"])
    assert not process.succeeds(["no-such-program"])


def test_a_containers_output_is_handed_over_line_by_line_with_its_status(program: Script) -> None:
    program("docker", "echo one; echo two >&2; printf three; exit 6")
    lines: list[str] = []
    assert containers.stream("galera1", ["puppet", "agent"], lines.append, lambda: None, 10) == 6
    assert lines == ["one", "two", "three"]


def test_whoever_waits_for_a_silent_command_is_asked_now_and_then_and_may_give_up(program: Script) -> None:
    program("docker", "exec sleep 60")
    asked: list[bool] = []

    def tick() -> None:
        asked.append(True)
        if len(asked) == 3:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        containers.stream("galera1", ["puppet", "agent"], lambda _: None, tick, 0.05)
    assert len(asked) == 3


# Operations.

KEEPER = {"container": "lab-keeper", "id": "1"}


def call(command: list[str], given: object, directory: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(given)))
    return cli.main(command, directory)


def test_an_operation_is_read_from_standard_input_and_its_result_printed_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(KeeperStart, "run", lambda operation, directory: {operation.container: directory.name})
    assert call(["keeper-start", "for-the-reader"], KEEPER, tmp_path, monkeypatch) == 0
    assert json.loads(capsys.readouterr().out) == {"lab-keeper": tmp_path.name}


def test_an_operation_without_a_result_prints_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(KeeperStart, "run", lambda _operation, _directory: None)
    assert call(["keeper-start"], KEEPER, tmp_path, monkeypatch) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("command", "given"),
    [
        ("keeper-start", {"container": "lab-keeper"}),
        ("keeper-start", {**KEEPER, "password": "not-to-be-told"}),
        ("keeper-stop", KEEPER),
    ],
    ids=["without-an-input", "with-an-unknown-input", "of-an-unknown-name"],
)
def test_what_the_tool_does_not_know_is_refused_without_telling_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, given: object
) -> None:
    assert call([command, "lab-keeper"], given, tmp_path, monkeypatch) == 1
    told = capsys.readouterr().err
    assert f"lab-keeper: {command} failed: the tool of this version doesn't know it, or not its inputs" in told
    assert "not-to-be-told" not in told


def test_each_operation_is_called_like_its_module_and_undone_by_what_it_says() -> None:
    assert {operation.NAME for operation in map(named, NAMES)} == set(NAMES)
    assert len(set(NAMES)) == len(list((paths.HOSTSIDE / "operations").glob("*.py"))) - 2
    assert {each.UNDO: each.NAME for each in map(named, NAMES) if each.UNDO} == dict(UNDONE_BY)
    assert all(set(each.ENDS) < set(NAMES) for each in map(named, NAMES))


@pytest.mark.parametrize(
    "error",
    [
        StepError("galera1", "its Puppet run", "why"),
        CommandFailed("why"),
        docker_api.EngineError("why"),
        OSError("why"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_expected_error_is_shown_in_its_own_words_and_the_status_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fails(_operation: KeeperStart, _directory: Path) -> None:
        raise error

    monkeypatch.setattr(KeeperStart, "run", fails)
    assert call(["keeper-start"], KEEPER, tmp_path, monkeypatch) == 1
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"{error}\n")


def test_the_commands_that_are_called_are_those_that_there_are(tls: Graph) -> None:
    far = container("plain2", role="plain", address="10.87.0.61", host="far", dns=[])
    far["containerHosts"] = {"local": {}, "far": {"ssh": {"host": "192.0.2.20"}}}
    far["containerDefaults"]["host"] = "local"
    # To make a thing, to undo it, and in the program file of the keeper's container.
    said = [text for graph in (tls, record_lab(far)) for r in graph for text in texts(r.inputs, secrets=True)]
    called = {name for text in said for name in re.findall(r"/tool ([a-z-]+)", text)}
    # Beside the resources: hosts behind ssh are asked.
    sources = "".join(
        map(getsource, (backup, capture, distance, drills, foresight, impair, keeping, logs, places, status))
    )
    beside = set(re.findall(r'(?:stack, |_command\()"([a-z-]+)"[,)]', sources))
    assert called | beside == {*NAMES, *UNDONE_BY, *cli.SERVICES, *cli.ASKED}
    assert asked.ALL.keys() == cli.ASKED


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a stack's directory with the tool in it, as the program puts it there."""
    directory = tmp_path_factory.mktemp("stack")
    interpreter, *options = container_host.PYTHON.split()
    subprocess.run(
        [sys.executable if not Path(interpreter).exists() else interpreter, *options, "-c", container_host._INSTALL,
         str(directory / "tool")],
        input=container_host.packed(container_host._tool()), text=True, check=True,
    )  # fmt: skip
    return directory


def start(tool: Path, *arguments: str, stdin: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-SE", str(tool / "tool"), *arguments],
        input=stdin, text=True, capture_output=True, check=False, timeout=30, env={**os.environ, **environment},
    )  # fmt: skip


def test_the_installed_tool_is_for_its_owner_only_and_runs_without_site_packages(tool: Path) -> None:
    assert {path.stat().st_mode & 0o077 for path in (tool / "tool").rglob("*")} == {0}
    given = {"root": str(tool / "volumes/c"), "files": {"a/b": {"content": "text", "mode": "644"}}}
    done = start(tool, "files-write", "c", stdin=json.dumps(given))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tool / "volumes/c/a/b").read_text() == "text"


def test_an_error_of_the_installed_tool_is_one_message_on_standard_error(tool: Path) -> None:
    # Whether there is an engine on this host or not, it has no such container.
    name = f"nobody-{uuid.uuid4().hex}"
    given = {
        "container": name,
        "id": "0" * 64,
        "fqdn": f"{name}.lab",
        "server": "puppet1",
        "role": "galera",
        "authority": "1" * 64,
        "secret": "s3cret",
    }
    done = start(tool, "certificate-issue", name, stdin=json.dumps(given))
    assert done.returncode == 1
    assert done.stderr.startswith(f"{name}: getting its certificate failed")
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stderr


@pytest.mark.parametrize(
    ("name", "text"), [("no-such-operation", "{}"), ("files-write", "{}"), ("files-write", "no json")]
)
def test_an_error_that_nobody_foresaw_is_shown_and_the_status_is_one(tool: Path, name: str, text: str) -> None:
    done = start(tool, name, stdin=text)
    assert done.returncode == 1
    assert done.stderr.strip()


def test_files_are_readable_inside_a_container_whatever_the_users_umask(tool: Path) -> None:
    given = {"root": str(tool / "volumes/strict"), "files": {"a/b": {"content": "text", "mode": "644"}}}
    before = os.umask(0o077)
    try:
        assert start(tool, "files-write", stdin=json.dumps(given)).returncode == 0
    finally:
        os.umask(before)
    root = tool / "volumes/strict"
    assert [path.stat().st_mode & 0o777 for path in (root, root / "a", root / "a/b")] == [0o755, 0o755, 0o644]


# Images.


FILES = {
    "Dockerfile": {"content": "ARG PARENT\n", "mode": "644"},
    "bin/run": {"content": "#!/bin/sh\n", "mode": "755"},
}
ABSENT = """
case "$1 $2 $*" in
  "image inspect "*--format*) echo sha256:1234 ;;
  "image inspect "*dockstack/base*) exit 0 ;;
  "image inspect "*) exit 1 ;;
  "build "*) cat > "$LOG.context"; %s ;;
  "run "*) echo "mariadb-server 1:11.8"; echo "galera-4 26.4" ;;
esac
"""


def build(packages: tuple[str, ...] = ()) -> dict[str, object]:
    return image.build("dockstack/galera:0123", "dockstack/base:4567", FILES, packages)


def test_an_image_is_built_from_the_given_files_with_their_modes(
    program: Script, calls: Callable[[], list[str]], tmp_path: Path
) -> None:
    program("docker", ABSENT % "echo built")
    assert build() == {"id": "sha256:1234", "versions": {}}
    line = next(line for line in calls() if line.startswith("docker build"))
    assert "--tag dockstack/galera:0123" in line
    assert "PARENT=dockstack/base:4567" in line
    with tarfile.open(tmp_path / "calls.context") as context:
        found = {entry.name: (context.extractfile(entry), entry.mode) for entry in context}
        assert {name: (stream.read().decode() if stream else "", mode) for name, (stream, mode) in found.items()} == {
            "Dockerfile": ("ARG PARENT\n", 0o644),
            "bin/run": ("#!/bin/sh\n", 0o755),
        }


def test_an_image_that_the_engine_has_is_not_built_again(program: Script, calls: Callable[[], list[str]]) -> None:
    program("docker", 'case "$*" in *--format*) echo sha256:1234 ;; esac')
    assert build()["id"] == "sha256:1234"
    assert not any(line.startswith("docker build") for line in calls())


def test_the_versions_of_the_packages_are_told_without_any_network(
    program: Script, calls: Callable[[], list[str]]
) -> None:
    program("docker", ABSENT % "true")
    assert build(("mariadb-server", "galera-4"))["versions"] == {"mariadb-server": "1:11.8", "galera-4": "26.4"}
    assert any(line.startswith("docker run") and "--network none" in line for line in calls())


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Take away what the host has of proxies."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


PROXY = "http://someone:s3cret@127.0.0.1:3128"


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ({"http_proxy": PROXY}, {"http_proxy": PROXY, "HTTP_PROXY": PROXY}),
        (
            {"HTTPS_PROXY": PROXY, "NO_PROXY": "a"},
            {"https_proxy": PROXY, "HTTPS_PROXY": PROXY} | {"no_proxy": "a", "NO_PROXY": "a"},
        ),
        ({"ALL_PROXY": PROXY}, dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"), PROXY)),
        (
            {"all_proxy": PROXY, "http_proxy": "http://b"},
            {"http_proxy": "http://b", "HTTP_PROXY": "http://b", "https_proxy": PROXY, "HTTPS_PROXY": PROXY},
        ),
    ],
)
def test_a_build_gets_the_hosts_proxy_in_the_hosts_network_and_nothing_of_it_in_the_arguments(
    program: Script,
    calls: Callable[[], list[str]],
    no_proxy: pytest.MonkeyPatch,
    tmp_path: Path,
    given: dict[str, str],
    passed: dict[str, str],
) -> None:
    for name, value in given.items():
        no_proxy.setenv(name, value)
    program("docker", ABSENT % 'env > "$LOG.env"')
    build()
    line = next(line for line in calls() if line.startswith("docker build"))
    assert "--network host" in line
    assert "s3cret" not in line
    seen = dict(each.split("=", 1) for each in (tmp_path / "calls.env").read_text().splitlines() if "=" in each)
    assert {name: seen[name] for name in line.split() if name in seen and "PROXY" in name.upper()} == passed


def test_a_build_without_a_proxy_is_in_dockers_own_network(
    program: Script, calls: Callable[[], list[str]], no_proxy: pytest.MonkeyPatch
) -> None:
    no_proxy.setenv("no_proxy", "localhost")
    program("docker", ABSENT % "true")
    build()
    assert not any("--network host" in line or "_proxy" in line for line in calls())


@pytest.mark.parametrize(("asked", "passed"), [("ARG PARENT\nARG CA_CERTIFICATES=\n", True), ("ARG PARENT\n", False)])
def test_a_build_that_asks_for_the_hosts_own_authorities_gets_them(
    program: Script, calls: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: str,
    passed: bool,
) -> None:  # fmt: skip
    (tmp_path / "deeper").mkdir()
    (tmp_path / "a.crt").write_text("first\n")
    (tmp_path / "deeper/b.crt").write_text("second\n")
    monkeypatch.setattr(image, "AUTHORITIES", tmp_path)
    program("docker", ABSENT % 'printf %s "$CA_CERTIFICATES" > "$LOG.trusted"')
    files = {**FILES, "Dockerfile": {"content": asked, "mode": "644"}}
    image.build("dockstack/galera:0123", "dockstack/base:4567", files, ())
    line = next(line for line in calls() if line.startswith("docker build"))
    assert ("--build-arg CA_CERTIFICATES" in line) == passed
    assert (tmp_path / "calls.trusted").read_text() == ("first\nsecond" if passed else "")


def test_a_failed_build_shows_its_last_lines(program: Script) -> None:
    program("docker", ABSENT % "seq 1000; echo the reason >&2; exit 7")
    with pytest.raises(StepError) as caught:
        build()
    error = caught.value
    assert (error.container, error.step) == ("dockstack/galera", "building the image")
    assert "status 7" in error.reason
    assert len(error.log) == containers.LOG_LINES
    assert "the reason" in error.log


def test_a_build_that_ends_before_it_has_read_its_files_shows_why(program: Script) -> None:
    program("docker", 'case "$1 $2 $*" in "image inspect "*dockstack/base*) ;; *) echo no daemon >&2; exit 1 ;; esac')
    many = FILES | {"large": {"content": "x" * 1_000_000, "mode": "644"}}
    with pytest.raises(StepError) as caught:
        image.build("dockstack/galera:0123", "dockstack/base:4567", many, ())
    assert "no daemon" in caught.value.log


def test_a_parent_of_ours_that_is_not_there_is_an_error_and_nothing_is_pulled(
    program: Script, calls: Callable[[], list[str]]
) -> None:
    program("docker", "exit 1")
    with pytest.raises(StepError, match=r"dockstack/base:4567.*isn't on the engine"):
        build()
    assert not any("pull" in line for line in calls())


def test_the_distribution_comes_from_the_registry_if_that_answers(
    program: Script, calls: Callable[[], list[str]]
) -> None:
    program(
        "docker", 'case "$1 $*" in *--format*) echo sha256:1 ;; "image "*) exit 1 ;; "build "*) cat >/dev/null ;; esac'
    )
    program("mmdebstrap", "exit 1")
    image.build("dockstack/base:4567", "debian:trixie-slim", FILES, ())
    assert any(line.startswith("docker pull") and line.endswith("debian:trixie-slim") for line in calls())
    assert not any(line.startswith("mmdebstrap") for line in calls())


def test_the_distribution_is_made_from_the_package_archive_if_no_registry_answers(
    program: Script, calls: Callable[[], list[str]], tmp_path: Path
) -> None:
    program(
        "docker",
        'case "$1 $*" in *--format*) echo sha256:1 ;; "image "*|"pull "*) exit 1 ;;'
        ' "import "*) cat > "$LOG.imported" ;; "build "*) cat >/dev/null ;; esac',
    )
    program("mmdebstrap", "echo a file system")
    image.build("dockstack/base:4567", "debian:trixie-slim", FILES, ())
    assert (tmp_path / "calls.imported").read_text() == "a file system\n"
    assert any(line.startswith("mmdebstrap") and " trixie " in line for line in calls())


def test_a_distribution_that_can_not_be_made_leaves_no_half_image(
    program: Script, calls: Callable[[], list[str]]
) -> None:
    program("docker", 'case "$1" in import) cat >/dev/null ;; *) exit 1 ;; esac')
    program("mmdebstrap", "echo the archive does not answer >&2; exit 1")
    with pytest.raises(StepError) as caught:
        image.build("dockstack/base:4567", "debian:trixie-slim", FILES, ())
    assert "the archive does not answer" in caught.value.log
    assert any(line == "docker image rm debian:trixie-slim" for line in calls())


# Ports and bridges.


LABELS = {
    "dockstack.stack": "lab",
    "dockstack.bridge": "br-lab",
    "dockstack.address": "10.87.0.30/24",
    "dockstack.gateway": "10.87.0.1",
    "dockstack.mac": "02:42:0a:57:00:1e",
    "dockstack.mtu": "1450",
}


def test_a_port_is_read_from_the_labels() -> None:
    assert ports.Port.of("galera1", LABELS) == [
        ports.Port(
            container="galera1", stack="lab", interface="eth0", bridge="br-lab", address="10.87.0.30/24",
            gateway="10.87.0.1", mac="02:42:0a:57:00:1e", mtu=1450,
        )
    ]  # fmt: skip


def test_further_ports_are_read_from_the_labels_and_have_no_address() -> None:
    more = "eth1|br-ext|02:43:0a:57:00:1e eth2|br-lab|02:44:0a:57:00:1e"
    found = ports.Port.of("neutron1", {**LABELS, "dockstack.ports": more})
    assert [(p.interface, p.bridge, p.mac, p.mtu) for p in found] == [
        ("eth0", "br-lab", "02:42:0a:57:00:1e", 1450),
        ("eth1", "br-ext", "02:43:0a:57:00:1e", 1450),
        ("eth2", "br-lab", "02:44:0a:57:00:1e", 1450),
    ]
    assert [(p.address, p.gateway) for p in found[1:]] == [("", ""), ("", "")]


@pytest.mark.parametrize("more", ["", "eth1|br-ext|02:43:0a:57:00:1e eth2|br-lab|02:44:0a:57:00:1e"])
def test_ports_are_written_as_the_labels_that_they_are_read_from(more: str) -> None:
    written = {**LABELS, **({"dockstack.ports": more} if more else {})}
    first, *further = ports.Port.of("galera1", written)
    assert ports.labelled(first, further) == written


def test_a_container_without_a_bridge_has_no_port() -> None:
    assert ports.Port.of("lab-keeper", {"dockstack.stack": "lab"}) == []


def test_a_container_that_asks_dhcp_has_a_port_without_address_and_gateway() -> None:
    (found,) = ports.Port.of(
        "any1", {"dockstack.stack": "l", "dockstack.bridge": "br-lab", "dockstack.mac": "02:42:0a:57:00:1e"}
    )
    assert (found.address, found.gateway, found.mtu) == ("", "", 1500)


@pytest.mark.parametrize(
    "found",
    [
        None,
        {"State": {"Running": False, "Pid": 0}, "Config": {"Labels": LABELS}},
        {"State": {"Running": True, "Pid": 0}, "Config": {"Labels": LABELS}},
        {"State": {"Running": True, "Pid": 1}, "Config": {"Labels": {}}},
        {"State": {"Running": True, "Pid": 1}, "Config": {"Labels": None}},
    ],
    ids=["gone", "stopped", "without a process", "without labels", "with none"],
)
def test_what_does_not_run_or_asks_for_no_port_gets_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: dict[str, Any] | None
) -> None:
    monkeypatch.setattr(docker_api, "inspect", lambda _name: found)
    assert ports.attach("galera1", tmp_path / "locks") == "none"


def test_a_container_is_attached_by_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[int] = []
    most: list[int] = []

    def inspect(_name: str) -> None:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.02)
        inside.pop()

    monkeypatch.setattr(docker_api, "inspect", inspect)
    threads = [threading.Thread(target=ports.attach, args=("galera1", tmp_path)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5


def test_what_stands_for_docker_in_ovs_dockers_eyes_tells_the_process_id() -> None:
    told = subprocess.run(
        [paths.HOSTSIDE / "bin/docker", "inspect", "-f", "{{.State.Pid}}", "galera1"],
        capture_output=True, text=True, check=True, env={"DOCKSTACK_PID": "4711"},
    )  # fmt: skip
    assert told.stdout == "4711\n"


def test_rows_of_the_database_are_read_with_their_maps_and_sets(program: Script) -> None:
    row = json.dumps({"data": [["br-lab", ["map", [["dockstack-stack", "lab"]]], ["set", []]]]})
    program("ovs-vsctl", f"echo '{row}'")
    assert ovs.rows("bridge", "name,external_ids,tag") == [["br-lab", {"dockstack-stack": "lab"}, []]]
    monkey = json.dumps({"data": [["br-lab", ["map", [["dockstack-stack", "lab"]]]]]})
    program("ovs-vsctl", f"echo '{monkey}'")
    assert ovs.bridges("lab") == {"br-lab": {"dockstack-stack": "lab"}}


BRIDGE = bridge.Bridge("br-unit", "lab", "10.87.0.0/24", "10.87.0.1/24", 1500)


def test_a_bridge_is_read_back_from_what_is_noted_on_it() -> None:
    assert bridge.Bridge.recorded("br-unit", BRIDGE.identifiers()) == BRIDGE


def test_the_blackhole_route_is_there_before_the_bridge(
    program: Script, calls: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    program("ovs-vsctl", "echo '{\"data\": []}'")
    program("ip", "true")
    program("ethtool", "true")
    monkeypatch.setattr(ovs, "kernel_datapath", lambda: False)
    monkeypatch.setattr(ovs, "is_userspace", lambda _name: True)
    assert bridge.up(BRIDGE) == "netdev"
    lines = calls()
    blackhole = lines.index("ip route replace blackhole 10.87.0.0/24 metric 4096 proto 87")
    made = next(index for index, line in enumerate(lines) if "add-br br-unit" in line)
    address = lines.index("ip address replace 10.87.0.1/24 dev br-unit")
    assert blackhole < made < address
    assert "ethtool -K br-unit tx off" in lines


def test_a_bridge_of_another_stack_is_left_alone(program: Script, calls: Callable[[], list[str]]) -> None:
    row = json.dumps({"data": [["br-unit", ["map", [["dockstack-stack", "other"]]]]]})
    program("ovs-vsctl", f"echo '{row}'")
    program("ip", "true")
    with pytest.raises(CommandFailed, match="bridge br-unit is there and isn't of stack lab"):
        bridge.up(BRIDGE)
    assert not any("add-br" in line or line.startswith("ip ") for line in calls())


def test_the_blackhole_route_goes_after_the_bridge(program: Script, calls: Callable[[], list[str]]) -> None:
    row = json.dumps({"data": [["br-unit", ["map", [["dockstack-stack", "lab"]]]]]})
    program("ovs-vsctl", f"echo '{row}'")
    program("ip", "exit 2")
    bridge.down(BRIDGE)
    lines = calls()
    deleted = next(index for index, line in enumerate(lines) if line.endswith("del-br br-unit"))
    assert deleted < lines.index("ip route delete blackhole 10.87.0.0/24 metric 4096")


def test_taking_down_a_bridge_of_another_stack_takes_nothing_down(
    program: Script, calls: Callable[[], list[str]]
) -> None:
    program("ovs-vsctl", "echo '{\"data\": []}'")
    program("ip", "exit 2")
    bridge.down(BRIDGE)
    assert not any("del-br" in line for line in calls())


def test_a_route_without_our_mark_is_only_taken_with_our_bridge(
    program: Script, calls: Callable[[], list[str]]
) -> None:
    program("ovs-vsctl", "echo '{\"data\": []}'")
    program("ip", "exit 2")
    bridge.down(BRIDGE)
    assert "ip route delete blackhole 10.87.0.0/24 metric 4096 proto 87" in calls()


# Links and namespaces.


def test_only_pairs_of_the_stack_that_no_bridge_has_are_loose(program: Script) -> None:
    ours, held = (ports.link_name("lab", name, "eth0") + "_l" for name in ("web1", "web2"))
    names = [ours, held, f"{ours[:5]}_l", f"{ours}x", "veth0", ports.link_name("other", "web1", "eth0") + "_l"]
    program("ip", f"echo '{json.dumps([{}, *({'ifname': name} for name in names)])}'; [ \"$5\" = veth ]")
    program("ovs-vsctl", f"echo '{json.dumps({'data': [[held], ['br-lab']]})}'")
    assert ports.loose_links("lab") == [ours]


def test_ports_on_bridges_of_others_stay_when_a_container_is_detached(
    program: Script, calls: Callable[[], list[str]], tmp_path: Path
) -> None:
    ours = ports.link_name("lab", "web1", "eth0") + "_l"
    rows = [[name, ["map", [["container_id", "web1"], ["container_iface", "eth0"]]]] for name in (ours, "f00dcafe_l")]
    program("ovs-vsctl", f"echo '{json.dumps({'data': rows})}'")
    ports.detach("web1", "lab", tmp_path)
    assert [line.split()[-1] for line in calls() if "del-port" in line] == [ours]


def test_a_namespace_of_somebody_elses_that_is_called_like_the_process_is_not_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "NAMESPACES", tmp_path)
    pid = os.getpid()
    ports.refuse_foreign_namespace(pid)
    (tmp_path / str(pid)).symlink_to(f"/proc/{pid}/ns/net")
    ports.refuse_foreign_namespace(pid)
    (tmp_path / str(pid)).unlink()
    (tmp_path / str(pid)).write_text("")
    with pytest.raises(CommandFailed, match=f"`ip netns delete {pid}`"):
        ports.refuse_foreign_namespace(pid)
