"""The life of a small lab with a Puppet server beside the big one: cut off, mended, changed, restored, and gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.harness import (
    Make,
    Stack,
    config,
    cut_power,
    eventually,
    has_changed_something,
    inside,
    inventory,
    left_since,
    run,
    started_at,
)

pytestmark = pytest.mark.lab

SMALL = {
    "t20-dns": {"role": "dnsmasq"},
    "t20-puppet": {"role": "puppet"},
    "t20-db": {"role": "galera"},
    "t20-cache": {"role": "memcached"},
    "t20-extra": {"role": "plain"},
}


def test_a_lab_comes_fails_is_mended_changes_is_restored_and_leaves_no_trace(stack: Make, tmp_path: Path) -> None:
    before = inventory()
    small = stack("t20", config(20, SMALL))
    _a_puppet_run_that_lost_its_power_is_finished_by_the_next_up(small)
    assert small.outputs()["addresses"]["t20-cache"] == "10.86.20.13"

    _a_failing_run_names_container_resource_and_log(small)
    _a_preview_tells_what_a_change_means(small)
    _removal_undoes_what_others_knew(small)
    _a_restored_lab_has_what_was_there_and_nothing_else(small, tmp_path / "t20.tar.zst")

    small.destroy()
    assert left_since(before) == {}


def _a_puppet_run_that_lost_its_power_is_finished_by_the_next_up(small: Stack) -> None:
    process = small.start_up()
    eventually("the Puppet run is on its way", lambda: has_changed_something("t20-cache"), 600, 0.05)
    cut_power(small, process)
    small.up()
    small.preview("--expect-no-changes")
    assert "STAT pid" in inside("t20-dns", "sh", "-c", "printf 'stats\\nquit\\n' | nc -w 5 t20-cache 11211")


def _a_failing_run_names_container_resource_and_log(small: Stack) -> None:
    started = started_at("t20")
    # A directory where the profile wants a file, and a reason to run Puppet again.
    inside("t20-cache", "sh", "-c", "rm /etc/memcached.conf && mkdir /etc/memcached.conf")
    small.configure(config(20, SMALL, region="Elsewhere"))
    done = small.up(check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "t20-cache: its Puppet run failed" in said
    assert "File[/etc/memcached.conf]" in said
    assert "log: /var/lib/dockstack/stacks/t20/logs/t20-cache.puppet.log" in said

    inside("t20-cache", "rmdir", "/etc/memcached.conf")
    small.up()
    small.preview("--expect-no-changes")
    assert started_at("t20") == started


def _a_preview_tells_what_a_change_means(small: Stack) -> None:
    assert "This change" not in small.preview().stdout
    small.configure(config(20, {name: c for name, c in SMALL.items() if name != "t20-db"}))
    said = small.preview().stdout
    assert "This change interrupts an API: t20-db is removed" in said
    assert "This change loses data: volume t20-db-data of t20-db is removed" in said
    started = started_at("t20")
    done = small.up(check=False)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert "dockstack:containers.t20-db: is no longer configured, and volume t20-db-data would be removed" in said
    assert started_at("t20") == started
    small.configure(config(20, SMALL))


def _removal_undoes_what_others_knew(small: Stack) -> None:
    listed = inside("t20-puppet", "puppetserver", "ca", "list", "--all")
    assert "t20-cache.t20.lab" in listed
    small.configure(config(20, {name: c for name, c in SMALL.items() if name != "t20-cache"}))
    small.up()
    assert "t20-cache" not in inside("t20-puppet", "puppetserver", "ca", "list", "--all")
    assert inside("t20-dns", "dig", "+short", "@10.86.20.10", "t20-cache.t20.lab") == ""
    known = inside("t20-puppet", "find", "/etc/dockstack", "-name", "t20-cache*")
    assert known == ""
    # And it comes back at once, with a new certificate.
    small.configure(config(20, SMALL))
    small.up()
    assert "t20-cache.t20.lab" in inside("t20-puppet", "puppetserver", "ca", "list", "--all")


def _a_restored_lab_has_what_was_there_and_nothing_else(small: Stack, file: Path) -> None:
    def databases() -> set[str]:
        return set(inside("t20-db", "mariadb", "--batch", "--execute", "SHOW DATABASES").split())

    def backup(what: str) -> None:
        run("python3", "-m", "commands.backup", what, small.name, str(file), cwd=small.directory, env=small.env)

    inside("t20-db", "mariadb", "--execute", "CREATE DATABASE before_it")
    backup("backup")
    inside("t20-db", "mariadb", "--execute", "CREATE DATABASE after_it; DROP DATABASE before_it")
    backup("restore")
    small.pulumi("up", "--yes", "--skip-preview", "--refresh")
    assert databases() & {"before_it", "after_it"} == {"before_it"}
    small.preview("--expect-no-changes")
