"""The core plugin: what Neutron's API is asked, it hands on to the config API."""

from __future__ import annotations

import logging
from typing import Any, NoReturn

import requests
from neutron import neutron_plugin_base_v2
from neutron_lib import exceptions
from neutron_lib.constants import ATTR_NOT_SPECIFIED
from oslo_config import cfg
from oslo_serialization import jsonutils

from neutron_plugin_contrail import NOTICE
from neutron_plugin_contrail.common.utils import Backend
from neutron_plugin_contrail.plugins.opencontrail import neutron_middleware

Resource = dict[str, Any]
Filters = dict[str, list[Any]] | None
Fields = list[str] | None


class NeutronPluginContrailCoreV2(neutron_plugin_base_v2.NeutronPluginBaseV2):  # type: ignore[misc]
    """Networks, subnets and ports. The real one knows of routers, floating addresses and security groups as well."""

    supported_extension_aliases = [  # noqa: RUF012
        *("standard-attr-description", "port-security", "binding", "quotas", "external-net", "provider"),
        *("net-mtu", "net-mtu-writable"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._backend = Backend()
        further = cfg.CONF.APISERVER.contrail_extensions
        if any(of not in (None, "", "None") for of in further.values()):
            raise exceptions.ServiceUnavailable()
        self.supported_extension_aliases = [*self.supported_extension_aliases, *further]
        logging.getLogger(__name__).warning(NOTICE)

    def _ask(self, operation: str, kind: str, context: Any, **data: Any) -> Any:
        asked = {
            "user_id": context.user_id,
            "is_admin": context.is_admin,
            "operation": operation,
            "type": kind,
            "tenant_id": context.tenant_id,
            "request_id": context.request_id,
            "roles": context.roles,
        }
        body = jsonutils.to_primitive({"context": asked, "data": {"filters": None, "fields": None, **data}})
        answer = self._backend.ask("POST", f"/neutron/{kind}", body, neutron_middleware.token())
        try:
            told = answer.json()
        except ValueError:
            told = {"exception": "BadRequest", "msg": answer.text}
        if answer.status_code != requests.codes.ok:
            _refuse(kind, told)
        return told

    def _create(self, kind: str, context: Any, given: Resource) -> Resource:
        wanted = {key: value for key, value in given[kind].items() if value is not ATTR_NOT_SPECIFIED}
        return _told(self._ask("CREATE", kind, context, resource=wanted), None)

    def _update(self, kind: str, context: Any, identifier: str, given: Resource) -> Resource:
        return _told(self._ask("UPDATE", kind, context, id=identifier, resource=given[kind]), None)

    def _get(self, kind: str, context: Any, identifier: str, fields: Fields) -> Resource:
        return _told(self._ask("READ", kind, context, id=identifier, fields=fields), fields)

    def _all(self, kind: str, context: Any, filters: Filters, fields: Fields) -> list[Resource]:
        found = self._ask("READALL", kind, context, filters=_of_tenant(filters), fields=fields)
        return [_told(each, fields) for each in found]

    def _count(self, kind: str, context: Any, filters: Filters) -> int:
        return int(self._ask("READCOUNT", kind, context, filters=_of_tenant(filters))["count"])

    def _delete(self, kind: str, context: Any, identifier: str) -> None:
        self._ask("DELETE", kind, context, id=identifier)

    def create_network(self, context: Any, network: Resource) -> Resource:
        """Make a network."""
        return self._create("network", context, network)

    def update_network(self, context: Any, network_id: str, network: Resource) -> Resource:
        """Change a network."""
        return self._update("network", context, network_id, network)

    def get_network(self, context: Any, network_id: str, fields: Fields = None) -> Resource:
        """Return a network."""
        return self._get("network", context, network_id, fields)

    def get_networks(self, context: Any, filters: Filters = None, fields: Fields = None) -> list[Resource]:
        """Return networks."""
        return self._all("network", context, filters, fields)

    def get_networks_count(self, context: Any, filters: Filters = None) -> int:
        """Count networks."""
        return self._count("network", context, filters)

    def delete_network(self, context: Any, network_id: str) -> None:
        """Remove a network."""
        self._delete("network", context, network_id)

    def create_subnet(self, context: Any, subnet: Resource) -> Resource:
        """Make a subnet."""
        if subnet["subnet"]["gateway_ip"] is None:
            subnet["subnet"]["gateway_ip"] = "::" if subnet["subnet"]["ip_version"] == 6 else "0.0.0.0"
        return self._create("subnet", context, subnet)

    def update_subnet(self, context: Any, subnet_id: str, subnet: Resource) -> Resource:
        """Change a subnet."""
        return self._update("subnet", context, subnet_id, subnet)

    def get_subnet(self, context: Any, subnet_id: str, fields: Fields = None) -> Resource:
        """Return a subnet."""
        return self._get("subnet", context, subnet_id, fields)

    def get_subnets(self, context: Any, filters: Filters = None, fields: Fields = None) -> list[Resource]:
        """Return subnets."""
        return self._all("subnet", context, filters, fields)

    def get_subnets_count(self, context: Any, filters: Filters = None) -> int:
        """Count subnets."""
        return self._count("subnet", context, filters)

    def delete_subnet(self, context: Any, subnet_id: str) -> None:
        """Remove a subnet."""
        self._delete("subnet", context, subnet_id)

    def get_subnetpools(self, context: Any, filters: Filters = None, fields: Fields = None) -> list[Resource]:
        """Return none, as OpenSDN has none."""
        return []

    def get_subnetpool(self, context: Any, subnet_id: str, fields: Fields = None) -> NoReturn:
        """Find none, as OpenSDN has none."""
        raise exceptions.SubnetPoolNotFound(id=subnet_id)

    def create_port(self, context: Any, port: Resource) -> Resource:
        """Make a port."""
        return self._create("port", context, port)

    def update_port(self, context: Any, port_id: str, port: Resource) -> Resource:
        """Change a port."""
        return self._update("port", context, port_id, port)

    def get_port(self, context: Any, port_id: str, fields: Fields = None) -> Resource:
        """Return a port."""
        return self._get("port", context, port_id, fields)

    def get_ports(self, context: Any, filters: Filters = None, fields: Fields = None) -> list[Resource]:
        """Return ports."""
        return self._all("port", context, filters, fields)

    def get_ports_count(self, context: Any, filters: Filters = None) -> int:
        """Count ports."""
        return self._count("port", context, filters)

    def delete_port(self, context: Any, port_id: str) -> None:
        """Remove a port."""
        self._delete("port", context, port_id)


def _of_tenant(filters: Filters) -> Filters:
    if filters and "project_id" in filters:
        filters = {**filters, "tenant_id": filters.get("tenant_id", filters["project_id"])}
        del filters["project_id"]
    return filters


def _told(found: Resource, fields: Fields) -> Resource:
    found.setdefault("project_id", found.get("tenant_id"))
    return {key: value for key, value in found.items() if key in fields} if fields else found


def _refuse(kind: str, told: Resource) -> NoReturn:
    """Raise what Neutron has for an error that the config API names."""
    found = getattr(exceptions, told.get("exception", ""), None)
    if found is exceptions.BadRequest:
        told.setdefault("resource", kind)
    raise (found or exceptions.NeutronException)(**told)
