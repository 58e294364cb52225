"""Requests to the lab, which is on this host: they bypass the host's proxy."""

from __future__ import annotations

import urllib.request


def opener(authority: str = "", *, checked: bool = True) -> urllib.request.OpenerDirector:
    """Return an opener for the lab's URLs, http and https.

    Args:
        authority: file with the authority that the lab's certificates are checked against; empty for that of the
            system.
        checked: whether certificates are checked at all: nobody vouches for one that a service has made for itself.
    """
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if authority or not checked:
        # Imported here: each command is a start of the tool, and few speak TLS.
        import ssl

        context = ssl.create_default_context(cafile=authority or None)
        if not checked:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers)
