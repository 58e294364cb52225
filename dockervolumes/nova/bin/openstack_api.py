"""OpenStack's APIs as seen by a service's own user: nothing but the standard library, so that it loads at once."""

import configparser
import json
import urllib.error
import urllib.request
from typing import Any

NOVA = "/etc/nova/nova.conf"
TIMEOUT_SECONDS = 60


def settings(section: str, file: str = NOVA) -> configparser.SectionProxy:
    """Returns a section of a service's configuration file."""
    configuration = configparser.RawConfigParser(strict=False)
    configuration.read(file)
    return configuration[section]


class Refused(Exception):
    """A service's answer that isn't a success."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status


class Cloud:
    """The services of the catalogue, asked with the credentials in a service's configuration file."""

    def __init__(self, file: str = NOVA) -> None:
        own = settings("keystone_authtoken", file)
        user = {
            "name": own["username"],
            "domain": {"name": own["user_domain_name"]},
            "password": own["password"],
        }
        project = {"name": own["project_name"], "domain": {"name": own["project_domain_name"]}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": {"project": project}}}
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        # With or without its version, which openstacksdk finds by itself.
        keystone = own["auth_url"].rstrip("/").removesuffix("/v3")
        request = self._request("POST", f"{keystone}/v3/auth/tokens", body, {})
        with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            self._token = answer.headers["X-Subject-Token"]
            catalog = json.load(answer)["token"]["catalog"]
        self.urls = {
            service["type"]: endpoint["url"].rstrip("/")
            for service in catalog
            for endpoint in service["endpoints"]
            if endpoint["interface"] == "internal" and endpoint["region_id"] == own["region_name"]
        }

    def ask(self, method: str, service: str, path: str, body: object = None, version: str = "") -> Any:
        """Returns a service's answer; raises Refused when it isn't a success."""
        headers = {"X-Auth-Token": self._token}
        if version:
            headers["OpenStack-API-Version"] = f"{service} {version}"
        request = self._request(method, self.urls[service] + path, body, headers)
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise Refused(error.code, error.read().decode(errors="replace").strip()) from None
        return json.loads(text) if text else None

    @staticmethod
    def _request(method: str, url: str, body: object, headers: dict[str, str]) -> urllib.request.Request:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        return urllib.request.Request(url, data, headers, method=method)


def missing(cloud: Cloud, host: str) -> str:
    """Says what a compute lacks to be given guests, or nothing: service, mapping of its host to a cell, and network."""
    services = cloud.ask("GET", "compute", f"/os-services?binary=nova-compute&host={host}", version="2.53")["services"]
    if not services:
        return f"{host} has not registered with Nova"
    if services[0]["state"] != "up":
        return f"Nova takes {host} for {services[0]['state']}"
    # A hypervisor is not listed until its host is mapped.
    hypervisors = cloud.ask("GET", "compute", "/os-hypervisors/detail", version="2.53")["hypervisors"]
    if host not in {each["service"]["host"] for each in hypervisors}:
        return f"{host} is not mapped to a cell"
    return silent_agents(cloud, host, {"neutron-openvswitch-agent"}) if "network" in cloud.urls else ""


def silent_agents(cloud: Cloud, host: str, wanted: set[str]) -> str:
    """Says which of a host's agents Neutron has not heard of, or nothing: it binds no port to a host without them."""
    agents = cloud.ask("GET", "network", f"/v2.0/agents?host={host}")["agents"]
    silent = wanted - {agent["binary"] for agent in agents if agent["alive"]}
    return f"Neutron does not hear of {', '.join(sorted(silent))} on {host}" if silent else ""
