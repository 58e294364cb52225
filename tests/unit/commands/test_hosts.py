"""`make hosts` and what `make purge` does on hosts behind ssh, with an ssh that is a shell of this machine."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from commands import hosts, stack_file
from components import ssh
from components.configuration.environment import ConfiguredHost, Ssh
from tests.unit.graph_recorder import config

FAR = ConfiguredHost(name="far", ssh=Ssh(host="192.0.2.20"), home="/srv/dockstack")


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is to be run on another host run here."""
    monkeypatch.setattr(ssh, "command", lambda _ssh, words: ["sh", "-c", " ".join(words)])


def package(**files: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"prepare/{name}")
            entry.size, entry.mode = len(text), 0o755
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def test_each_step_is_run_where_its_files_are_and_nothing_of_them_stays() -> None:
    step = '#!/bin/sh\necho "${0##*/} in $DOCKSTACK_HOME beside $(ls ${0%/*} | wc -l)"; echo ${0%/prepare/*} >&2\n'
    said: list[str] = []
    assert hosts.prepare(FAR, package(packages=step, docker=step, openvswitch=step), said.append)
    assert [line for line in said if " in " in line] == [
        f"far: {name} in /srv/dockstack beside 3" for name in ("packages", "docker", "openvswitch")
    ]
    assert said[-1] == "far: prepared"
    (where,) = {line.removeprefix("far: ") for line in said if "/tmp" in line}
    assert not Path(where).exists()


def test_a_step_that_fails_is_the_last_one() -> None:
    said: list[str] = []
    failing = "#!/bin/sh\necho no packages >&2; exit 1\n"
    assert not hosts.prepare(FAR, package(packages=failing, docker="#!/bin/sh\necho no\n"), said.append)
    assert said == ["far: no packages", "far: not prepared"]


def test_what_is_sent_is_all_that_the_steps_read() -> None:
    with tarfile.open(fileobj=io.BytesIO(hosts.scripts())) as archive:
        names = {name.removeprefix("prepare/") for name in archive.getnames()}
        texts = "".join(archive.extractfile(name).read().decode() for name in archive.getnames())  # type: ignore[union-attr]
    assert set(hosts.STEPS) < names
    for word in texts.split():
        if word.startswith('"$dockstack_checkout/prepare/'):
            assert word.split("/")[-1].strip('"') in names


def test_only_hosts_behind_ssh_are_prepared_from_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared: list[str] = []
    several = config(containerHosts={"local": {}, "far": {"ssh": {"host": "192.0.2.20"}}})
    monkeypatch.setattr(stack_file, "read", lambda _stack: several)

    def prepare(host: ConfiguredHost, *_: object) -> bool:
        prepared.append(host.name)
        return True

    monkeypatch.setattr(hosts, "prepare", prepare)
    # A container that says no host is a fault of its own, and none of this.
    assert hosts.main(["lab"]) == 0
    assert prepared == ["far"]
    monkeypatch.setattr(stack_file, "read", lambda _stack: config())
    assert hosts.main(["lab"]) == 0
    assert "no host behind ssh" in capsys.readouterr().out


def test_a_host_is_cleared_by_the_tool_and_its_directory_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept = tmp_path / "swept"
    monkeypatch.setattr(hosts, "packed_tool", lambda: "unused")
    monkeypatch.setattr(hosts, "installation", lambda d: f"cat >/dev/null; mkdir -p {d}/tool")
    monkeypatch.setattr(hosts, "removal", lambda d, stack: f"echo {stack} >{swept} && rm -r {d}")
    host = FAR.model_copy(update={"home": str(tmp_path)})
    assert hosts.clear(host, "lab") == "far: nothing of stack lab is left"
    assert swept.read_text() == "lab\n"


def test_a_stack_without_its_file_has_no_host_to_prepare_and_none_that_keeps_it_from_being_purged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert hosts.main(["nowhere"]) == 1
    assert hosts.main(["nowhere", "--clear"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert all("Pulumi.nowhere.yaml has no configuration to read" in line for line in told)
    assert [line.endswith("; hosts behind ssh are left as they are") for line in told] == [False, True]


def test_a_host_that_can_not_be_reached_is_left_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 255, "", "ssh: no route to host\n")

    monkeypatch.setattr(subprocess, "run", run)
    assert hosts.clear(FAR, "lab") == "far: left as it is: ssh: no route to host"
