"""Settings, read as the programs read them."""

from __future__ import annotations

import configparser
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

_SANDESH = {
    "SANDESH.sandesh_keyfile", "SANDESH.sandesh_certfile", "SANDESH.sandesh_server_keyfile", "SANDESH.sandesh_ca_cert",
    "SANDESH.sandesh_server_certfile", "SANDESH.sandesh_ssl_enable", "SANDESH.introspect_ssl_enable",
    "SANDESH.introspect_ssl_insecure", "SANDESH.disable_object_logs", "SANDESH.tcp_keepalive_enable",
    "SANDESH.tcp_keepalive_idle_time", "SANDESH.tcp_keepalive_probes", "SANDESH.tcp_keepalive_interval",
    "STATS.stats_collector", "DEFAULT.sandesh_send_rate_limit", "DEFAULT.http_server_ip",
}  # fmt: skip
_COMMON = {
    "DEFAULT.collectors", "DEFAULT.hostip", "DEFAULT.hostname", "DEFAULT.http_server_port", "DEFAULT.log_category",
    "DEFAULT.log_disable", "DEFAULT.log_file", "DEFAULT.log_property_file", "DEFAULT.log_files_count",
    "DEFAULT.log_file_size", "DEFAULT.log_level", "DEFAULT.log_local", "DEFAULT.use_syslog", "DEFAULT.syslog_facility",
    "DEFAULT.test_mode",
}  # fmt: skip
_CONFIGDB = {
    f"CONFIGDB.{name}"
    for name in (
        "config_db_server_list", "config_db_username", "config_db_password", "config_db_use_ssl", "config_db_ca_certs",
        "rabbitmq_server_list", "rabbitmq_user", "rabbitmq_password", "rabbitmq_vhost", "rabbitmq_use_ssl",
        "rabbitmq_ssl_version", "rabbitmq_ssl_keyfile", "rabbitmq_ssl_certfile", "rabbitmq_ssl_ca_certs",
    )
}  # fmt: skip
_XMPP = {"DEFAULT.xmpp_server_cert", "DEFAULT.xmpp_server_key", "DEFAULT.xmpp_ca_cert"}
KNOWN: Mapping[str, frozenset[str]] = {
    "contrail-control": frozenset(
        {
            "DEFAULT.bgp_config_file", "DEFAULT.bgp_port", "DEFAULT.gr_helper_bgp_disable",
            "DEFAULT.gr_helper_xmpp_disable", "DEFAULT.mvpn_ipv4_enable", "DEFAULT.task_track_run_time",
            "DEFAULT.tcp_hold_time", "DEFAULT.optimize_snat", "DEFAULT.xmpp_server_port", "DEFAULT.xmpp_auth_enable",
            "CONFIGDB.config_db_use_etcd", *_COMMON, *_CONFIGDB, *_XMPP, *_SANDESH,
        }
    ),
    "contrail-dns": frozenset(
        {
            "DEFAULT.dns_config_file", "DEFAULT.named_config_file", "DEFAULT.named_config_directory",
            "DEFAULT.named_log_file", "DEFAULT.rndc_config_file", "DEFAULT.rndc_secret", "DEFAULT.named_max_cache_size",
            "DEFAULT.named_max_retransmissions", "DEFAULT.named_retransmission_interval", "DEFAULT.dns_server_port",
            "DEFAULT.xmpp_dns_auth_enable", *_COMMON, *_CONFIGDB, *_XMPP, *_SANDESH,
        }
    ),
    "contrail-query-engine": frozenset(
        {
            "DEFAULT.analytics_data_ttl", "DEFAULT.cassandra_server_list", "DEFAULT.max_slice", "DEFAULT.max_tasks",
            "DEFAULT.start_time", "CASSANDRA.cassandra_user", "CASSANDRA.cassandra_password",
            "CASSANDRA.cassandra_use_ssl", "CASSANDRA.cassandra_ca_certs", "REDIS.port", "REDIS.server_list",
            "REDIS.server", "REDIS.password", "REDIS.redis_ssl_enable", "REDIS.redis_keyfile", "REDIS.redis_certfile",
            "REDIS.redis_ca_cert", "DATABASE.cluster_id", *_COMMON, *_SANDESH,
        }
    ),
}  # fmt: skip
"""What ends a program that finds anything else in its file; the others pass over it."""
NO_COLLECTOR = "127.0.0.1:8086"


class Settings:
    """The settings of a program, by section and key."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def get(self, key: str, default: str = "") -> str:
        """Return a setting, e.g. ``DEFAULT.hostip``."""
        return self._values.get(key, default)

    def need(self, key: str) -> str:
        """Return a setting that the program can't do without."""
        if not (value := self._values.get(key, "")):
            end(f"{key} is missing")
        return value

    def port(self, key: str, default: int) -> int:
        """Return a port."""
        try:
            return int(self._values.get(key, default))
        except ValueError:
            end(f"the argument for option '{key}' is invalid")

    def servers(self, key: str, separator: str | None = None, *, port: int | None = None) -> list[str]:
        """Return a list of ``host:port``, separated by blanks unless otherwise said."""
        found = [each.strip() for each in self.get(key).split(separator) if each.strip()]
        for each in found:
            host, _, number = each.rpartition(":")
            if not (host and number.isdigit()) and port is None:
                end(f"Invalid endpoint : {each!r} in {key}")
        return [each if ":" in each or port is None else f"{each}:{port}" for each in found]

    @property
    def collectors(self) -> list[str]:
        """Return the collectors; the default stands for none."""
        key = "DEFAULT.collectors" if "DEFAULT.collectors" in self._values else "DEFAULTS.collectors"
        found = self.servers(key)
        return [] if found == [NO_COLLECTOR] else found


def compiled(program: str, files: Sequence[str], *, lenient: bool = False) -> Settings:
    """Read files as Boost's program_options does; an unknown key or section ends the program, unless it is lenient.

    https://www.boost.org/doc/libs/1_74_0/doc/html/program_options/overview.html: a # begins a comment anywhere.
    """
    values: dict[str, str] = {}
    # One that can't be read is passed over.
    for file in filter(os.path.exists, files):
        section = ""
        for number, line in enumerate(Path(file).read_text().splitlines(), 1):
            text = line.partition("#")[0].strip()
            if text.startswith("[") and text.endswith("]"):
                section = f"{text[1:-1]}."
            elif "=" in text:
                name, _, value = text.partition("=")
                key = section + name.strip()
                if not lenient and key not in KNOWN[program]:
                    end(f"unrecognised option '{key}' in {file}")
                values[key] = value.strip()
            elif text:
                end(f"{file}:{number}: the options configuration file contains an invalid line '{text}'")
    return Settings(values)


def interpreted(files: Sequence[str]) -> Settings:
    """Read files as Python's programs do: what is unknown is passed over, and a % is taken for a reference."""
    parser = configparser.ConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(files, encoding="utf-8")
    return Settings(
        {f"{section}.{key}": value for section in parser.sections() for key, value in parser.items(section)}
    )


def resolve_own_name() -> None:
    """End where the container's name can't be resolved."""
    try:
        socket.gethostbyname(socket.gethostname())
    except OSError:
        end(f"Error! Cannot resolve host {socket.gethostname()} to a valid IP address")


def end(reason: str) -> NoReturn:
    """End the program."""
    print(reason, file=sys.stderr, flush=True)
    raise SystemExit(1)
