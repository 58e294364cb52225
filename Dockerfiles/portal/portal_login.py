"""Who may see the page: by Keystone where the lab has one that answers, else by the lab's generated password.

A session is a cookie that says whose it is and until when, under a signature: nothing of it is kept here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import ssl
from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import Any

import aiohttp

SESSION_SECONDS = 8 * 3600
MAY_SEE_A_PROJECT = frozenset({"admin"})
"""Roles on any project that may see the page. It shows the logs of all services, and OpenStack's policies take an
administrator of one project for the cloud's; a project's reader is to see that project's resources and no others."""
MAY_SEE_THE_SYSTEM = frozenset({"admin", "reader"})
"""Roles on the system as a whole that may: a reader there is who looks after the cloud without changing it."""
MOST_PROJECTS = 20
KEYSTONE_SECONDS = 10


class Verdict(Enum):
    """What became of an attempt to log in."""

    WELCOME = "welcome"
    WRONG = "wrong user or password"
    FORBIDDEN = "this user is an administrator of no project, and no reader of the system"
    SILENT = "Keystone doesn't answer"


def signed(key: str, user: str, expires: float) -> str:
    """Return the text of a session's cookie.

    Args:
        key: what it is signed with.
        user: whose it is.
        expires: seconds since the epoch.
    """
    told = base64.urlsafe_b64encode(json.dumps([user, int(expires)]).encode()).decode()
    return f"{told}.{_signature(key, told)}"


def session(key: str, text: str, now: float) -> tuple[str, int] | None:
    """Return user and end of a session by its cookie; None where it is over, or wasn't signed here."""
    told, _, signature = text.partition(".")
    if not hmac.compare_digest(_signature(key, told).encode(), signature.encode(errors="replace")):
        return None
    try:
        user, expires = json.loads(base64.urlsafe_b64decode(told))
    except (ValueError, binascii.Error):
        return None
    return (user, expires) if now < expires else None


def _signature(key: str, told: str) -> str:
    return hmac.new(key.encode(), told.encode(errors="replace"), hashlib.sha256).hexdigest()


def is_password(given: str, wanted: str) -> bool:
    """Say whether a password is the right one, in a time that doesn't tell how much of it is."""
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


class Keystone:
    """The lab's Keystone, as far as it tells who somebody is."""

    def __init__(self, url: str, authority: str | None) -> None:
        """Take its URL with the version, and the file with the authority of its certificate, if it has one."""
        self._url = url
        self._trusted = ssl.create_default_context(cafile=authority) if authority else None

    async def judge(self, user: str, password: str) -> Verdict:
        """Say whether somebody may see the page."""
        timeout = aiohttp.ClientTimeout(total=KEYSTONE_SECONDS)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as client:
                return await self._judge(client, user, password)
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
            return Verdict.SILENT

    async def _judge(self, client: aiohttp.ClientSession, user: str, password: str) -> Verdict:
        named = {"name": user, "password": password, "domain": {"id": "default"}}
        status, token, _ = await self._token(client, {"methods": ["password"], "password": {"user": named}}, "unscoped")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Verdict.SILENT
        if status != HTTPStatus.CREATED:
            return Verdict.WRONG
        known = {"methods": ["token"], "token": {"id": token}}
        if (await self._listed(client, token, "system")) and MAY_SEE_THE_SYSTEM & await self._roles(
            client, known, {"system": {"all": True}}
        ):
            return Verdict.WELCOME
        for project in (await self._listed(client, token, "projects"))[:MOST_PROJECTS]:
            if MAY_SEE_A_PROJECT & await self._roles(client, known, {"project": {"id": project["id"]}}):
                return Verdict.WELCOME
        return Verdict.FORBIDDEN

    async def _roles(self, client: aiohttp.ClientSession, identity: Mapping[str, Any], scope: object) -> set[str]:
        _, _, told = await self._token(client, identity, scope)
        return {role["name"] for role in told.get("token", {}).get("roles", ())}

    async def _token(
        self, client: aiohttp.ClientSession, identity: Mapping[str, Any], scope: object
    ) -> tuple[int, str, dict[str, Any]]:
        body = {"auth": {"identity": identity, "scope": scope}}
        async with client.post(f"{self._url}/auth/tokens", json=body, ssl=self._trusted or True) as answer:
            told = await answer.json() if answer.status == HTTPStatus.CREATED else {}
            return answer.status, answer.headers.get("X-Subject-Token", ""), told

    async def _listed(self, client: aiohttp.ClientSession, token: str, what: str) -> list[Any]:
        headers = {"X-Auth-Token": token}
        async with client.get(f"{self._url}/auth/{what}", headers=headers, ssl=self._trusted or True) as answer:
            return list((await answer.json()).get(what, ())) if answer.status == HTTPStatus.OK else []
