"""How a person gets in: openrc and clouds.yaml, and the VIP's name on the host that Pulumi runs on."""

from __future__ import annotations

import pulumi

from components import login, quoting
from components.host.container_host import ContainerHost
from components.secrets import LabSecrets
from components.services.topology import Topology
from hostside.access import CLOUDS
from hostside.operations.access_publish import AccessPublish

ADMIN_SECRET = "keystone_admin"
_VERSION = {"identity_api_version": "3"}
_BESIDE_AUTH = ("identity_api_version", "region_name", "cacert")
"""What of a login clouds.yaml has beside the part that Keystone is told."""


class Access:
    """The files openrc and clouds.yaml (0600) in the stack's directory, and a line in the host's /etc/hosts."""

    def __init__(
        self, host: ContainerHost, topology: Topology, secrets: LabSecrets, opts: pulumi.ResourceOptions
    ) -> None:
        """Declare the files.

        Args:
            host: the host that Pulumi runs on.
            topology: the lab.
            secrets: the lab's secrets.
            opts: options of the resource.
        """
        self.openrc = f"{host.directory}/openrc"
        self.clouds = f"{host.directory}/{CLOUDS}"
        login = secrets.value(ADMIN_SECRET).apply(
            lambda password: AccessPublish(
                stack=host.stack,
                openrc=self.openrc,
                text=openrc(topology, password),
                clouds=clouds(topology, password),
                address=str(topology.environment.vip),
                name=topology.vip_name,
            )
        )
        self.resource = host.declare("access", AccessPublish, login, opts=opts)


def administrator(topology: Topology, password: str) -> dict[str, str]:
    """Return the administrator's login in the words of OpenStack's SDK."""
    return {
        "auth_url": topology.identity_api,
        "username": "admin",
        "password": password,
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
        "region_name": topology.environment.region,
        **({"cacert": topology.authority} if topology.tls else {}),
    }


def variables(topology: Topology, password: str) -> dict[str, str]:
    """Return the administrator's login as variables that OpenStack's clients read."""
    return {f"OS_{name.upper()}": value for name, value in (administrator(topology, password) | _VERSION).items()}


def openrc(topology: Topology, password: str) -> str:
    """Return the text of the openrc file: one export a line, and the lab among the exceptions from the proxy."""
    return login.text(variables(topology, password)) + bypass(topology)


def clouds(topology: Topology, password: str) -> str:
    """Return the text of clouds.yaml with one cloud, called like the stack.

    Format: https://docs.openstack.org/openstacksdk/latest/user/config/configuration.html.
    """
    cloud: dict[str, str] = {}
    auth: dict[str, str] = {}
    for name, value in (administrator(topology, password) | _VERSION).items():
        (cloud if name in _BESIDE_AUTH else auth)[name] = value
    return quoting.yaml_document({"clouds": {topology.environment.stack: {"auth": auth, **cloud}}})


def bypass(topology: Topology) -> str:
    """Return shell code that adds the lab's names, VIP and subnets to the exceptions from the proxy, once.

    Programs read either spelling of the variable; a star stands for all only where it is alone.
    """
    lab = topology.environment
    places = [topology.vip_name, f".{lab.domain}", str(lab.vip), str(lab.network)]
    places += [str(lab.provider.network)] if lab.provider else []
    added = ",".join(places)
    return "".join(
        f"case ,${{{name}:=${{{other}:-}}}}, in ,\\*, | *,{added},*) ;; "
        f"*) {name}=${{{name}:+${name},}}{added} ;; esac; export {name}  # the lab is on this host\n"
        for name, other in (("no_proxy", "NO_PROXY"), ("NO_PROXY", "no_proxy"))
    )
