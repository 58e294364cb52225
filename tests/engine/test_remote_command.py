"""remote.Command against a real sshd that listens on the loopback address only."""

import getpass
import hashlib
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.engine.harness import (
    UNKNOWN,
    Project,
    Resource,
    Result,
    Step,
    assert_ended,
    read_pids,
    secret,
    wait_until,
)

pytestmark = pytest.mark.engine

SSHD = "/usr/sbin/sshd"
PASSWORD = "hunter5-sent-to-the-host"
KEY_PASSWORD = "hunter6-of-the-key"


@dataclass(frozen=True)
class Server:
    """The sshd and the throwaway keys that fit it."""

    port: int
    user: str
    key: str
    locked_key: str
    host_key: str
    other_host_key: str

    def connection(self, **changes: Any) -> dict[str, Any]:
        """The arguments of a connection; `changes` replace or add some."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "user": self.user,
            "private_key": secret(self.key),
            "host_key": self.host_key,
            "dial_error_limit": 1,
            "per_dial_timeout": 5,
        } | changes


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run sshd on 127.0.0.1 at a free port."""
    if not Path(SSHD).exists() or shutil.which("ssh-keygen") is None:
        pytest.skip(f"no {SSHD}: install openssh-server to test remote.Command")
    directory = tmp_path_factory.mktemp("sshd")
    directory.chmod(0o700)

    def make_key(name: str, password: str = "") -> Path:
        path = directory / name
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", password, "-C", name, "-f", str(path)]
        subprocess.run(command, check=True)
        return path

    host, other, user, locked = (
        make_key("host"),
        make_key("other"),
        make_key("user"),
        make_key("locked", KEY_PASSWORD),
    )
    authorized = directory / "authorized_keys"
    authorized.write_text("".join(key.with_suffix(".pub").read_text() for key in (user, locked)))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = directory / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {host}\nAuthorizedKeysFile {authorized}\nPidFile none\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
        "AcceptEnv A_* PULUMI_COMMAND_STDOUT PULUMI_COMMAND_STDERR\n"
    )
    separation = Path("/run/sshd")
    made = not separation.exists()
    if made:
        separation.mkdir(mode=0o755)
    log = (directory / "log").open("w")
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=log)

    def listening() -> bool:
        with socket.socket() as attempt:
            return attempt.connect_ex(("127.0.0.1", port)) == 0

    try:
        assert wait_until(listening, 10), (directory / "log").read_text()
        yield Server(
            port,
            getpass.getuser(),
            user.read_text(),
            locked.read_text(),
            host.with_suffix(".pub").read_text(),
            other.with_suffix(".pub").read_text(),
        )
    finally:
        process.terminate()
        process.wait(10)
        log.close()
        if made:
            separation.rmdir()


@dataclass
class Story:
    """What each stage showed."""

    notes: Path
    preview: dict[str, Step] = field(default_factory=dict)
    ran_in_preview: bool = True
    created: Result = field(default_factory=lambda: Result(1, ""))
    created_outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    created_state: str = ""
    updated: Result = field(default_factory=lambda: Result(1, ""))
    updated_outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    no_changes: Result = field(default_factory=lambda: Result(1, ""))
    destroyed: Result = field(default_factory=lambda: Result(1, ""))

    def lines(self, name: str) -> list[str]:
        """What the commands wrote under this name."""
        path = self.notes / name
        return path.read_text().splitlines() if path.exists() else []


def program(server: Server, notes: Path, stage: int) -> list[Resource]:
    """The resources before (1) and after (2) the change."""

    def command(name: str, **args: Any) -> Resource:
        return Resource(name, {"connection": server.connection()} | args, type="remote.Command")

    return [
        command("plain", create=f"echo run >>{notes}/plain; echo out; echo err >&2; echo via $SSH_CONNECTION >&2"),
        command(
            "secretive",
            create='printf %s "$A_PASSWORD" | sha256sum; cat',
            environment={"A_PASSWORD": secret(PASSWORD)},
            stdin="from\nstdin",
        ),
        command(
            "locked",
            create="echo in",
            connection=server.connection(
                private_key=secret(server.locked_key), private_key_password=secret(KEY_PASSWORD)
            ),
        ),
        command("unverified", create="echo in", connection=server.connection(host_key=None)),
        command(
            "with-update",
            create="echo created; echo warned >&2",
            update='echo "updated after $PULUMI_COMMAND_STDOUT and $PULUMI_COMMAND_STDERR"',
            environment={"A_STAGE": str(stage)},
        ),
        command(
            "forgetful",
            create='echo "stage $A_STAGE after <$PULUMI_COMMAND_STDOUT>"',
            environment={"A_STAGE": str(stage)},
            add_previous_output_in_env=False,
        ),
        command(
            "triggered",
            create=f"echo create $A_STAGE >>{notes}/triggered",
            delete=f"echo delete $A_STAGE >>{notes}/triggered",
            environment={"A_STAGE": str(stage)},
            triggers=[stage],
        ),
        command("log-none", create="echo n-out; echo n-err >&2", logging="none"),
        command("log-stderr", create="echo e-out; echo e-err >&2", logging="stderr"),
    ]


@pytest.fixture(scope="module")
def story(new_project: Callable[[str], Project], server: Server, notes: Path) -> Story:
    """Preview, create, update, look for changes, destroy."""
    project = new_project("remote")
    told = Story(notes)
    told.preview = project.preview(*program(server, notes, 1))
    told.ran_in_preview = any(notes.iterdir())
    told.created = project.run("up", "--yes", "--skip-preview").require()
    told.created_outputs = project.outputs()
    told.created_state = project.export()
    project.declare(*program(server, notes, 2))
    told.updated = project.run("up", "--yes", "--skip-preview").require()
    told.updated_outputs = project.outputs()
    told.no_changes = project.run("preview", "--expect-no-changes")
    told.destroyed = project.run("destroy", "--yes", "--skip-preview").require()
    return told


def test_preview_runs_nothing(story: Story) -> None:
    assert not story.ran_in_preview
    assert story.preview["plain"].outputs.get("stdout", UNKNOWN) == UNKNOWN


def test_the_command_runs_behind_ssh(story: Story) -> None:
    assert story.created_outputs["plain"]["stdout"] == "out"
    assert story.created_outputs["plain"]["stderr"].startswith("err\nvia 127.0.0.1 ")
    assert story.lines("plain") == ["run"]


def test_environment_and_stdin(story: Story) -> None:
    digest = hashlib.sha256(PASSWORD.encode()).hexdigest()
    assert story.created_outputs["secretive"]["stdout"] == f"{digest}  -\nfrom\nstdin"


def test_a_key_with_a_password(story: Story) -> None:
    assert story.created_outputs["locked"]["stdout"] == "in"


def test_without_a_host_key_any_is_accepted(story: Story) -> None:
    assert story.created_outputs["unverified"]["stdout"] == "in"


def test_secrets_are_in_neither_state_nor_output(story: Story, server: Server) -> None:
    key_line = server.key.splitlines()[2]
    for text in (story.created_state, story.created.output, story.updated.output, story.destroyed.output):
        assert PASSWORD not in text
        assert KEY_PASSWORD not in text
        assert key_line not in text


def test_logging_chooses_the_streams(story: Story) -> None:
    shown = {word for word in ("n-out", "n-err", "e-out", "e-err") if f" {word}\n" in story.created.output}
    assert shown == {"e-err"}


def test_update_with_previous_output(story: Story) -> None:
    assert story.updated_outputs["with-update"]["stdout"] == "updated after created and warned"
    assert story.updated_outputs["forgetful"]["stdout"] == "stage 2 after <>"


def test_triggers_and_delete(story: Story) -> None:
    assert story.lines("triggered") == ["create 1", "create 2", "delete 1", "delete 2"]


def test_a_second_up_finds_no_changes(story: Story) -> None:
    assert story.no_changes.status == 0, story.no_changes.output


@pytest.fixture(scope="module")
def failures(new_project: Callable[[str], Project], server: Server, notes: Path) -> str:
    """What a deployment prints whose resources all have to fail."""
    project = new_project("remote-failing")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        cases: dict[str, dict[str, Any]] = {
            "another-key": {"connection": server.connection(host_key=server.other_host_key)},
            "nobody": {"connection": server.connection(port=unused.getsockname()[1])},
            "variable": {"connection": server.connection(), "environment": {"B_WORD": "x"}},
            "status": {"connection": server.connection(), "create": "echo out; echo last words >&2; exit 3"},
        }
        project.declare(
            *(
                Resource(name, {"create": f"touch {notes}/never"} | args, type="remote.Command")
                for name, args in cases.items()
            )
        )
        result = project.run("up", "--yes", "--skip-preview", "--continue-on-error")
    assert result.status != 0
    assert not set(cases) & set(project.outputs())
    return result.output


def test_another_host_key_is_refused(failures: str, notes: Path) -> None:
    assert "host key" in failures
    assert not (notes / "never").exists()


def test_nobody_listens(failures: str) -> None:
    assert "connection refused" in failures


def test_a_variable_that_the_server_refuses_is_named(failures: str) -> None:
    assert "B_WORD" in failures
    assert "AcceptEnv" in failures


def test_failure_has_status_and_last_lines(failures: str) -> None:
    assert "status 3" in failures
    assert "last words" in failures


@pytest.mark.usefixtures("own_command")
def test_cancel_ends_the_remote_command(new_project: Callable[[str], Project], server: Server, notes: Path) -> None:
    pids = notes / "cancelled"
    args = {"connection": server.connection(), "create": f"sleep 300 & echo $! >{pids}; echo $$ >>{pids}; wait"}
    running = new_project("remote-cancel").start_up(Resource("slow", args, type="remote.Command"))
    family = read_pids(pids, 2)
    running.send_signal(signal.SIGINT)
    assert_ended(family, 10)
    running.communicate(timeout=30)
    assert running.returncode != 0


@pytest.mark.usefixtures("own_command")
def test_a_killed_engine_takes_the_remote_command_with_it(
    new_project: Callable[[str], Project], server: Server, notes: Path
) -> None:
    pids = notes / "orphaned"
    args = {"connection": server.connection(), "create": f"sleep 300 & echo $! >{pids}; echo $$ >>{pids}; wait"}
    running = new_project("remote-killed").start_up(Resource("slow", args, type="remote.Command"))
    family = read_pids(pids, 2)
    running.kill()
    running.communicate(timeout=30)
    assert_ended(family, 10)
