#!/usr/bin/python3
"""The lab's page: who has logged in sees what the keepers tell, as it happens. Nothing here changes anything.

Its settings are a JSON file, whose path is the argument. The page itself is a few files that anybody may have; all that
it shows comes by the paths below /api/, for which one has to have logged in.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import portal_login
from aiohttp import web
from portal_keepers import Keepers, everything
from portal_login import SESSION_SECONDS, Keystone, Verdict

PORT = 8400
PAGE = Path(__file__).parent / "page"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
COOKIE = "portal"
BEAT_SECONDS = 10.0
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Portal:
    """The page's server."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Take the settings: see ``profile::portal``."""
        self._settings = settings
        self._keepers = Keepers(settings["keepers"], settings["token"])
        url = settings["keystone"]
        self._keystone = Keystone(url, settings["authority"]) if url else None
        boxes = settings["lab"]["boxes"]
        self._hosts = {name: box["host"] for box in boxes for name, _ in box["containers"]}

    def application(self) -> web.Application:
        """Return what answers."""
        made = web.Application(client_max_size=16 * 1024)
        made.on_response_prepare.append(_head)
        made.router.add_get("/healthz", _health)
        for path in sorted(PAGE.iterdir()):
            served = _file(path.read_bytes(), TYPES[path.suffix])
            made.router.add_get("/" if path.name == "index.html" else f"/{path.name}", served)
        made.router.add_post("/api/login", self._log_in)
        made.router.add_post("/api/logout", self._log_out)
        made.router.add_get("/api/lab", self._for_users(self._lab))
        made.router.add_get("/api/events", self._for_users(self._events))
        made.router.add_get("/api/logs/{container}", self._for_users(self._logs))
        return made

    def _for_users(self, handler: Handler) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            if self._session(request) is None:
                raise web.HTTPUnauthorized
            return await handler(request)

        return checked

    def _session(self, request: web.Request) -> tuple[str, int] | None:
        return portal_login.session(self._settings["key"], request.cookies.get(COOKIE, ""), time.time())

    async def _log_in(self, request: web.Request) -> web.Response:
        # A page of another origin can't send this type without asking first, and is refused that.
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType
        try:
            given = await request.json()
            user, password = str(given["user"]), str(given["password"])
        except (ValueError, KeyError, TypeError):
            raise web.HTTPBadRequest from None
        verdict = await self._keystone.judge(user, password) if self._keystone else Verdict.SILENT
        if verdict is Verdict.SILENT and portal_login.is_password(password, self._settings["password"]):
            verdict = Verdict.WELCOME
        if verdict is not Verdict.WELCOME:
            reason = Verdict.WRONG.value if verdict is Verdict.SILENT and not self._keystone else verdict.value
            return web.json_response({"reason": reason}, status=403)
        answer = web.Response(status=204)
        text = portal_login.signed(self._settings["key"], user, time.time() + SESSION_SECONDS)
        answer.set_cookie(
            COOKIE, text, max_age=SESSION_SECONDS, httponly=True, samesite="Strict", secure=self._settings["secure"]
        )
        return answer

    async def _log_out(self, _request: web.Request) -> web.Response:
        answer = web.Response(status=204)
        answer.del_cookie(COOKIE)
        return answer

    async def _lab(self, request: web.Request) -> web.Response:
        session = self._session(request)
        return web.json_response({**self._settings["lab"], "user": session[0] if session else ""})

    async def _logs(self, request: web.Request) -> web.Response:
        name = request.match_info["container"]
        if name not in self._hosts:
            raise web.HTTPNotFound
        try:
            return web.json_response(await self._keepers.logs(self._hosts[name], name))
        except OSError as error:
            return web.json_response({"reason": f"the keeper doesn't tell: {error}"}, status=502)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        session = self._session(request)
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        async with self._keepers.look() as told:
            for message in everything(self._keepers.picture):
                await _send(answer, *message)
            while session and time.time() < session[1]:
                try:
                    message_or_end = await asyncio.wait_for(told.get(), BEAT_SECONDS)
                except TimeoutError:
                    await answer.write(b":\n\n")
                    continue
                if message_or_end is None:
                    break
                await _send(answer, *message_or_end)
        return answer


async def _health(_request: web.Request) -> web.Response:
    return web.Response(text="works\n")


def _file(content: bytes, kind: str) -> Handler:
    tag = hashlib.sha256(content).hexdigest()[:16]

    async def served(request: web.Request) -> web.Response:
        headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
        if any(each.value == tag for each in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        answer = web.Response(body=content, content_type=kind, charset="utf-8", headers=headers)
        answer.enable_compression()
        return answer

    return served


async def _head(_request: web.Request, answer: web.StreamResponse) -> None:
    answer.headers.update(HEADERS)
    answer.headers.setdefault("Cache-Control", "no-store")


async def _send(answer: web.StreamResponse, what: str, told: object) -> None:
    await answer.write(f"event: {what}\ndata: {json.dumps(told)}\n\n".encode())


def main(path: str) -> None:
    """Serve until SIGTERM."""
    settings = json.loads(Path(path).read_text())
    # What is asked for stands in haproxy's log.
    web.run_app(
        Portal(settings).application(),
        host=settings["address"],
        port=PORT,
        access_log=None,
        print=None,
        shutdown_timeout=2,
        handler_cancellation=True,
    )


if __name__ == "__main__":
    main(sys.argv[1])
