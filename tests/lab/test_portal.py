"""The lab's live page, looked at with a real browser while the lab loses something."""

from __future__ import annotations

import http.cookiejar
import itertools
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from components.login import settings
from hostside import web
from tests.lab import cloud as clouds
from tests.lab.browser import Browser
from tests.lab.conftest import Lab
from tests.lab.harness import ALL_DRILLS, HOME, Make, Stack, config, eventually, inside, inspect, long_drill, run
from tests.lab.hosts import hosts, over_hosts

pytestmark = pytest.mark.lab

NOTICE_SECONDS = 2.0 if ALL_DRILLS else 20.0
"""How soon the page shows what has happened: the promise, and how soon on a machine that does much else."""
RETURN_SECONDS = 120.0
MANY = 100
FRAME_MILLISECONDS = 100.0
"""How long all but one in ten frames may take where nothing but the processor draws."""
RECORD_LEVELS = """
window.seen = [];
const button = document.querySelector(`[data-name="${arguments[0]}"]`);
const note = () => {
    if (window.seen.at(-1)?.[1] !== button.dataset.level) window.seen.push([Date.now() / 1000, button.dataset.level]);
};
note();
new MutationObserver(note).observe(button, {attributes: true});
"""
RECORD_FRAMES = """
window.frames_ms = [];
let last = performance.now();
const step = (now) => {
    window.frames_ms.push(now - last);
    last = now;
    requestAnimationFrame(step);
};
requestAnimationFrame(step);
"""
DRAW = """
const [told, ask] = [arguments[0], window.fetch];
window.fetch = async () => Response.json(told);
return begin().then(() => source.close()).finally(() => { window.fetch = ask; });
"""
"""Has the page draw a lab that it is given in place of its server's."""
MISPLACED = """
const around = (node) => node.boundingBox({includeOverlays: false, includeOutlines: false});
const body = (node) => node.boundingBox({includeOverlays: false, includeOutlines: false, includeLabels: false});
const apart = (one, other) => one.x2 <= other.x1 || other.x2 <= one.x1 || one.y2 <= other.y1 || other.y2 <= one.y1;
const within = (one, other) => one.x1 >= other.x1 && one.x2 <= other.x2 && one.y1 >= other.y1 && one.y2 <= other.y2;
const found = [];
for (const kinds of [["host", "joined", "vip"], ["bridge"], ["box"], ["container"]]) {
    const nodes = cy.nodes().filter((node) => kinds.includes(node.data("kind"))).toArray();
    nodes.forEach((one, place) => {
        for (const other of nodes.slice(place + 1)) {
            if (!apart(around(one), around(other))) found.push(`${one.id()} and ${other.id()} overlap`);
        }
    });
}
for (const node of cy.nodes().filter((each) => each.isChild()).toArray()) {
    if (!within(around(node), body(node.parent()))) found.push(`${node.id()} sticks out of ${node.parent().id()}`);
}
return found;
"""
"""Returns what overlaps in the graph, labels included, and what isn't within the frame that it belongs to."""
TUNNELS = "return cy.nodes('[kind=\"joined\"]').length"


class Client:
    """A person's program that asks the page's server as the page does."""

    def __init__(self, lab: Lab) -> None:
        """Have no session yet."""
        self._url = lab.endpoints["portal"]
        self.cookies = http.cookiejar.CookieJar()
        self._opener = web.opener(lab.authority)
        self._opener.add_handler(urllib.request.HTTPCookieProcessor(self.cookies))

    def ask(self, path: str, given: object = None, kind: str = "application/json") -> tuple[int, Any, Any]:
        """Ask, and return status, headers and body; of a stream, the body is its first line."""
        body = None if given is None else json.dumps(given).encode()
        request = urllib.request.Request(f"{self._url}{path}", body, {"Content-Type": kind} if body else {})
        try:
            with self._opener.open(request, timeout=30) as answer:
                stream = answer.headers.get_content_type() == "text/event-stream"
                return answer.status, answer.headers, (answer.readline() if stream else answer.read()).decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read().decode()

    def log_in(self, user: str, password: str) -> tuple[int, str]:
        """Log in; return status and what was said."""
        status, _, body = self.ask("api/login", {"user": user, "password": password})
        return status, body


@pytest.fixture(scope="module")
def administrator(lab: Lab) -> tuple[str, str]:
    if "portal" not in lab.endpoints:
        pytest.skip("the stack has no portal")
    login = settings(lab.openrc)
    return login["OS_USERNAME"], login["OS_PASSWORD"]


@pytest.fixture(scope="module")
def browser(lab: Lab, administrator: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Open the page, as its user does who has just logged in."""
    lab.await_healthy()
    made = Browser(tmp_path_factory.mktemp("chromium"), lab.authority)
    try:
        made.open(lab.endpoints["portal"])
        log_in(made, *administrator)
        yield made
    finally:
        made.end()


def log_in(browser: Browser, user: str, password: str) -> None:
    browser.type("#user", user)
    browser.type("#password", password)
    browser.click("#login button")
    browser.until("the lab is shown", lambda: "works" in browser.find("#summary").text)


def level(browser: Browser, container: str) -> str:
    return str(browser.find(f'[data-name="{container}"]').get_attribute("data-level"))


def all_work(browser: Browser, lab: Lab) -> bool:
    return browser.find("#summary").text.strip() == f"✔ {len(lab.services)} works"


def test_make_open_tells_where_the_page_is(lab: Lab, administrator: tuple[str, str]) -> None:
    said = run("make", "open", f"STACK={lab.stack}").stdout
    assert said.splitlines()[0] == lab.endpoints["portal"]
    assert administrator[1] not in said


def test_nothing_is_told_to_who_has_not_logged_in(lab: Lab, administrator: tuple[str, str]) -> None:
    client = Client(lab)
    status, headers, _ = client.ask("")
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    name = lab.of_role("portal")
    for path in ("api/lab", "api/events", f"api/logs/{name}"):
        assert client.ask(path)[0] == 401
    assert client.log_in(administrator[0], "wrong")[0] == 403
    # What a form of another site could send.
    given = {"user": administrator[0], "password": administrator[1]}
    assert client.ask("api/login", given, "text/plain")[0] == 415
    assert client.log_in(*administrator)[0] == 204
    (cookie,) = client.cookies
    assert cookie.has_nonstandard_attr("HttpOnly") and cookie.get_nonstandard_attr("SameSite") == "Strict"
    assert cookie.secure is bool(lab.authority)
    assert client.ask("api/events")[0] == 200
    assert "keepalived" in json.loads(client.ask(f"api/logs/{lab.of_role('haproxy')}")[2])
    assert client.ask("api/logs/nobody")[0] == 404
    # It has no way to the engine, and no other container can ask the keeper.
    mounts = {mount["Destination"] for mount in inspect(name)["Mounts"]}
    assert mounts == {"/etc/dockstack"}
    keeper = json.loads(inside(name, "cat", "/etc/portal.json"))["keepers"]
    for url in keeper.values():
        asked = ("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", f"{url}/watch/events")
        assert inside(lab.of_role("dnsmasq"), *asked) == "403"


def test_administrators_and_readers_of_the_system_may_see_it_and_no_others(
    lab: Lab, administrator: tuple[str, str]
) -> None:
    cloud, password = clouds.connect(lab.openrc), uuid.uuid4().hex
    name = f"portal-{password[:8]}"
    user = cloud.identity.create_user(name=name, password=password, domain_id="default")
    try:
        reader = cloud.identity.find_role("reader")
        project = cloud.identity.find_project("admin")
        cloud.identity.assign_project_role_to_user(project, user, reader)
        status, said = Client(lab).log_in(name, password)
        assert (status, "reader of the system" in said) == (403, True)
        cloud.identity.assign_system_role_to_user(user, reader, "all")
        assert Client(lab).log_in(name, password)[0] == 204
    finally:
        cloud.identity.delete_user(user)
    assert Client(lab).log_in(name, password)[0] == 403


def test_a_container_that_is_killed_is_red_at_once_and_green_by_itself(lab: Lab, browser: Browser) -> None:
    victim = lab.of_role("memcached")
    browser.picture("portal")
    browser.until("all works", lambda: all_work(browser, lab), RETURN_SECONDS)
    assert seen_when_killed(browser, victim, lambda: run("docker", "kill", victim)) < NOTICE_SECONDS
    browser.until("all works", lambda: all_work(browser, lab), RETURN_SECONDS)
    kinds = [
        str(row.get_attribute("data-kind"))
        for row in browser.driver.find_elements("css selector", f'#events [data-subject="{victim}"]')
    ]
    assert {"ended", "killed", "started", "port"} <= set(kinds)
    assert kinds.index("started") < kinds.index("killed") < kinds.index("ended")


def test_a_click_tells_all_of_a_container(lab: Lab, browser: Browser) -> None:
    name = lab.of_role("haproxy")
    browser.click(f'[data-name="{name}"]')
    browser.until("its log", lambda: "keepalived" in browser.find("#logs").text)
    text = browser.find("#details").text
    for wanted in (lab.addresses[name], "haproxy RUNNING", "eth0", "health-await", "Log: haproxy", "VIP"):
        assert wanted in text, text
    assert "★" in browser.find(f'[data-name="{name}"]').text
    # All of it can be reached without a mouse.
    browser.find("#details").send_keys(Keys.ESCAPE)
    other = browser.driver.switch_to.active_element
    assert other.get_attribute("data-name") == name
    other.send_keys(Keys.ARROW_DOWN)
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    browser.until("the next one", lambda: name not in browser.find("#details h2").text)
    browser.driver.switch_to.active_element.send_keys(Keys.ESCAPE)


def test_worse_ports_are_shown(lab: Lab, browser: Browser) -> None:
    name = lab.of_role("memcached")
    run("make", "impair", f"CONTAINER={name}", "RATE=100mbit", f"STACK={lab.stack}")
    try:
        browser.until("it is marked", lambda: "≈" in browser.find(f'[data-name="{name}"]').text, 20)
    finally:
        run("make", "impair", f"CONTAINER={name}", "CLEAR=1", f"STACK={lab.stack}")
    browser.until("it isn't any more", lambda: "≈" not in browser.find(f'[data-name="{name}"]').text, 20)


def test_it_fits_narrow_screens_and_dark_ones(browser: Browser) -> None:
    def paper() -> str:
        return str(browser.script("return getComputedStyle(document.body).backgroundColor"))

    bright = paper()
    narrow = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", narrow)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    try:
        browser.until("it is dark", lambda: paper() != bright)
        assert browser.script("return document.documentElement.scrollWidth <= innerWidth")
        browser.picture("portal-narrow-dark")
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert not [each for each in browser.complaints() if "401" not in each]


def spread(told: dict[str, Any], hosts: int, bridges: int, members: int) -> dict[str, Any]:
    """Return a lab as the page is told it, on so many hosts, each with so many bridges, and as many times as large."""
    boxes = [
        {
            **box,
            "host": f"host{place % hosts}",
            "bridge": f"br-{place // hosts % bridges}",
            "containers": [[f"{name}-{n}", address] for name, address in box["containers"] for n in range(members)],
        }
        for place, box in enumerate(told["boxes"])
    ]
    return {**told, "boxes": boxes, "networks": {f"br-{n}": f"10.86.{n}.0/24" for n in range(bridges)}}


def test_nothing_overlaps_however_many_hosts_there_are(lab: Lab, browser: Browser) -> None:
    told = browser.script("return lab.told")
    try:
        for hosts, bridges, members in itertools.product((1, 2, 3, 8), (1, 2), (1, 3)):
            made = spread(told, hosts, bridges, members)
            browser.script(DRAW, made)
            browser.picture(f"portal-{hosts}-hosts")
            assert browser.script(MISPLACED) == [], (hosts, bridges, members)
            halves = {(box["host"], box["bridge"]) for box in made["boxes"]}
            assert browser.script(TUNNELS) == len(halves) - len({bridge for _, bridge in halves})
    finally:
        browser.open(lab.endpoints["portal"])
        browser.until("the lab is shown", lambda: "works" in browser.find("#summary").text)


def test_the_generated_password_opens_it_only_while_keystone_is_silent(
    lab: Lab, administrator: tuple[str, str]
) -> None:
    shown = ("pulumi", "stack", "output", "--stack", lab.stack, "--show-secrets", "portal_password")
    password = run(*shown).stdout.strip()
    client, keystone = Client(lab), lab.of_role("keystone")
    assert client.log_in("anybody", password)[0] == 403
    run("docker", "pause", keystone)
    try:
        eventually("it opens", lambda: client.log_in("anybody", password)[0] == 204)
        status, said = Client(lab).log_in("anybody", "wrong")
        assert (status, "Keystone doesn't answer" in said) == (403, True)
    finally:
        run("docker", "unpause", keystone)
    lab.await_healthy()


def test_its_secrets_are_in_no_log_and_no_command_line(lab: Lab, administrator: tuple[str, str]) -> None:
    name = lab.of_role("portal")
    held = json.loads(inside(name, "cat", "/etc/portal.json"))
    secrets = [held[key] for key in ("token", "password", "key")]
    files = [*(HOME / "stacks" / lab.stack / "logs").glob("*"), HOME / "stacks" / lab.stack / "watchers/portal"]
    text = "".join(path.read_text(errors="replace") for path in files)
    text += inside(name, "sh", "-c", "cat /var/log/supervisor/*.log /proc/[0-9]*/cmdline 2>/dev/null; true")
    text += run("docker", "logs", f"{lab.stack}-keeper").stderr
    assert not [secret for secret in secrets if secret in text]


@long_drill
def test_a_hundred_containers_stay_fluid(stack: Make, tmp_path: Path) -> None:
    number = 150
    roles = {f"t{number}-{role}": {"role": role} for role in ("dnsmasq", "puppet", "haproxy", "portal")}
    roles |= {f"t{number}-p{count}": {"role": "plain"} for count in range(MANY - len(roles))}
    made = stack(f"t{number}", config(number, roles))
    made.up()
    with page_of(made, MANY, tmp_path) as browser:
        browser.picture("portal-hundred")
        assert browser.script(MISPLACED) == []
        browser.script(RECORD_FRAMES)
        drag = ActionChains(browser.driver, duration=20).move_to_element(browser.find("#graph")).click_and_hold()
        for count in range(60):
            drag.move_by_offset(8 if count % 20 < 10 else -8, 3 if count % 10 < 5 else -3)
        drag.release().perform()
        frames = sorted(browser.script("return window.frames_ms"))
        told = {share: frames[int(len(frames) * share / 100)] for share in (50, 90, 99)}
        print(f"{MANY} containers, {len(frames)} frames: " + ", ".join(f"{s} % {ms:.0f} ms" for s, ms in told.items()))
        assert told[90] < FRAME_MILLISECONDS
        victim = f"t{number}-p7"
        assert seen_when_killed(browser, victim, lambda: run("docker", "kill", victim)) < NOTICE_SECONDS


@long_drill
def test_what_happens_on_another_host_is_seen_as_soon(stack: Make, tmp_path: Path) -> None:
    number = 151
    roles = {f"t{number}-{role}": {"role": role} for role in ("dnsmasq", "puppet", "haproxy", "portal")}
    victim = f"t{number}-far"
    roles[victim] = {"role": "plain", "host": "far"}
    with hosts(tmp_path, "dsh-far") as (far,):
        made = stack(f"t{number}", over_hosts(number, roles, far=far))
        try:
            made.up()
            with page_of(made, len(roles), tmp_path) as browser:
                browser.picture("portal-two-hosts")
                assert browser.script(MISPLACED) == []
                assert browser.script(TUNNELS) == 1
                killed = seen_when_killed(browser, victim, lambda: far.command("docker", "kill", victim))
                assert killed < NOTICE_SECONDS
        finally:
            # While its host is there.
            made.destroy(check=False)


@contextmanager
def page_of(made: Stack, containers: int, directory: Path) -> Iterator[Browser]:
    """Open the page of a stack without a Keystone, with the generated password, and wait until all works."""
    password = made.pulumi("stack", "output", "--show-secrets", "portal_password").stdout.strip()
    browser = Browser(directory / "chromium")
    try:
        browser.open(made.outputs()["portal_url"])
        log_in(browser, "anybody", password)
        browser.until("all works", lambda: f"✔ {containers} works" in browser.find("#summary").text)
        yield browser
    finally:
        browser.end()


def seen_when_killed(browser: Browser, victim: str, kill: Callable[[], object]) -> float:
    """Kill a container that works, see it turn red and green again, and return how many seconds the first took."""
    browser.script(RECORD_LEVELS, victim)
    killed = time.time()
    kill()
    browser.until("it is red", lambda: any(told == "broken" for _, told in browser.script("return window.seen")), 20)
    browser.picture(f"portal-killed-{victim}")
    browser.until("it is green again", lambda: browser.script("return window.seen")[-1][1] == "works", RETURN_SECONDS)
    seen = browser.script("return window.seen")
    print(f"{victim}: " + ", ".join(f"{told} after {when - killed:.2f} s" for when, told in seen[1:]))
    assert [told for _, told in seen][:2] == ["works", "broken"]
    return float(seen[1][0] - killed)
