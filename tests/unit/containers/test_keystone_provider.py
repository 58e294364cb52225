"""What Puppet's types for Keystone do with its answers: real Ruby, and a server that plays Keystone."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from components import paths

MODULES = paths.DOCKERVOLUMES / "puppet/code/environments/production/site-modules"
LIBRARY = MODULES / "profile/lib/puppet_x/dockstack/keystone.rb"
SCRIPT = """
module Puppet; class Error < StandardError; end; end
require ARGV[0]
client = PuppetX::Dockstack::Keystone
{ PORT: ARGV[1].to_i, SETTINGS: ARGV[2], PATIENCE_SECONDS: ARGV[3].to_f, PAUSE_SECONDS: 0.01 }.each do |name, value|
  client.send(:remove_const, name)
  client.const_set(name, value)
end
begin
  puts client.current.list('projects').length
rescue Puppet::Error => e
  puts e.message
end
"""

pytestmark = pytest.mark.skipif(shutil.which("ruby") is None, reason="Ruby is not installed")


class Keystone(ThreadingHTTPServer):
    """Plays Keystone: gives a token, and answers what it is told to when it is asked for projects."""

    def __init__(self) -> None:
        """Listen on a port of its own."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[int] = []
        self.asked = 0


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(201, {}, {"X-Subject-Token": "token"})

    def do_GET(self) -> None:
        played = self.server
        assert isinstance(played, Keystone)
        played.asked += 1
        status = played.answers.pop(0) if len(played.answers) > 1 else played.answers[0]
        self._answer(status, {"projects": [{"id": "a"}]} if status == 200 else {"error": {"message": "a reason"}}, {})

    def _answer(self, status: int, told: object, headers: dict[str, str]) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def keystone() -> Iterator[Keystone]:
    with Keystone() as played:
        threading.Thread(target=played.serve_forever, daemon=True).start()
        yield played
        played.shutdown()


def listed(keystone: Keystone, tmp_path: Path, patience: float) -> str:
    """Have the projects listed; return their number, or the error."""
    settings = tmp_path / "bootstrap.json"
    settings.write_text('{"password": "secret"}')
    script = tmp_path / "list.rb"
    script.write_text(SCRIPT)
    command = ("ruby", str(script), str(LIBRARY), str(keystone.server_port), str(settings), str(patience))
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_what_fails_in_keystone_for_a_moment_is_asked_again(keystone: Keystone, tmp_path: Path) -> None:
    keystone.answers = [500, 503, 200]
    assert listed(keystone, tmp_path, 30) == "1"
    assert keystone.asked == 3


def test_what_goes_on_failing_is_told_with_keystones_words(keystone: Keystone, tmp_path: Path) -> None:
    keystone.answers = [500]
    assert listed(keystone, tmp_path, 0.1) == "Keystone refused GET /v3/projects: 500 a reason"
    assert keystone.asked > 1


def test_what_keystone_refuses_is_not_asked_again(keystone: Keystone, tmp_path: Path) -> None:
    keystone.answers = [403]
    assert listed(keystone, tmp_path, 30) == "Keystone refused GET /v3/projects: 403 a reason"
    assert keystone.asked == 1
