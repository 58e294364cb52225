"""How a person gets in: the openrc file, and the VIP's name on the host that Pulumi runs on."""

from __future__ import annotations

import shlex

import pulumi

from components.container_host import ContainerHost
from components.secrets import LabSecrets
from components.services.view import LabView

ADMIN_SECRET = "keystone_admin"


class Access:
    """The openrc file (0600) in the stack's directory, and a line in the host's /etc/hosts."""

    def __init__(self, host: ContainerHost, view: LabView, secrets: LabSecrets, opts: pulumi.ResourceOptions) -> None:
        """Declare the files.

        Args:
            host: the host that Pulumi runs on.
            view: the lab.
            secrets: the lab's secrets.
            opts: options of the resource.
        """
        self.openrc = f"{host.directory}/openrc"
        self.resource = host.verb(
            "access",
            "access-publish",
            {
                "stack": host.stack,
                "openrc": self.openrc,
                "text": secrets.value(ADMIN_SECRET).apply(lambda password: openrc(view, password)),
                "address": str(view.environment.vip),
                "name": view.vip_name,
            },
            delete="access-withdraw",
            opts=opts,
        )


def openrc(view: LabView, password: str) -> str:
    """Return the text of the openrc file, one export a line, as ``openstack`` and Puppet's providers read it."""
    values = {
        "OS_AUTH_URL": f"http://{view.vip_name}:5000/v3",
        "OS_IDENTITY_API_VERSION": "3",
        "OS_USERNAME": "admin",
        "OS_PASSWORD": password,
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": view.environment.region,
    }
    return "".join(f"export {key}={shlex.quote(value)}\n" for key, value in values.items())
