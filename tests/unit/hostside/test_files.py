"""Rendered files, address records, the way in from the host: what is on disk after each step, and after none."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostside import access, files
from hostside.records import Records

FILES = {
    "bin/start": {"content": "#!/bin/sh\n", "mode": "755"},
    "conf/a.conf": {"content": "a = 1\n", "mode": "644"},
}


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def tree(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def manifest(root: Path) -> list[str]:
    return list(json.loads(root.with_name(f"{files.MANIFEST}-{root.name}").read_text()))


def test_files_are_written_with_content_and_mode_and_named_in_a_manifest_beside_the_directory(tmp_path: Path) -> None:
    root = tmp_path / "volumes/galera1"
    assert files.write(root, FILES) == 2
    assert (root / "bin/start").read_text() == "#!/bin/sh\n"
    assert (mode(root / "bin/start"), mode(root / "conf/a.conf"), mode(root)) == (0o755, 0o644, 0o755)
    assert tree(root) == set(FILES) == set(manifest(root))


def test_a_file_without_a_mode_is_readable_by_all(tmp_path: Path) -> None:
    files.write(tmp_path / "c", {"a": {"content": "text"}})
    assert mode(tmp_path / "c/a") == 0o644


def test_a_file_that_has_the_content_already_is_not_touched(tmp_path: Path) -> None:
    files.write(tmp_path / "c", FILES)
    before = {name: (tmp_path / "c" / name).stat().st_ino for name in FILES}
    assert files.write(tmp_path / "c", FILES) == 0
    assert {name: (tmp_path / "c" / name).stat().st_ino for name in FILES} == before


def test_a_file_whose_mode_was_changed_gets_its_mode_back(tmp_path: Path) -> None:
    files.write(tmp_path / "c", FILES)
    (tmp_path / "c/bin/start").chmod(0o644)
    assert files.write(tmp_path / "c", FILES) == 1
    assert mode(tmp_path / "c/bin/start") == 0o755


def test_a_changed_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    files.write(tmp_path / "c", FILES)
    with (tmp_path / "c/conf/a.conf").open() as reader:
        files.write(tmp_path / "c", FILES | {"conf/a.conf": {"content": "a = 2\n"}})
        assert reader.read() == "a = 1\n"
    assert (tmp_path / "c/conf/a.conf").read_text() == "a = 2\n"


def test_a_file_that_is_no_longer_asked_for_is_removed_and_those_of_others_stay(tmp_path: Path) -> None:
    root = tmp_path / "c"
    files.write(root, FILES)
    (root / "secrets").mkdir()
    (root / "secrets/node.yaml").write_text("of the registration\n")
    assert files.write(root, {"bin/start": FILES["bin/start"]}) == 1
    assert tree(root) == {"bin/start", "secrets/node.yaml"}
    assert manifest(root) == ["bin/start"]


def test_an_interrupted_write_names_too_many_files_rather_than_too_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "c"
    files.write(root, {"old": {"content": "old"}})

    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(files, "put", interrupted)
        with pytest.raises(KeyboardInterrupt):
            files.write(root, {"old": {"content": "old"}, "new": {"content": "new"}})
    assert set(manifest(root)) == {"old", "new"}
    (root / "new").write_text("written just before the end")
    files.write(root, {"old": {"content": "old"}})
    assert tree(root) == {"old"}


def test_removal_takes_directory_and_manifest_and_is_repeatable(tmp_path: Path) -> None:
    files.write(tmp_path / "c", FILES)
    files.write(tmp_path / "other", FILES)
    files.remove(tmp_path / "c")
    files.remove(tmp_path / "c")
    assert {path.name for path in tmp_path.iterdir()} == {"other", ".rendered-other"}


def test_a_private_file_is_for_its_owner_and_its_group(tmp_path: Path) -> None:
    group = os.getgid()
    assert files.put(tmp_path / "secrets/node.yaml", "password", 0o640, group)
    assert mode(tmp_path / "secrets/node.yaml") == 0o640
    assert (tmp_path / "secrets/node.yaml").stat().st_gid == group


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives a file to another group")
def test_a_private_file_is_given_to_the_group_that_is_asked_for(tmp_path: Path) -> None:
    files.put(tmp_path / "node.yaml", "password", 0o640, 8140)
    status = (tmp_path / "node.yaml").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, 8140, 0o640)


def test_a_private_file_is_at_no_moment_readable_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = os.replace

    def watched(source: Path, target: Path) -> None:
        seen.append(mode(source))
        real(source, target)

    opened: list[int] = []
    real_open = os.open

    def watched_open(path: Path, flags: int, permissions: int = 0o777) -> int:
        opened.append(permissions)
        return real_open(path, flags, permissions)

    monkeypatch.setattr(os, "replace", watched)
    monkeypatch.setattr(os, "open", watched_open)
    files.put(tmp_path / "openrc", "password", 0o600)
    assert (opened, seen) == ([0o600], [0o600])


def test_writing_leaves_no_half_written_file_behind(tmp_path: Path) -> None:
    files.write(tmp_path / "c", FILES)
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".new")]


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "hosts"
    monkeypatch.setattr(access, "HOSTS", path)
    return path


def publish(tmp_path: Path, stack: str = "lab", address: str = "10.87.0.250") -> None:
    access.publish(stack, tmp_path / stack / "openrc", "export A=b\n", address, "vip.dockstack.lab", "clouds:\n")


def test_the_way_in_is_two_files_for_their_owner_only_and_a_line_in_the_hosts_file(tmp_path: Path, hosts: Path) -> None:
    hosts.write_text("127.0.0.1 localhost\n")
    publish(tmp_path)
    assert {path.name: mode(path) for path in (tmp_path / "lab").iterdir()} == {"openrc": 0o600, "clouds.yaml": 0o600}
    first, second = hosts.read_text().splitlines()
    assert first == "127.0.0.1 localhost"
    assert second.split("#")[0].split() == ["10.87.0.250", "vip.dockstack.lab"]


def test_the_hosts_file_is_as_before_once_the_lab_has_gone(tmp_path: Path, hosts: Path) -> None:
    before = "127.0.0.1 localhost\n# a remark\n\n::1 localhost ip6-localhost"
    for text in (before + "\n", before, ""):
        hosts.write_text(text)
        publish(tmp_path)
        access.withdraw("lab", tmp_path / "lab/openrc")
        assert hosts.read_text().rstrip("\n") == text.rstrip("\n")
        assert not list((tmp_path / "lab").iterdir())


def test_a_hosts_file_without_a_last_newline_gets_the_line_on_a_line_of_its_own(tmp_path: Path, hosts: Path) -> None:
    hosts.write_text("127.0.0.1 localhost")
    publish(tmp_path)
    assert hosts.read_text().startswith("127.0.0.1 localhost\n10.87.0.250 ")


def test_publishing_again_replaces_the_line_and_leaves_an_unchanged_file_alone(tmp_path: Path, hosts: Path) -> None:
    hosts.write_text("127.0.0.1 localhost\n")
    publish(tmp_path, address="10.87.0.250")
    publish(tmp_path, address="10.87.0.251")
    assert [line.split()[0] for line in hosts.read_text().splitlines()] == ["127.0.0.1", "10.87.0.251"]
    os.utime(hosts, ns=(1, 1))
    publish(tmp_path, address="10.87.0.251")
    assert hosts.stat().st_mtime_ns == 1


def test_the_lines_of_other_stacks_stay_even_if_their_names_end_alike(tmp_path: Path, hosts: Path) -> None:
    hosts.write_text("127.0.0.1 localhost\n")
    for number, stack in enumerate(("lab", "my-lab", "lab2")):
        publish(tmp_path, stack, f"10.8{number}.0.250")
    access.withdraw("lab", tmp_path / "lab/openrc")
    assert (tmp_path / "lab2/clouds.yaml").exists()
    assert [line.split()[0] for line in hosts.read_text().splitlines()] == ["127.0.0.1", "10.81.0.250", "10.82.0.250"]


def test_the_hosts_file_is_written_in_place_as_it_may_be_a_mount(tmp_path: Path, hosts: Path) -> None:
    hosts.write_text("127.0.0.1 localhost\n")
    before = hosts.stat().st_ino
    publish(tmp_path)
    assert hosts.stat().st_ino == before


def test_withdrawing_what_was_never_published_is_no_error(tmp_path: Path, hosts: Path) -> None:
    access.withdraw("lab", tmp_path / "lab/openrc")
    assert not hosts.exists()


def test_a_record_gives_the_full_and_the_short_name(tmp_path: Path) -> None:
    Records(tmp_path / "records").add("galera1", "10.87.0.30", "galera1.dockstack.lab")
    assert (tmp_path / "records/galera1").read_text() == "10.87.0.30 galera1.dockstack.lab galera1\n"
    assert mode(tmp_path / "records/galera1") == 0o644


def test_a_record_that_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.add("galera1", "10.87.0.30", "galera1.dockstack.lab")
    before = (tmp_path / "galera1").stat().st_ino
    records.add("galera1", "10.87.0.30", "galera1.dockstack.lab")
    assert (tmp_path / "galera1").stat().st_ino == before
    records.add("galera1", "10.87.0.31", "galera1.dockstack.lab")
    assert (tmp_path / "galera1").read_text().startswith("10.87.0.31 ")


def test_a_record_goes_with_its_container_and_one_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    records = Records(tmp_path / "records")
    records.remove("galera1")
    records.add("galera1", "10.87.0.30", "galera1.dockstack.lab")
    records.remove("galera1")
    assert list((tmp_path / "records").iterdir()) == []


def test_a_record_that_is_being_written_is_none_yet(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.add("a1", "10.87.0.1", "a1.dockstack.lab")
    (tmp_path / ".b1").write_text("10.87.0.2 b1")
    assert records.names() == {"a1"}
