"""RabbitMQ: the message queue of the OpenStack services."""

from __future__ import annotations

from components.configuration.environment import Container
from components.configuration.readers import ERLANG, OSLO_MESSAGING
from components.services.role import Check, Hiera, Membership, Requirements, Role, SecretNames
from components.services.topology import Topology

DATA = "/var/lib/rabbitmq"


def _hiera(topology: Topology, container: Container) -> Hiera:
    return {
        "profile::rabbitmq::address": str(container.address),
        "profile::rabbitmq::node_name": f"rabbit@{container.name}",
        **({"profile::rabbitmq::clustered": True} if len(topology.members(ROLE.name)) > 1 else {}),
    }


def _secrets(requirements: Requirements) -> SecretNames:
    users = ("openstack", *requirements.broker_users)
    return {
        "profile::rabbitmq::erlang_cookie": "rabbitmq_cookie",
        "profile::rabbitmq::user_passwords": {user: f"rabbitmq_{user}" for user in users},
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
    quorum=True,
    keeps="messages",
    # Each queue is kept by three of them, or all.
    most=None,
    unfit={2: "of two brokers, neither works without the other"},
    # Only with this does a broker that has no data, and finds no other, make a cluster.
    birth=("/usr/bin/touch", f"{DATA}/may-begin"),
    data={"data": DATA},
    endpoints={"rabbitmq": "amqp://{address}:5672"},
    checks=(Check(port=5672),),
    memberships=(
        Membership(name="cluster", role="rabbitmq", leave=("/etc/dockstack/bin/forget-broker",), stops=False),
    ),
    packages=("rabbitmq-server",),
    hiera=_hiera,
    secrets=_secrets,
    readers={
        "profile::rabbitmq::erlang_cookie": (ERLANG,),
        "profile::rabbitmq::user_passwords": (OSLO_MESSAGING,),
    },
)
