"""How container hosts are reached by ssh: the same way for the check, for Docker's connections, and for commands.

A host's key is checked always: against the configured one, or against the one that ``known_hosts`` has.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from components import paths
from components.configuration.environment import Ssh

CONTROL = Path(paths.HOME) / "cache/ssh"
"""Directory of the sockets by which connections to a host are one, whoever asks for them."""
KEPT_SECONDS = 15
"""How long a connection is kept that nobody uses."""
_IDENTITIES = ("id_ed25519", "id_ecdsa", "id_rsa")
"""Names of the keys that ssh tries by itself, in its order of preference."""
_KNOWN = (Path(".ssh/known_hosts"), Path("/etc/ssh/ssh_known_hosts"))
_PREFERRED = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa")


def options(ssh: Ssh) -> list[str]:
    """Return the options by which ssh asks for no password, trusts no unknown host, and shares one connection."""
    found = ["BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=10", "StrictHostKeyChecking=yes"]
    found += ["ControlMaster=auto", f"ControlPath={CONTROL}/%C", f"ControlPersist={KEPT_SECONDS}"]
    if ssh.host_key is not None:
        kind, key = ssh.host_key.split()[:2]
        found += [f"KnownHostsCommand=/usr/bin/echo %H {kind} {key}"]
        found += ["UserKnownHostsFile=/dev/null", "GlobalKnownHostsFile=/dev/null"]
    if ssh.private_key is not None:
        found += ["IdentitiesOnly=yes", f"IdentityFile={ssh.private_key}"]
    return [word for option in found for word in ("-o", option)]


def command(ssh: Ssh, words: Sequence[str], *, alone: bool = False) -> list[str]:
    """Return the command that has a host's shell run some words.

    Args:
        ssh: how the host is reached.
        words: what its shell is given.
        alone: whether to have a connection for this alone, which doesn't end with, or wait for, what others do.
    """
    CONTROL.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Of an option that is given twice, ssh takes the first.
    own = ["-o", "ControlPath=none"] if alone else []
    return ["ssh", *own, *options(ssh), f"-p{ssh.port}", f"-l{ssh.user}", "--", ssh.host, *words]


def private_key(ssh: Ssh) -> Path | None:
    """Return the file of the key to log in with: the configured one, or the user's own; None leaves it to the agent."""
    own = (Path.home() / ".ssh" / name for name in _IDENTITIES)
    return Path(ssh.private_key) if ssh.private_key else next((path for path in own if path.is_file()), None)


def known_key(ssh: Ssh) -> str | None:
    """Return the public key of a host as ``known_hosts`` has it; None where it has none."""
    name = ssh.host if ssh.port == 22 else f"[{ssh.host}]:{ssh.port}"
    found: dict[str, str] = {}
    for file in _KNOWN:
        path = Path.home() / file
        done = subprocess.run(
            ["ssh-keygen", "-F", name, "-f", path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        for words in (line.split() for line in done.stdout.splitlines() if not line.startswith(("#", "@"))):
            if len(words) > 2:
                found.setdefault(words[1], " ".join(words[1:3]))
    return next((found[kind] for kind in _PREFERRED if kind in found), next(iter(found.values()), None))
