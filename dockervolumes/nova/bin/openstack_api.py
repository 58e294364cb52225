"""OpenStack's APIs as seen by a service's own user: nothing but the standard library, so that it loads at once."""

import configparser
import json
import os
import ssl
import time
import urllib.error
import urllib.request
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


class Cloud:
    """The services of the catalogue, asked with the credentials in a service's configuration file.

    What fails in a service for a moment is asked again for so many seconds, if any: who only looks will look again.
    """

    def __init__(self, file: str = NOVA, patience: float = 0) -> None:
        self._patience = patience
        own = settings("keystone_authtoken", file)
        user = {
            "name": own["username"],
            "domain": {"name": own["user_domain_name"]},
            "password": own["password"],
        }
        project = {"name": own["project_name"], "domain": {"name": own["project_domain_name"]}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": {"project": project}}}
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if "cafile" in own:
            context = ssl.create_default_context(cafile=own["cafile"])
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)
        # With or without its version, which openstacksdk finds by itself.
        keystone = own["auth_url"].rstrip("/").removesuffix("/v3")
        request = self._request("POST", f"{keystone}/v3/auth/tokens", body, {})
        with self._open(request) as answer:
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
        with self._open(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def remove(self, service: str, path: str, version: str = "") -> None:
        """Deletes a thing that may be gone already."""
        try:
            self.ask("DELETE", service, path, version=version)
        except Refused as refused:
            if refused.status != NOT_FOUND:
                raise

    def _open(self, request: urllib.request.Request) -> Any:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return self._opener.open(request, timeout=TIMEOUT_SECONDS)
            except urllib.error.HTTPError as error:
                if error.code < FAILED or time.monotonic() > deadline:
                    raise Refused(error.code, error.read().decode(errors="replace").strip()) from None
            time.sleep(PAUSE_SECONDS)

    @staticmethod
    def _request(method: str, url: str, body: object, headers: dict[str, str]) -> urllib.request.Request:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        return urllib.request.Request(url, data, headers, method=method)


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
