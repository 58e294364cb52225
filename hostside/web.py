"""Requests to the lab, which is on this host: no proxy for the way out has a part in them."""

from __future__ import annotations

import urllib.request


def opener(authority: str = "") -> urllib.request.OpenerDirector:
    """Return what asks the lab by http, and by https where the lab has TLS.

    Args:
        authority: file with the authority that the lab's certificates are checked against; empty for that of the
            system.
    """
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if authority:
        # Imported here: each command is a start of the tool, and few speak TLS.
        import ssl

        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority)))
    return urllib.request.build_opener(*handlers)
