"""The lab's secrets: given in the configuration, or generated once and kept in the state, encrypted."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

import pulumi
import pulumi_command as command

from components.host.container_host import COMMAND_VERSION
from components.rings import ring_of
from components.services.role import SecretNames
from components.services.topology import Topology

MASTER = "enrolment"
"""Name of the secret that the containers' own enrolment secrets are derived from."""
VIP_CERTIFICATE = "vip_certificate"
"""Name of the secret that the authority knows the requests for the VIP's certificate by, in a lab with TLS."""
PREFIX = "secret-"
"""What the name of a generated secret's resource begins with."""
_GENERATE = "head -c 24 /dev/urandom | base64 | tr '+/' 'ab'"
"""192 bits as 32 letters and digits, which need no quoting in a URL or a configuration file."""
_GENERATE_DATED = f"date +%s%N; {_GENERATE}"
"""The same below the moment, in nanoseconds: the keys of a ring are used in the order of their age."""


class LabSecrets:
    """Every secret of a lab, by name."""

    def __init__(self, topology: Topology, opts: pulumi.ResourceOptions) -> None:
        """Declare a resource for each secret that the roles in use name and the configuration doesn't give.

        Args:
            topology: the lab.
            opts: options of the resources.
        """
        given = topology.environment.passwords
        self._values: dict[str, pulumi.Output[str]] = {}
        for name in [MASTER, *([VIP_CERTIFICATE] if topology.tls else []), *secret_names(topology)]:
            if name in given:
                self._values[name] = pulumi.Output.secret(given[name])
                continue
            # A command keeps what it printed: generated at the first `up`, the same ever after.
            generated = command.local.Command(
                f"{PREFIX}{name}",
                create=_GENERATE_DATED if ring_of(name) else _GENERATE,
                logging=command.local.Logging.NONE,
                opts=pulumi.ResourceOptions.merge(
                    opts, pulumi.ResourceOptions(additional_secret_outputs=["stdout"], version=COMMAND_VERSION)
                ),
            )
            self._values[name] = pulumi.Output.secret(generated.stdout)

    def value(self, name: str) -> pulumi.Output[str]:
        """Return a secret."""
        return self._values[name]

    def hiera(self, names: SecretNames) -> pulumi.Output[dict[str, object]]:
        """Return secret Hiera data: the names replaced by the values."""
        return pulumi.Output.secret(
            pulumi.Output.all(
                **{
                    # Pulumi makes a list of an empty `all`.
                    key: pulumi.Output.all(**{k: self.value(v) for k, v in name.items()}).apply(dict)
                    if isinstance(name, Mapping)
                    else self.value(name)
                    for key, name in names.items()
                }
            )
        )

    def enrolment(self, fqdn: str) -> pulumi.Output[str]:
        """Return the secret with which one container, and no other, gets its certificate."""
        return self.value(MASTER).apply(lambda master: enrolment_secret(master, fqdn))

    def fingerprint(self, value: pulumi.Output[str]) -> pulumi.Output[str]:
        """Return a keyed digest of a secret, which may be shown: it tells that the secret changed, and nothing else."""
        both = pulumi.Output.all(self.value(MASTER), value)
        return pulumi.Output.unsecret(both.apply(lambda pair: _keyed(pair[0], f"fingerprint:{pair[1]}")[:16]))


def secret_names(topology: Topology) -> list[str]:
    """Return the names of the secrets that the lab's roles use, each once, in alphabetical order."""
    return sorted({name for role in topology.used_roles for name in role.secret_names(topology.requirements)})


def enrolment_secret(master: str, fqdn: str) -> str:
    """Return one container's own secret, which tells nothing of the others' or of the master."""
    return _keyed(master, f"enrol:{fqdn}")


def _keyed(key: str, text: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
