"""Small stacks on a temporary file backend, run with whichever `pulumi` and plugins come first on PATH."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# What a preview shows for a value that is known only after the run.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
STACK = "engine-contract"
PREFIX = "engine-contract-"


@dataclass(frozen=True)
class Resource:
    """One entry of resources.json. `type` is a key of program.TYPES, `args` are the arguments of its constructor."""

    name: str
    args: dict[str, Any]
    type: str = "local.Command"
    secret_outputs: tuple[str, ...] = ()


def secret(value: str) -> dict[str, str]:
    """Mark a value as a Pulumi secret for the program."""
    return {"$secret": value}


@dataclass(frozen=True)
class Result:
    """A finished `pulumi` command: exit status and both streams together."""

    status: int
    output: str

    def require(self) -> "Result":
        """Return the result of a command that has to succeed."""
        assert self.status == 0, self.output
        return self


@dataclass(frozen=True)
class Step:
    """What a preview plans for one resource."""

    op: str
    outputs: dict[str, Any] = field(default_factory=dict)


class Project:
    """A project with one stack in a directory of its own."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        """Make the project and an empty stack in `directory`; `environment` is that of every command."""
        self.directory = directory
        self.environment = environment
        (directory / "state").mkdir(parents=True)
        (directory / "Pulumi.yaml").write_text(
            f"name: {STACK}\nruntime:\n  name: python\nbackend:\n  url: file://{directory}/state\n"
        )
        shutil.copy(Path(__file__).with_name("program.py"), directory / "__main__.py")
        self.declare()
        self.run("stack", "init", STACK).require()

    def declare(self, *resources: Resource) -> None:
        """Make these the program's resources."""
        entries = [
            {"name": r.name, "type": r.type, "args": r.args, "secret_outputs": list(r.secret_outputs)}
            for r in resources
        ]
        (self.directory / "resources.json").write_text(json.dumps(entries))

    def run(self, *arguments: str, **variables: str) -> Result:
        """Run `pulumi` to its end, with these environment variables besides."""
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color=never"],
            cwd=self.directory,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        return Result(done.returncode, done.stdout)

    def up(self, *resources: Resource) -> Result:
        """Deploy these resources."""
        if resources:
            self.declare(*resources)
        return self.run("up", "--yes", "--skip-preview")

    def start_up(self, *resources: Resource) -> "subprocess.Popen[str]":
        """Begin to deploy these resources and return at once. The output can be read from the process."""
        self.declare(*resources)
        return subprocess.Popen(
            ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--color=never"],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def preview(self, *resources: Resource) -> dict[str, Step]:
        """Preview these resources and return the planned step of each that changes, by name."""
        if resources:
            self.declare(*resources)
        done = subprocess.run(
            ["pulumi", "preview", "--json", "--non-interactive"],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        steps: dict[str, Step] = {}
        for step in json.loads(done.stdout)["steps"]:
            name = step["urn"].rsplit("::", 1)[1]
            if step["op"] != "same" and (name not in steps or step["op"] == "replace"):
                steps[name] = Step(step["op"], step.get("newState", {}).get("outputs", {}))
        return steps

    def export(self) -> str:
        """Return the stack's state as it is stored, secrets encrypted."""
        return self.run("stack", "export").require().output

    def outputs(self) -> dict[str, dict[str, Any]]:
        """Return the outputs of every resource in the state by its name, secrets in clear."""
        state = json.loads(self.run("stack", "export", "--show-secrets").require().output)
        found: dict[str, dict[str, Any]] = {}
        for resource in state["deployment"].get("resources", []):
            found[resource["urn"].rsplit("::", 1)[1]] = {
                key: reveal(value) for key, value in resource.get("outputs", {}).items()
            } | {"id": resource.get("id")}
        return found


def reveal(value: Any) -> Any:
    """Return what a secret of a state exported with --show-secrets holds, and any other value as it is."""
    if isinstance(value, dict) and "plaintext" in value:
        return json.loads(value["plaintext"])
    return value


def pulumi_environment(home: Path) -> dict[str, str]:
    """Return the environment of the tests' `pulumi` commands.

    The directory of the running Python comes first on PATH, so that the program finds its packages.
    PULUMI_HOME is `home` where the plugins are on PATH; else it stays as it is, for it holds the installed plugins.
    """
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment["PULUMI_CONFIG_PASSPHRASE"] = "contract"
    environment["PULUMI_SKIP_UPDATE_CHECK"] = "1"
    environment["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "1"
    for name in ("PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_BACKEND_URL", "PULUMI_STACK", "SSH_AUTH_SOCK"):
        environment.pop(name, None)
    if all(plugin_path(name, environment) for name in ("command", "docker")):
        environment["PULUMI_HOME"] = str(home)
    return environment


def plugin_path(name: str, environment: dict[str, str]) -> str | None:
    """Return the plugin's executable on PATH or beside `pulumi`, None where it is an installed plugin."""
    executable = f"pulumi-resource-{name}"
    found = shutil.which(executable, path=environment["PATH"])
    pulumi = shutil.which("pulumi", path=environment["PATH"])
    if found is None and pulumi is not None:
        found = shutil.which(executable, path=str(Path(pulumi).resolve().parent))
    return found


def publisher(name: str, version: str, environment: dict[str, str]) -> str:
    """Return the publisher that the plugin's schema names; ours say Dockstack."""
    source = plugin_path(name, environment) or f"{name}@{version}"
    done = subprocess.run(
        ["pulumi", "package", "get-schema", source],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return str(json.loads(done.stdout).get("publisher", ""))


def alive(pid: int) -> bool:
    """Say whether a process runs. One that has ended and was not yet waited for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until the condition holds, at most so many seconds, and say whether it does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def read_pids(path: Path, count: int) -> list[int]:
    """Wait until a command has written `count` process numbers into a file and return them."""

    def there() -> bool:
        return path.exists() and path.read_text().count("\n") >= count

    assert wait_until(there, 30), f"no process numbers in {path}"
    return [int(line) for line in path.read_text().split()]


def assert_ended(pids: Sequence[int], seconds: float) -> None:
    """Fail where one of the processes runs for longer than so many seconds from now, and end it then."""
    ended = wait_until(lambda: not any(alive(pid) for pid in pids), seconds)
    left = [pid for pid in pids if alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert ended, f"still running after {seconds} s: {left}"
