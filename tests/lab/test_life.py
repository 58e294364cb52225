"""The life of a small lab with a Puppet server beside the big one: a failing run, a change, and no trace at the end."""

from __future__ import annotations

import pytest

from tests.lab.harness import Make, Stack, config, inside, inventory, left_since, started_at

pytestmark = pytest.mark.lab

SMALL = {
    "t20-dns": {"role": "dnsmasq"},
    "t20-puppet": {"role": "puppet"},
    "t20-cache": {"role": "memcached"},
    "t20-extra": {"role": "plain"},
}


def test_a_lab_comes_fails_is_mended_changes_and_leaves_no_trace(stack: Make) -> None:
    before = inventory()
    small = stack("t20", config(20, SMALL))
    small.up()
    small.preview("--expect-no-changes")
    assert small.outputs()["addresses"]["t20-cache"] == "10.86.20.12"

    _a_failing_run_names_container_resource_and_log(small)
    _removal_undoes_what_others_knew(small)

    small.destroy()
    assert left_since(before) == {}


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
