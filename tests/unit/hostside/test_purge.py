"""What `make purge` takes for its own of a stack's directory that no longer says whose it is."""

from __future__ import annotations

from pathlib import Path

from hostside.purge import is_hollow


def test_what_docker_makes_of_a_containers_lost_mount_is_hollow(tmp_path: Path) -> None:
    (tmp_path / "volumes/plain").mkdir(parents=True)
    assert is_hollow(tmp_path)


def test_what_holds_a_file_or_leads_elsewhere_or_isnt_there_is_not(tmp_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    (tmp_path / "link").mkdir()
    (tmp_path / "stack/notes").touch()
    (tmp_path / "link/elsewhere").symlink_to(tmp_path)
    assert not any(is_hollow(tmp_path / name) for name in ("stack", "link", "none"))
