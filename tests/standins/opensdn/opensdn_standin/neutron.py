"""What the config API does for Neutron: networks, subnets and ports, kept as objects that its other calls tell of."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Protocol

KINDS = {"network": "virtual-network", "subnet": "subnet", "port": "virtual-machine-interface"}
"""What each of Neutron's resources is to OpenSDN."""
DOMAIN = "default-domain"
SETTINGS = "neutron"
"""The attribute with what Neutron tells of an object."""
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "network": {
        "admin_state_up": True,
        "shared": False,
        "router:external": False,
        "status": "ACTIVE",
        "mtu": 1500,
        "port_security_enabled": True,
    },
    "subnet": {"enable_dhcp": True, "ip_version": 4, "dns_nameservers": [], "host_routes": [], "shared": False},
    "port": {
        "admin_state_up": True,
        "status": "DOWN",
        "device_id": "",
        "device_owner": "",
        "binding:vif_type": "vrouter",
        "binding:vnic_type": "normal",
        "port_security_enabled": True,
    },
}
Item = dict[str, Any]


class Objects(Protocol):
    """The config API's objects, as far as they are needed here."""

    def all(self, kind: str) -> list[Item]:
        """Return the objects of a type."""

    def named(self, kind: str, name: list[str]) -> Item | None:
        """Return the object of a full name."""

    def add(self, kind: str, given: Mapping[str, Any]) -> Item:
        """Add an object."""

    def change(self, kind: str, identifier: str, given: Mapping[str, Any]) -> Item:
        """Change some attributes of an object."""

    def remove(self, kind: str, identifier: str) -> None:
        """Remove an object that nothing refers to."""


class Refused(Exception):
    """What Neutron is told instead: one of its own errors by name, with what that says."""

    def __init__(self, exception: str, **said: str) -> None:
        super().__init__(json.dumps({"exception": exception, **said}))


class Neutron:
    """Neutron's questions."""

    def __init__(self, objects: Objects, project_name: Callable[[str], str]) -> None:
        self._objects, self._project_name = objects, project_name

    def answer(self, kind: str, asked: Mapping[str, Any]) -> Any:
        """Do what is asked, and return what Neutron is to tell."""
        context, data = asked["context"], asked["data"]
        if kind not in KINDS:
            raise Refused("BadRequest", resource=kind, msg="the stand-in knows of networks, subnets and ports alone")
        match context["operation"]:
            case "CREATE":
                return self._create(kind, context, data["resource"])
            case "READ":
                return self._told(kind, self._one(kind, data["id"]))
            case "UPDATE":
                found = self._one(kind, data["id"])
                changed = {**found[SETTINGS], **data["resource"], "updated_at": now()}
                shown = {"display_name": changed.get("name") or found["fq_name"][-1]}
                return self._told(kind, self._objects.change(KINDS[kind], data["id"], {SETTINGS: changed, **shown}))
            case "DELETE":
                self._delete(kind, data["id"])
                return {}
            case "READALL":
                return list(self._visible(kind, context, data.get("filters")))
            case "READCOUNT":
                return {"count": len(list(self._visible(kind, context, data.get("filters"))))}
        raise Refused("BadRequest", resource=kind, msg=f"no operation {context['operation']}")

    def _all(self, kind: str) -> list[Item]:
        return [each for each in self._objects.all(KINDS[kind]) if SETTINGS in each]

    def _one(self, kind: str, identifier: str) -> Item:
        found = next((each for each in self._all(kind) if each["uuid"] == identifier), None)
        if found is None:
            key = {"network": "net_id", "subnet": "subnet_id", "port": "port_id"}[kind]
            raise Refused(f"{kind.capitalize()}NotFound", **{key: identifier})
        return found

    def _told(self, kind: str, found: Item) -> Item:
        told = {**found[SETTINGS], "id": found["uuid"]}
        if kind == "network":
            told["subnets"] = [each["uuid"] for each in self._of_network("subnet", found["uuid"])]
        return told

    def _of_network(self, kind: str, network: str) -> list[Item]:
        return [each for each in self._all(kind) if each[SETTINGS]["network_id"] == network]

    def _visible(
        self, kind: str, context: Mapping[str, Any], filters: Mapping[str, list[Any]] | None
    ) -> Iterator[Item]:
        for each in self._all(kind):
            told = self._told(kind, each)
            whose = context["is_admin"] or told.get("shared") or told["tenant_id"] == context["tenant_id"]
            if whose and all(told.get(key) in values for key, values in (filters or {}).items()):
                yield told

    def _create(self, kind: str, context: Mapping[str, Any], given: Item) -> Item:
        tenant = given.get("tenant_id") or given.get("project_id") or context["tenant_id"]
        made = {"name": "", "description": "", **DEFAULTS[kind], **given, "tenant_id": tenant}
        made["created_at"] = made["updated_at"] = now()
        made.pop("project_id", None)
        identifier = str(uuid.uuid4())
        if kind == "subnet":
            self._lay_out(made)
        elif kind == "port":
            self._address(made, identifier)
        project = self._project(tenant)
        name = made["name"] or identifier
        # Neutron has several of one name.
        if kind != "network" or self._objects.named(KINDS[kind], [*project, name]):
            name = f"{name}-{identifier}" if made["name"] else identifier
        item = {
            "fq_name": [*project, name],
            "parent_type": "project",
            "display_name": made["name"] or name,
            "uuid": identifier,
            SETTINGS: made,
        }
        return self._told(kind, self._objects.add(KINDS[kind], item))

    def _project(self, tenant: str) -> list[str]:
        """Return the full name of a project, which is an object from its first use on."""
        name = [DOMAIN, self._project_name(tenant)]
        if self._objects.named("project", name) is None:
            self._objects.add("project", {"fq_name": name, "parent_type": "domain", "uuid": str(uuid.UUID(tenant))})
        return name

    def _lay_out(self, subnet: Item) -> None:
        """Give a subnet its gateway and the addresses of its ports, where it isn't told them."""
        self._one("network", subnet["network_id"])
        whole = ip_network(subnet["cidr"])
        for other in self._of_network("subnet", subnet["network_id"]):
            if whole.overlaps(ip_network(other[SETTINGS]["cidr"])):
                raise Refused("BadRequest", resource="subnet", msg=f"{whole} overlaps {other[SETTINGS]['cidr']}")
        subnet.setdefault("gateway_ip", str(whole[1]))
        pool = [{"start": str(whole[2]), "end": str(whole[-2])}]
        subnet["allocation_pools"] = subnet.get("allocation_pools") or pool

    def _address(self, port: Item, identifier: str) -> None:
        """Give a port its Ethernet address and one of each of its subnets, where it isn't told them."""
        network = self._one("network", port["network_id"])["uuid"]
        port.setdefault(
            "mac_address", ":".join(["02", *(identifier[n : n + 2] for n in range(0, 8, 2)), identifier[9:11]])
        )
        taken = {ip["ip_address"] for each in self._of_network("port", network) for ip in each[SETTINGS]["fixed_ips"]}
        subnets = {each["uuid"]: each[SETTINGS] for each in self._of_network("subnet", network)}
        wanted = port.get("fixed_ips")
        if wanted is None:
            wanted = [{"subnet_id": next(iter(subnets))}] if subnets else []
        port["fixed_ips"] = [
            {
                "subnet_id": each["subnet_id"],
                "ip_address": each.get("ip_address") or free(subnets[each["subnet_id"]], taken),
            }
            for each in wanted
        ]

    def _delete(self, kind: str, identifier: str) -> None:
        self._one(kind, identifier)
        if kind == "network":
            if self._of_network("port", identifier):
                raise Refused("NetworkInUse", net_id=identifier)
            for subnet in self._of_network("subnet", identifier):
                self._objects.remove(KINDS["subnet"], subnet["uuid"])
        if kind == "subnet":
            ports = (ip for each in self._all("port") for ip in each[SETTINGS]["fixed_ips"])
            if any(ip["subnet_id"] == identifier for ip in ports):
                raise Refused("SubnetInUse", subnet_id=identifier, reason="ports have addresses of it")
        self._objects.remove(KINDS[kind], identifier)


def free(subnet: Item, taken: set[str]) -> str:
    """Return the lowest address of a subnet that nothing has."""
    whole: IPv4Network | IPv6Network = ip_network(subnet["cidr"])
    taken = {*taken, subnet["gateway_ip"]}
    pools = [(ip_address(pool["start"]), ip_address(pool["end"])) for pool in subnet["allocation_pools"]]
    for address in whole.hosts():
        if str(address) not in taken and any(int(first) <= int(address) <= int(last) for first, last in pools):
            return str(address)
    raise Refused("IpAddressGenerationFailure", net_id=subnet["network_id"])


def now() -> str:
    """Return the time as OpenStack tells it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
