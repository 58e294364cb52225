"""The plugin's settings, and the config API that they lead to."""

from __future__ import annotations

from typing import Any

import requests
from keystoneauth1 import loading, session
from oslo_config import cfg

UNAUTHORIZED = 401
OPTIONS = [
    cfg.StrOpt("api_server_ip", default="127.0.0.1"),
    cfg.IntOpt("api_server_port", default=8082),
    cfg.StrOpt("api_server_base_url", default="/"),
    cfg.DictOpt("contrail_extensions", default={"contrail": None, "service-interface": None, "vf-binding": None}),
    cfg.BoolOpt("use_ssl", default=False),
    cfg.BoolOpt("insecure", default=False),
    cfg.StrOpt("certfile"),
    cfg.StrOpt("keyfile"),
    cfg.StrOpt("cafile"),
    cfg.StrOpt("auth_token_url"),
    cfg.IntOpt("timeout", default=300),
    cfg.IntOpt("connection_timeout", default=3),
]
"""What the real one knows of the section APISERVER; Neutron passes over what else is there."""


class Backend:
    """The config API, asked with a user's token, or with that of Neutron's own user."""

    def __init__(self) -> None:
        cfg.CONF.register_opts(OPTIONS, "APISERVER")
        own = cfg.CONF.keystone_authtoken
        login = loading.load_auth_from_conf_options(cfg.CONF, "keystone_authtoken")
        self._session = session.Session(auth=login, verify=own.cafile or not own.insecure)
        self._token = ""

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> requests.Response:
        """Return the answer of the first server that gives one."""
        api = cfg.CONF.APISERVER
        scheme = "https" if api.use_ssl else "http"
        seconds = (api.connection_timeout, api.timeout)
        servers = api.api_server_ip.split()
        for server in servers:
            url = f"{scheme}://{server}:{api.api_server_port}{path}"
            headers = {"X-Auth-Token": token or self._token}
            try:
                answer = requests.request(method, url, json=body, headers=headers, timeout=seconds)
                if answer.status_code == UNAUTHORIZED:
                    self._token = headers["X-Auth-Token"] = str(self._session.get_token())
                    answer = requests.request(method, url, json=body, headers=headers, timeout=seconds)
            except requests.ConnectionError:
                if server == servers[-1]:
                    raise
            else:
                return answer
        raise ValueError("APISERVER.api_server_ip is empty")

    def read(self, kind: str, identifier: str) -> dict[str, Any] | None:
        """Return an object of the config API's; None where there is none."""
        answer = self.ask("GET", f"/{kind}/{identifier}")
        if answer.status_code == requests.codes.not_found:
            return None
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()[kind]
        return found
