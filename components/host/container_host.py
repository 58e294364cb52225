"""A container host: a Docker engine, and the way to carry out operations beside it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import shlex
import subprocess
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import pulumi
import pulumi_command as command
import pulumi_docker as docker

from components import accounts, paths, ssh
from components.configuration import environment, names
from hostside import drift, process
from hostside.cli import DRIFT
from hostside.operations.base import Operation

O = TypeVar("O", bound=Operation)  # noqa: E741

COMMAND_VERSION = "1.2.1"
DOCKER_VERSION = "5.1.0"
DIAL_ATTEMPTS, DIAL_SECONDS = 5, 10
"""How often a command tries to reach its host, and how long each time. A busy sshd turns some away: MaxStartups."""
PYTHON = "/usr/bin/python3 -SE"
"""The host's own Python, without site packages: the tool needs none, and starts twice as fast."""

_INSTALL = (
    "import base64,json,os,pathlib,sys,zlib;r=pathlib.Path(sys.argv[1]);os.umask(0o077);"
    "[((r/p).parent.mkdir(parents=True,exist_ok=True),(r/p).write_text(t),(r/p).chmod(0o700))"
    " for p,t in json.loads(zlib.decompress(base64.b64decode(sys.stdin.read()))).items()]"
)


class ContainerHost(pulumi.ComponentResource):
    """One host of the lab: its Docker provider and our tool in the stack's directory there.

    Everything else on the host depends on the tool, so it is the first to come and the last to go; its removal takes
    the stack's whole directory with it.
    """

    def __init__(
        self,
        host: environment.ConfiguredHost,
        stack: str,
        found: drift.Found,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Set the host up for a stack.

        Args:
            host: the host as configured; without ``ssh`` it is the one that Pulumi runs on.
            stack: the stack's name.
            found: what a look at the host finds changed.
            opts: options of the component.
        """
        super().__init__("dockstack:index:ContainerHost", host.name, None, opts)
        self.host = host
        self.stack = stack
        self.directory = paths.stack_directory(stack, PurePosixPath(host.home))
        self._connection = _connection(host.ssh) if host.ssh else None
        self.provider = docker.Provider(
            f"{host.name}{names.PROVIDER}",
            host=f"ssh://{host.ssh.user}@{host.ssh.host}:{host.ssh.port}" if host.ssh else f"unix://{process.SOCKET}",
            ssh_opts=ssh.options(host.ssh) if host.ssh else None,
            # A host that is down is no fault while nothing changes there.
            disable_docker_daemon_check=True if host.ssh else None,
            opts=pulumi.ResourceOptions(parent=self, version=DOCKER_VERSION),
        )
        tool = _tool()
        self._found = found
        self._told: set[str] = set()
        self._again = 0 if host.ssh else accounts.again(stack)
        self.tool_digest = hashlib.sha256(tool.encode()).hexdigest()[:12]
        self.tool = self._command(
            f"{host.name}-tool",
            create=installation(self.directory),
            # Also removes what an interrupted run has made and not recorded.
            delete=removal(self.directory, stack),
            stdin=packed(tool),
            environment={accounts.AGAIN: str(self._again)} if self._again else None,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"directory": str(self.directory)})

    def has(self, path: str) -> bool:
        """Say whether the host has a file or a device; one behind ssh was asked by the check of the configuration."""
        return path not in self.host.absent if self.host.ssh else Path(path).exists()

    def declare(
        self,
        name: str,
        kind: type[O],
        operation: pulumi.Input[O],
        *,
        subject: str = "",
        show: bool = False,
        opts: pulumi.ResourceOptions,
    ) -> command.local.Command | command.remote.Command:
        """Declare a command resource that carries out an operation on this host.

        Args:
            name: name of the resource.
            kind: which operation (see :mod:`hostside.operations`). It is repeatable: a change of its inputs runs it
                again, as an update in place, and so does drift (see :mod:`hostside.drift`). The removal of the resource
                undoes it, if it can be undone.
            operation: the operation with its inputs, which go through standard input.
            subject: what it is about, for the reader of a preview or of ``ps``.
            show: whether its output is shown while it runs.
            opts: options of the resource.
        """
        dependencies = [self.tool, *_as_list(opts.depends_on)]
        stdin = pulumi.Output.from_input(operation).apply(lambda made: made.dumped())
        found = self._found.get((kind.NAME, subject))
        # A lost run can only have undone what has an undo.
        least = self._again if kind.UNDO else 0
        if found:
            finding = self._finding(found)
            stdin = pulumi.Output.all(stdin, finding).apply(lambda both: _numbered(both[0], max(both[1].count, least)))
        elif least:
            stdin = stdin.apply(lambda text: _numbered(text, least))
        return self._command(
            name,
            create=self._line(kind.NAME, subject),
            delete=self._line(kind.UNDO, subject) if kind.UNDO else None,
            stdin=stdin,
            logging=command.local.Logging.STDERR if show else command.local.Logging.NONE,
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=dependencies)),
        )

    def losses(self, kind: type[Operation], subjects: Sequence[str]) -> pulumi.Output[int]:
        """Return how often the effects of some operations were found gone on this host, in all."""
        found = [self._finding(each) for each in (self._found.get((kind.NAME, s)) for s in subjects) if each]
        return pulumi.Output.all(*found).apply(lambda all_: sum(finding.count for finding in all_))

    def line(self, *words: str) -> str:
        """Return, for the shell of the machine that Pulumi runs on, what runs a command on this host."""
        if self.host.ssh:
            return shlex.join(ssh.command(self.host.ssh, words))
        return shlex.join(["env", f"DOCKER_HOST=unix://{process.SOCKET}", *words])

    async def _finding(self, found: Future[drift.Finding]) -> drift.Finding:
        """Wait for a finding, and tell a person what is different."""
        finding = await asyncio.wrap_future(found)
        # Several operations may have to be repeated for the same reason.
        if finding.reason and finding.reason not in self._told:
            self._told.add(finding.reason)
            pulumi.log.warn(f"{finding.reason}; `{finding.remedy}` mends it")
        return finding

    def script(
        self,
        name: str,
        *,
        create: str | None,
        delete: str | None,
        triggers: Sequence[pulumi.Input[str]] | None,
        opts: pulumi.ResourceOptions,
    ) -> command.local.Command | command.remote.Command:
        """Declare a command resource that runs a script of the configuration on this host."""
        return self._command(
            name,
            create=create,
            delete=delete,
            triggers=triggers,
            logging=command.local.Logging.STDOUT_AND_STDERR,
            opts=opts,
        )

    def _line(self, operation: str, subject: str) -> str:
        return f"{PYTHON} {self.directory}/tool {operation} {subject}".rstrip()

    def _command(
        self,
        name: str,
        *,
        create: str | None,
        delete: str | None,
        stdin: pulumi.Input[str] | None = None,
        triggers: Sequence[pulumi.Input[str]] | None = None,
        environment: Mapping[str, str] | None = None,
        logging: command.local.Logging = command.local.Logging.NONE,
        opts: pulumi.ResourceOptions,
    ) -> command.local.Command | command.remote.Command:
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(version=COMMAND_VERSION))
        if self._connection is None:
            return command.local.Command(
                name,
                create=create,
                delete=delete,
                stdin=stdin,
                triggers=list(triggers) if triggers else None,
                environment=environment,
                logging=logging,
                opts=opts,
            )
        return command.remote.Command(
            name,
            connection=self._connection,
            create=create,
            delete=delete,
            stdin=stdin,
            triggers=list(triggers) if triggers else None,
            # sshd would have to be told to accept it, and nothing reads it.
            add_previous_output_in_env=False,
            logging=command.remote.Logging(logging.value),
            opts=opts,
        )


def _numbered(inputs: str, count: int) -> str:
    """Return an operation's inputs with the counter that has the engine plan it again, where there is one."""
    if not count:
        return inputs
    return json.dumps({**json.loads(inputs), DRIFT: count}, sort_keys=True)


def installation(directory: PurePosixPath) -> str:
    """Return the command that puts the tool on its standard input into a stack's directory."""
    return f"install -d -m 0700 {directory} && {PYTHON} -c {shlex.quote(_INSTALL)} {directory}/tool"


def removal(directory: PurePosixPath, stack: str) -> str:
    """Return the command that has the tool remove what carries the stack's name, and then removes the directory.

    It is removed by its name first: half a tool, of a removal that was cut off, could not be run again.
    """
    gone = f"{directory}.gone"
    return (
        f"rm -rf {gone} && if [ -e {directory}/tool ]; then"
        f" {PYTHON} {directory}/tool purge {stack} && mv -T {directory} {gone}; fi"
        f" && rm -rf {directory} {gone} && if [ -d {directory.parent} ]; then"
        f" rmdir --ignore-fail-on-non-empty {directory.parent}; fi"
    )


def packed_tool() -> str:
    """Return the tool of this checkout as it is sent."""
    return packed(_tool())


def packed(tool: str) -> str:
    """Return the tool as it is sent: small, since the state holds it twice and is written at every step."""
    return base64.b64encode(zlib.compress(tool.encode(), 9)).decode()


def install_tool(stack: str) -> None:
    """Put the tool of this checkout into a stack's directory on this host, as the stack's first step does."""
    directory = Path(paths.stack_directory(stack))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    subprocess.run([*PYTHON.split(), "-c", _INSTALL, directory / "tool"], input=packed(_tool()), text=True, check=True)


def _tool() -> str:
    """Return the package :mod:`hostside` as a JSON object of path to text."""
    found = sorted(paths.HOSTSIDE.rglob("*.py"))
    files = {f"hostside/{path.relative_to(paths.HOSTSIDE)}": path.read_text() for path in found}
    files["__main__.py"] = files.pop("hostside/run.py")
    files |= {f"hostside/bin/{path.name}": path.read_text() for path in sorted((paths.HOSTSIDE / "bin").iterdir())}
    return json.dumps(files, sort_keys=True)


def _connection(given: environment.Ssh) -> command.remote.ConnectionArgs:
    key = ssh.private_key(given)
    return command.remote.ConnectionArgs(
        host=given.host,
        port=given.port,
        user=given.user,
        private_key=pulumi.Output.secret(key.read_text()) if key else None,
        host_key=given.host_key,
        # A host that is down must not delay the others for minutes.
        dial_error_limit=DIAL_ATTEMPTS,
        per_dial_timeout=DIAL_SECONDS,
    )


def _as_list(depends_on: Any) -> list[Any]:
    if depends_on is None:
        return []
    return list(depends_on) if isinstance(depends_on, (list, tuple)) else [depends_on]
