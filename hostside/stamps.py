"""When a line of a log was written, by the forms that the lab's programs have for it.

Times without a zone are UTC, as the containers have no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIME = r"(?P<H>\d\d?):(?P<M>\d\d):(?P<S>\d\d)(?:[.,](?P<f>\d{1,9}))?"
_DAY = r"(?P<Y>\d{4})[-/](?P<m>\d\d)[-/](?P<d>\d\d)"
_ZONE = r"(?P<z>Z|[+-]\d\d:?\d\d)?"
_NAMED = rf"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?(?P<b>[A-Z][a-z]{{2}}) +(?P<d>\d\d?) {_TIME}(?: (?P<Y>\d{{4}}))?"
_FORMS = tuple(
    re.compile(form)
    for form in (
        # OpenStack, MariaDB, RabbitMQ, Puppet server, Ceph, Open vSwitch, libvirt, supervisord.
        rf"\[?{_DAY}[T ] ?{_TIME} ?{_ZONE}:?\]?",
        # Keepalived, uWSGI's own words, Apache's errors, syslog.
        rf"\[?{_NAMED}\]?:?",
        # HAProxy's and Apache's requests, which name the client first.
        rf"[^\[]{{0,80}}\[(?P<d>\d\d)/(?P<b>[A-Z][a-z]{{2}})/(?P<Y>\d{{4}}):{_TIME} ?{_ZONE}\]",
        # uWSGI's requests.
        rf"\[pid: [^\[]{{0,200}}\[{_NAMED}\]",
        # Redis.
        rf"\d+:[A-Z] (?P<d>\d\d) (?P<b>[A-Z][a-z]{{2}}) (?P<Y>\d{{4}}) {_TIME}",
        # nfs-ganesha.
        rf"(?P<d>\d\d)/(?P<m>\d\d)/(?P<Y>\d{{4}}) {_TIME}",
    )
)
_AT_THE_BEGINNING = frozenset({*_FORMS[:2], *_FORMS[4:]})


def split(line: str, now: datetime) -> tuple[float | None, str]:
    """Return when a line was written, in seconds since the epoch, and what it says beside that.

    Args:
        line: the line.
        now: what a time without a year is not after.

    Returns:
        None for a line that doesn't say; it belongs to the line before it.
    """
    for form in _FORMS:
        found = form.match(line)
        if found and (time := _time(found.groupdict().get, now)) is not None:
            return time, line[found.end() :].lstrip() if form in _AT_THE_BEGINNING else line
    return None, line


def _time(part: Callable[[str], str | None], now: datetime) -> float | None:
    named = part("b")
    year = part("Y")
    fraction = (part("f") or "0")[:6].ljust(6, "0")
    try:
        month = _MONTHS.index(named) if named else int(part("m") or 0)
        told = datetime(
            int(year or now.year), month, int(part("d") or 0), int(part("H") or 0), int(part("M") or 0),
            int(part("S") or 0), int(fraction), UTC,
        )  # fmt: skip
    except ValueError:
        return None
    if not year and told > now + timedelta(days=1):
        told = told.replace(year=now.year - 1)
    return told.timestamp() - _offset(part("z") or "Z")


def _offset(zone: str) -> float:
    """Return how many seconds a zone is before UTC."""
    if zone == "Z":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)
