"""RabbitMQ: the message queue of the OpenStack services."""

from __future__ import annotations

from components.configuration.environment import Container
from components.configuration.readers import ERLANG, OSLO_MESSAGING
from components.services.role import Check, Demands, Hiera, Membership, Role, SecretNames
from components.services.view import LabView


def _hiera(_view: LabView, container: Container) -> Hiera:
    return {
        "profile::rabbitmq::address": str(container.address),
        "profile::rabbitmq::node_name": f"rabbit@{container.name}",
    }


def _secrets(_demands: Demands) -> SecretNames:
    return {
        "profile::rabbitmq::erlang_cookie": "rabbitmq_cookie",
        "profile::rabbitmq::user_passwords": {"openstack": "rabbitmq_openstack"},
    }


def queues(*hosts: str) -> Membership:
    """Return what a container means to RabbitMQ whose programs hear queues there: these go with it.

    Args:
        hosts: names that the programs hear under, besides the container's.
    """
    return Membership(name="queues", role=ROLE.name, leave=("/etc/dockstack/bin/remove-queues", *hosts))


ROLE = Role(
    name="rabbitmq",
    aliases=("rabbit",),
    memory_mib=180,
    data={"data": "/var/lib/rabbitmq"},
    endpoints={"rabbitmq": "amqp://{address}:5672"},
    checks=(Check(port=5672),),
    packages=("rabbitmq-server",),
    hiera=_hiera,
    secrets=_secrets,
    readers={
        "profile::rabbitmq::erlang_cookie": (ERLANG,),
        "profile::rabbitmq::user_passwords": (OSLO_MESSAGING,),
    },
)
