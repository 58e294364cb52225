"""OpenStack's APIs as seen by one of Keystone's users: nothing but the standard library, so that it loads at once.

Programs of several roles have it beside them, by a link to here.
"""

import configparser
import json
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

NOVA = "/etc/nova/nova.conf"
TIMEOUT_SECONDS = 60
PATIENCE_SECONDS = 30
"""How long a change is asked for again while a service fails: it restarts, or its database goes over."""
PAUSE_SECONDS = 1
UNAUTHORIZED = 401
NOT_FOUND = 404
FAILED = 500
"""The first status that says that the fault is the service's own."""
SUPERVISOR = "/run/supervisord.pid"
"""Written when the container starts."""


def settings(section: str, file: str = NOVA) -> dict[str, str]:
    """Returns a section of a service's configuration file, as oslo.config reads it."""
    configuration = configparser.RawConfigParser(strict=False)
    configuration.read(file, encoding="utf-8")
    return {name: unquoted(value) for name, value in configuration[section].items()}


def unquoted(value: str) -> str:
    """Returns what oslo.config makes of a value without references to other settings."""
    if value and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return value.replace(r"\$", "$$").replace("$$", "$")


class Refused(Exception):
    """A service's answer that isn't a success."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status


class Session:
    """Requests with a token of Keystone's, past any proxy that the environment names.

    What fails in a service for a moment is asked again for so many seconds, if any: who only looks will look again.
    """

    def __init__(
        self,
        identity_api: str,
        user: str,
        password: str,
        project: str,
        user_domain: str = "Default",
        project_domain: str = "Default",
        cafile: str | None = None,
        patience: float = 0,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._patience, self._timeout = patience, timeout
        context = ssl.create_default_context(cafile=cafile)
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)
        known = {"name": user, "domain": {"name": user_domain}, "password": password}
        identity = {"methods": ["password"], "password": {"user": known}}
        scope = {"project": {"name": project, "domain": {"name": project_domain}}}
        body = {"auth": {"identity": identity, "scope": scope}}
        with self._open("POST", f"{identity_api}/auth/tokens", body, {}) as answer:
            self._token = answer.headers["X-Subject-Token"]
            self.catalog: list[dict[str, Any]] = json.load(answer)["token"]["catalog"]

    def endpoints(self, interface: str, region: str) -> dict[str, str]:
        """Returns the URLs of the catalogue's services, by their types."""
        return {
            service["type"]: endpoint["url"].rstrip("/")
            for service in self.catalog
            for endpoint in service["endpoints"]
            if endpoint["interface"] == interface and endpoint["region_id"] == region
        }

    def send(self, method: str, url: str, body: object = None, headers: Mapping[str, str] | None = None) -> Any:
        """Returns the answer, read from JSON; raises Refused when it isn't a success."""
        with self._open(method, url, body, {"X-Auth-Token": self._token, **(headers or {})}) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def _open(self, method: str, url: str, body: object, headers: Mapping[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        request = urllib.request.Request(url, data, headers, method=method)
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return self._opener.open(request, timeout=self._timeout)
            except urllib.error.HTTPError as error:
                if error.code < FAILED or time.monotonic() > deadline:
                    raise Refused(error.code, error.read().decode(errors="replace").strip()) from None
            time.sleep(PAUSE_SECONDS)


class Cloud:
    """The services of the catalogue, asked with the credentials in a service's configuration file."""

    def __init__(self, file: str = NOVA, patience: float = 0) -> None:
        own = settings("keystone_authtoken", file)
        self._session = Session(
            # With or without its version, which openstacksdk finds by itself.
            own["auth_url"].rstrip("/").removesuffix("/v3") + "/v3",
            own["username"],
            own["password"],
            own["project_name"],
            own["user_domain_name"],
            own["project_domain_name"],
            own.get("cafile"),
            patience,
        )
        self.urls = self._session.endpoints("internal", own["region_name"])

    def ask(self, method: str, service: str, path: str, body: object = None, version: str = "") -> Any:
        """Returns a service's answer; raises Refused when it isn't a success."""
        headers = {"OpenStack-API-Version": f"{service} {version}"} if version else None
        return self._session.send(method, self.urls[service] + path, body, headers)

    def remove(self, service: str, path: str, version: str = "") -> None:
        """Deletes a thing that may be gone already."""
        try:
            self.ask("DELETE", service, path, version=version)
        except Refused as refused:
            if refused.status != NOT_FOUND:
                raise


def container_started() -> datetime:
    """Returns when this container started."""
    return datetime.fromtimestamp(os.path.getmtime(SUPERVISOR), UTC)


def reported(time: str | None, since: datetime | None) -> bool:
    """Says whether a report came after a moment: Nova and Neutron take who has ended for alive, for minutes.

    Any report will do where no moment is given. OpenStack tells times in UTC, without saying so.
    """
    return since is None or (time is not None and datetime.fromisoformat(time).replace(tzinfo=UTC) > since)


def missing(cloud: Cloud, host: str, since: datetime | None = None) -> str:
    """Says what a compute's own programs have still to do before it can be given guests, or nothing."""
    services = cloud.ask("GET", "compute", f"/os-services?binary=nova-compute&host={host}", version="2.53")["services"]
    if not services:
        return f"{host} has not registered with Nova"
    if services[0]["state"] != "up":
        return f"Nova takes {host} for {services[0]['state']}"
    if not reported(services[0]["updated_at"], since):
        return f"Nova has not heard of {host} since it was started"
    return silent_agents(cloud, host, {"neutron-openvswitch-agent"}, since) if "network" in cloud.urls else ""


def mapped(cloud: Cloud, host: str) -> bool:
    """Says whether a compute's host is mapped to a cell: without that, no guest is put there."""
    # A hypervisor is not listed until its host is mapped.
    hypervisors = cloud.ask("GET", "compute", "/os-hypervisors/detail", version="2.53")["hypervisors"]
    return host in {each["service"]["host"] for each in hypervisors}


def silent_agents(cloud: Cloud, host: str, wanted: set[str], since: datetime | None = None) -> str:
    """Says which of a host's agents Neutron has not heard of, or nothing: it binds no port to a host without them."""
    agents = cloud.ask("GET", "network", f"/v2.0/agents?host={host}")["agents"]
    heard = {each["binary"] for each in agents if each["alive"] and reported(each["heartbeat_timestamp"], since)}
    silent = ", ".join(sorted(wanted - heard))
    return f"Neutron does not hear of {silent} on {host}" if silent else ""
