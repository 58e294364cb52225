"""The filter that keeps a request's token for the plugin, where Keystone's filter takes it away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eventlet import corolocal
from eventlet.greenthread import getcurrent

Application = Callable[[dict[str, Any], Callable[..., Any]], Any]


class UserToken:
    """The filter."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Keep the token, and have the request answered."""
        current = getcurrent()
        current.contrail_vars = corolocal.local()
        current.contrail_vars.token = environ.get("HTTP_X_AUTH_TOKEN")
        return self._application(environ, start_response)


def token_factory(_settings: dict[str, str], **_own: str) -> Callable[[Application], UserToken]:
    """Return what makes the filter, see https://docs.pylonsproject.org/projects/pastedeploy."""
    return UserToken


def token() -> str:
    """Return the token of the request that is answered at this moment; empty where there is none."""
    kept = getattr(getcurrent(), "contrail_vars", None)
    return str(getattr(kept, "token", None) or "")
