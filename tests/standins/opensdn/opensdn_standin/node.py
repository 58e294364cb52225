"""What all programs have in common: connections that are kept, ports that are held, and the page that tells of them."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from opensdn_standin import NOTICE
from opensdn_standin.wire import Client

INTERVAL_SECONDS = 1.0


class Connection:
    """A connection that a program expects to have."""

    def __init__(self, kind: str, name: str, server: str, open_it: Callable[[], Client]) -> None:
        self.kind, self.name, self.server = kind, name, server
        self.up, self.why = False, "not connected yet"
        self.client: Client | None = None
        self._open = open_it
        threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self) -> None:
        while True:
            try:
                if self.client is None:
                    self.client = self._open()
                self.client.ping()
                self.up, self.why = True, ""
            except OSError as error:
                if self.up or self.why != str(error):
                    print(f"{self.kind}:{self.name} {self.server}: {error}", flush=True)
                self.up, self.why = False, str(error)
                if self.client is not None:
                    self.client.close()
                self.client = None
            time.sleep(INTERVAL_SECONDS)


class Node:
    """A program with its state."""

    def __init__(self, module: str, introspect: int) -> None:
        self.module = module
        self.connections: list[Connection] = []
        self.lacks: Callable[[], str] = lambda: ""
        """What else than a connection keeps it from working."""
        serve(Introspect, "0.0.0.0", introspect, self)

    def expect(self, kind: str, name: str, server: str, open_it: Callable[[], Client]) -> Connection:
        """Keep a connection."""
        self.connections.append(Connection(kind, name, server, open_it))
        return self.connections[-1]

    def status(self) -> str:
        """Return the page NodeStatus."""
        down = [f"{each.kind}:{each.name}" for each in self.connections if not each.up]
        lacks = [*([f"{', '.join(down)} connection down"] if down else []), *filter(None, [self.lacks()])]
        state = "Non-Functional" if lacks else "Functional"
        infos = "".join(
            f"<ConnectionInfo><type>{each.kind}</type><name>{each.name}</name>"
            f"<server_addrs><list><element>{each.server}</element></list></server_addrs>"
            f"<status>{'Up' if each.up else 'Down'}</status><description>{_plain(each.why)}</description>"
            "</ConnectionInfo>"
            for each in self.connections
        )
        return (
            f"<?xml version='1.0'?><!-- {NOTICE} --><__NodeStatusUVE_list type='slist'><NodeStatusUVE type='sandesh'>"
            f"<data type='struct'><NodeStatus><name type='string'>{socket.gethostname()}</name><process_status><list>"
            f"<ProcessStatus><module_id type='string'>{self.module}</module_id><instance_id>0</instance_id>"
            f'<state type="string" identifier="3">{state}</state><connection_infos><list>{infos}</list>'
            f"</connection_infos><description>{_plain('; '.join(lacks))}</description></ProcessStatus></list>"
            f"</process_status></NodeStatus></data></NodeStatusUVE></__NodeStatusUVE_list>"
        )


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


class Handler(BaseHTTPRequestHandler):
    """An HTTP server that logs nothing of what goes well."""

    node: Node
    server_version = "OpenSDN-stand-in"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def answer(self, status: int, body: str, kind: str) -> None:
        """Send an answer."""
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Introspect(Handler):
    """The pages that a program tells of itself by."""

    def do_GET(self) -> None:
        """Answer NodeStatus and nothing else."""
        asked = urlsplit(self.path)
        if (asked.path, asked.query) == ("/Snh_SandeshUVECacheReq", "x=NodeStatus"):
            self.answer(200, self.node.status(), "text/xml")
        else:
            self.answer(200 if asked.path == "/" else 404, f"<html>{NOTICE}: {self.node.module}</html>", "text/html")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def serve(handler: type[Handler], address: str, port: int, node: Node) -> None:
    """Serve HTTP at a port in the background; raises OSError where it is taken."""
    server = _Server((address, port), type(handler.__name__, (handler,), {"node": node}))
    threading.Thread(target=server.serve_forever, daemon=True).start()


class _Silent(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while self.request.recv(4096):
            pass


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


def listen(address: str, port: int) -> None:
    """Take connections at a port, and say nothing; raises OSError where it is taken."""
    server = _Listener((address, port), _Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def wait_for_ever() -> None:
    """Leave the work to the threads."""
    threading.Event().wait()
