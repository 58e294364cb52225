"""A stack from a 2015-style environment.yaml, with hooks that are ours now and hooks that run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.harness import Make, interface, run

pytestmark = pytest.mark.lab


FILE = """
common: &common
  domain: t30.lab
  vip: 10.86.30.250
containerhosts:
  host1: &host1 {{ip: 127.0.0.1}}
containerdefault: &default
  mask: 255.255.255.0
  gateway: 10.86.30.1
  bridge: br-t30
  host: *host1
containers:
  t30-one:
    <<: *default
    ip: 10.86.30.11
    image: plain
    volumes: ["/dockervolumes/t30-one/etc:/srv/etc", "{data}:/srv/data:ro"]
    precreation: {log} pre
    postcreation:
      - registerService.py add t30-one
      - {log} post-1
      - {log} post-2
    predestroy: [registerService.py del t30-one, {log} before]
    postdestroy: {log} after
  t30-two: {{<<: *default, ip: 10.86.30.12, image: plain, state: false}}
"""


def test_a_file_of_2015_is_a_lab_of_today(stack: Make, tmp_path: Path) -> None:
    log, said, data = tmp_path / "log", tmp_path / "said", tmp_path / "data"
    data.mkdir()
    log.write_text(f'#!/bin/sh\necho "$1" >> {said}\n')
    log.chmod(0o755)
    file = tmp_path / "environment.yaml"
    file.write_text(FILE.format(log=log, data=data))
    beside = {
        "containerDefaults": {"mtu": 1400},
        "containers": {"t30-new": {"role": "plain", "address": "10.86.30.13"}},
    }
    made = stack("t30", {"environment": str(file), **beside})
    done = made.up()
    text = done.stdout + done.stderr
    assert "registerService.py" in text and "t30-two" in text
    assert interface("t30-one") == ("10.86.30.11/24", "10.86.30.1", 1400)
    assert interface("t30-new") == ("10.86.30.13/24", "10.86.30.1", 1400)
    assert run("docker", "inspect", "t30-two", check=False).returncode != 0
    assert said.read_text().split() == ["pre", "post-1", "post-2"]
    made.preview("--expect-no-changes")
    made.destroy()
    assert said.read_text().split() == ["pre", "post-1", "post-2", "before", "after"]
