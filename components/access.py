"""How a person gets in: openrc and clouds.yaml, and the VIP's name on the host that Pulumi runs on."""

from __future__ import annotations

import pulumi

from components import login, quoting
from components.host.container_host import ContainerHost
from components.secrets import LabSecrets
from components.services.view import LabView
from hostside.access import CLOUDS
from hostside.operations.access_publish import AccessPublish

ADMIN_SECRET = "keystone_admin"
_BESIDE_AUTH = ("identity_api_version", "region_name", "cacert")
"""What of a login clouds.yaml has beside the part that Keystone is told."""


class Access:
    """The files openrc and clouds.yaml (0600) in the stack's directory, and a line in the host's /etc/hosts."""

    def __init__(self, host: ContainerHost, view: LabView, secrets: LabSecrets, opts: pulumi.ResourceOptions) -> None:
        """Declare the files.

        Args:
            host: the host that Pulumi runs on.
            view: the lab.
            secrets: the lab's secrets.
            opts: options of the resource.
        """
        self.openrc = f"{host.directory}/openrc"
        self.clouds = f"{host.directory}/{CLOUDS}"
        login = secrets.value(ADMIN_SECRET).apply(
            lambda password: AccessPublish(
                stack=host.stack,
                openrc=self.openrc,
                text=openrc(view, password),
                clouds=clouds(view, password),
                address=str(view.environment.vip),
                name=view.vip_name,
            )
        )
        self.resource = host.declare("access", AccessPublish, login, opts=opts)


def administrator(view: LabView, password: str) -> dict[str, str]:
    """Return the administrator's login as variables that OpenStack's clients read."""
    return {
        "OS_AUTH_URL": f"{view.identity_url}/v3",
        "OS_IDENTITY_API_VERSION": "3",
        "OS_USERNAME": "admin",
        "OS_PASSWORD": password,
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": view.environment.region,
        **({"OS_CACERT": view.authority} if view.tls else {}),
    }


def openrc(view: LabView, password: str) -> str:
    """Return the text of the openrc file: one export a line, and the lab among what no proxy is asked for."""
    return login.text(administrator(view, password)) + bypass(view)


def clouds(view: LabView, password: str) -> str:
    """Return the text of clouds.yaml with one cloud, called like the stack.

    Format: https://docs.openstack.org/openstacksdk/latest/user/config/configuration.html.
    """
    cloud: dict[str, str] = {}
    auth: dict[str, str] = {}
    for name, value in administrator(view, password).items():
        key = name.removeprefix("OS_").lower()
        (cloud if key in _BESIDE_AUTH else auth)[key] = value
    return quoting.yaml_document({"clouds": {view.environment.stack: {"auth": auth, **cloud}}})


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
