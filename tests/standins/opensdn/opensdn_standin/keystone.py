"""Keystone, as the config API and the analytics API ask it whether a token is good."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from typing import Any

from opensdn_standin.settings import Settings


class Keystone:
    """Keystone, asked with the credentials in the section KEYSTONE."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._token, self._until = "", 0.0
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if authority := settings.get("KEYSTONE.cafile"):
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority)))
        self._opener = urllib.request.build_opener(*handlers)
        self._url = settings.get("KEYSTONE.auth_url") + "/auth/tokens"

    def roles(self, token: str) -> list[str] | None:
        """Return the roles that a token gives; None where it is no good."""
        headers = {"X-Auth-Token": self._own(), "X-Subject-Token": token}
        try:
            with self._opener.open(urllib.request.Request(self._url, headers=headers), timeout=20) as answer:
                found: dict[str, Any] = json.load(answer)["token"]
        except urllib.error.HTTPError as error:
            if error.code in (401, 404):
                return None
            raise
        return [role["name"] for role in found.get("roles", [])]

    def project_name(self, identifier: str) -> str:
        """Return a project's name, by which OpenSDN has its objects."""
        url = f"{self._settings.get('KEYSTONE.auth_url')}/projects/{identifier}"
        request = urllib.request.Request(url, headers={"X-Auth-Token": self._own()})
        with self._opener.open(request, timeout=20) as answer:
            return str(json.load(answer)["project"]["name"])

    def _own(self) -> str:
        if time.monotonic() > self._until:
            section = {name: self._settings.get(f"KEYSTONE.{name}") for name in ("admin_user", "admin_password")}
            user = {
                "name": section["admin_user"],
                "password": section["admin_password"],
                "domain": {"name": self._settings.get("KEYSTONE.user_domain_name")},
            }
            project = {
                "name": self._settings.get("KEYSTONE.admin_tenant_name"),
                "domain": {"name": self._settings.get("KEYSTONE.project_domain_name")},
            }
            identity = {"methods": ["password"], "password": {"user": user}}
            body = json.dumps({"auth": {"identity": identity, "scope": {"project": project}}}).encode()
            request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
            with self._opener.open(request, timeout=20) as answer:
                self._token, self._until = answer.headers["X-Subject-Token"], time.monotonic() + 300
        return self._token
