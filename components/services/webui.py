"""OpenSDN's web console, at the VIP. It keeps nothing but sessions, in a Redis of its own."""

from __future__ import annotations

from components.configuration.environment import Container
from components.configuration.readers import OPENSDN
from components.services import cassandra, opensdn
from components.services.role import Check, Frontend, Hiera, Requirements, Role, SecretNames, Stage
from components.services.topology import Topology


def _hiera(topology: Topology, container: Container) -> Hiera:
    return {
        **opensdn.place("profile::webui", topology, container),
        "profile::webui::cassandra_servers": [str(m.address) for m in topology.members(cassandra.ROLE.name)],
        "profile::webui::dns_servers": [str(m.address) for m in topology.members("control")],
    }


def _secrets(_requirements: Requirements) -> SecretNames:
    return {
        "profile::webui::identity_password": f"{opensdn.USER}_identity",
        "profile::webui::redis_password": "webui_redis",
    }


ROLE = Role(
    name="webui",
    aliases=("contrail-webui", "opensdn-webui"),
    memory_mib=350,
    profiles=("config",),
    # Its worker ends, again and again, where an API refuses the connection; haproxy doesn't, whoever is behind it.
    needs={
        "haproxy": Stage.HEALTHY,
        "keystone": Stage.ATTACHED,
        "cassandra": Stage.ATTACHED,
        "config": Stage.ATTACHED,
        "analytics": Stage.ATTACHED,
    },
    wants={"control": Stage.ATTACHED},
    frontends=(Frontend(name="webui", port=opensdn.WEB_PORT, check_path="/", url="/", members_speak_tls=True),),
    checks=(Check(port=opensdn.WEB_PORT, path="/", contains='content="OpenSDN Web Console"', tls=True),),
    packages=("nodejs", "redis-server"),
    hiera=_hiera,
    secrets=_secrets,
    readers=dict.fromkeys(_secrets(Requirements()), (OPENSDN,)),
)
