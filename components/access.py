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
    """Return the text of the openrc file: one export a line, and the lab among what no proxy is asked for."""
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
    return "".join(f"export {key}={shlex.quote(value)}\n" for key, value in values.items()) + bypass(view)


def bypass(view: LabView) -> str:
    """Return shell code that adds the lab's names, VIP and subnets to what no proxy is asked for, once.

    Some programs read the one name of the variable, some the other, and a star is one only where it stands alone.
    """
    lab = view.environment
    places = [view.vip_name, f".{lab.domain}", str(lab.vip), str(lab.network)]
    places += [str(lab.provider.network)] if lab.provider else []
    added = ",".join(places)
    return "".join(
        f"case ,${{{name}:=${{{other}:-}}}}, in ,\\*, | *,{added},*) ;; "
        f"*) {name}=${{{name}:+${name},}}{added} ;; esac; export {name}  # the lab is on this host\n"
        for name, other in (("no_proxy", "NO_PROXY"), ("NO_PROXY", "no_proxy"))
    )
