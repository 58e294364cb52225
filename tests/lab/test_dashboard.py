"""The dashboard, used with a real browser as a person does."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.documents import commands
from tests.lab.browser import Browser
from tests.lab.cloud import environment
from tests.lab.conftest import Lab
from tests.lab.harness import PROJECT, eventually, run

pytestmark = [pytest.mark.lab, pytest.mark.shares]

GUEST, LAUNCHED, VOLUME = "dashboard-seen", "dashboard-launched", "dashboard-volume"
BOOT_SECONDS = 300.0
"""Under emulation a guest takes its time."""
AWAY = "503 Service Unavailable"
"""Title of haproxy's page while it knows of no server."""


@pytest.fixture(scope="module")
def env(lab: Lab) -> dict[str, str]:
    if "dashboard" not in lab.endpoints:
        pytest.skip("the stack has no dashboard")
    return environment(lab.openrc)


@pytest.fixture(scope="module")
def fresh_browser(lab: Lab, tmp_path_factory: pytest.TempPathFactory, env: dict[str, str]) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("chromium"), lab.authority)
    yield browser
    browser.end()


@pytest.fixture(scope="module")
def browser(lab: Lab, fresh_browser: Browser, env: dict[str, str]) -> Browser:
    """A browser whose user is logged in."""
    log_in(fresh_browser, lab, env["OS_USERNAME"], env["OS_PASSWORD"])
    fresh_browser.find(".navbar .user-menu, .navbar .dropdown-toggle")
    return fresh_browser


@pytest.fixture(scope="module")
def guest(lab: Lab, env: dict[str, str]) -> Iterator[str]:
    """A running guest with a floating address, made by the README's commands."""
    if not {"nova", "compute", "neutron", "glance"} <= {service["role"] for service in lab.services.values()}:
        pytest.skip("the stack has no guests")
    delete_servers(env)
    script = [*documented_commands(), 'echo "$address"']
    said = run("bash", "-euc", "\n".join(script), env={**env, "PULUMI_STACK": lab.stack}).stdout
    yield GUEST
    delete_servers(env)
    run("openstack", "floating", "ip", "delete", said.split()[-1], env=env)


def documented_commands() -> list[str]:
    """Return the commands by which the README logs in and boots a guest, which gets the name of these tests."""
    wanted = [line for line in commands(PROJECT / "README.md") if line.startswith((". $(", "openstack ", "address="))]
    assert len(wanted) == 4
    return [line.replace("guest1", GUEST) for line in wanted]


@pytest.fixture(scope="module")
def volume(lab: Lab, env: dict[str, str]) -> Iterator[str]:
    """A volume, made through the API."""
    if "cinder" not in {service["role"] for service in lab.services.values()}:
        pytest.skip("the stack has no volumes")
    run("openstack", "volume", "delete", VOLUME, env=env, check=False)
    made = json.loads(run("openstack", "volume", "create", "--size", "1", VOLUME, "-f", "json", env=env).stdout)
    shown = ("openstack", "volume", "show", made["id"], "-f", "value", "-c", "status")
    eventually("the volume", lambda: run(*shown, env=env).stdout.strip() == "available", interval=2)
    yield VOLUME
    run("openstack", "volume", "delete", made["id"], env=env, check=False)


def delete_servers(env: dict[str, str]) -> None:
    """Delete the guests of these tests, also those that an earlier run left."""
    listed = json.loads(run("openstack", "server", "list", "-f", "json", env=env).stdout)
    ours = [row["ID"] for row in listed if row["Name"] in (GUEST, LAUNCHED)]
    if ours:
        run("openstack", "server", "delete", "--wait", *ours, env=env)


def log_in(browser: Browser, lab: Lab, user: str, password: str) -> None:
    """Fill in the login form and send it."""
    browser.open(lab.endpoints["dashboard"])
    browser.type("#id_username", user)
    browser.type("#id_password", password)
    browser.click("#loginBtn")


def row(name: str) -> str:
    """Return the XPath of a table's row."""
    return f"//tr[@data-display='{name}']"


def page(lab: Lab, path: str) -> str:
    """Return the URL of one of the dashboard's pages."""
    return lab.endpoints["dashboard"] + path


def test_the_login_page_comes_with_its_styles_and_scripts(lab: Lab, fresh_browser: Browser) -> None:
    fresh_browser.open(lab.endpoints["dashboard"])
    fresh_browser.find("#loginBtn")
    fresh_browser.picture("login")
    rules = fresh_browser.script("return [...document.styleSheets].reduce((sum, s) => sum + s.cssRules.length, 0)")
    assert rules > 1000
    assert fresh_browser.script("return typeof horizon + typeof angular") == "objectobject"
    assert fresh_browser.complaints() == []


def test_a_wrong_password_is_refused_in_the_dashboards_own_words(lab: Lab, fresh_browser: Browser) -> None:
    log_in(fresh_browser, lab, "admin", "not-the-password")
    assert "Invalid credentials" in fresh_browser.find(".alert-danger").text
    fresh_browser.picture("login-refused")


def test_the_administrator_logs_in_with_the_password_of_the_openrc_file(browser: Browser, lab: Lab) -> None:
    assert "/auth/login" not in browser.driver.current_url
    assert "admin" in browser.find(".navbar").text
    browser.picture("logged-in")


def test_the_users_are_listed(browser: Browser, lab: Lab) -> None:
    browser.open(page(lab, "identity/users/"))
    browser.find("//table//td[contains(., 'admin')]")
    browser.picture("users")


def test_a_restart_of_the_container_logs_nobody_out(browser: Browser, lab: Lab) -> None:
    name = lab.of_role("dashboard")
    run("docker", "restart", name)

    def is_back() -> bool:
        browser.open(page(lab, "identity/"))
        return AWAY not in browser.driver.page_source

    # haproxy may take a server for down, after checks that nobody answered, when it is up again.
    eventually("the dashboard", is_back)
    assert "/auth/login" not in browser.driver.current_url
    assert "admin" in browser.find(".navbar").text


def test_the_running_guest_is_shown(browser: Browser, lab: Lab, guest: str) -> None:
    browser.open(page(lab, "project/instances/"))
    browser.find(f"{row(guest)}[contains(., 'Active') and contains(., 'Running')]")
    browser.picture("instances")


def test_the_volume_is_shown(browser: Browser, lab: Lab, volume: str) -> None:
    browser.open(page(lab, "project/volumes/"))
    browser.find(f"{row(volume)}[contains(., 'Available')]")
    browser.picture("volumes")


def test_a_backup_of_the_volume_is_offered(browser: Browser, lab: Lab, volume: str) -> None:
    browser.open(page(lab, "project/volumes/"))
    browser.click(f"{row(volume)}//*[contains(@class, 'dropdown-toggle')]")
    browser.find(f"{row(volume)}//*[contains(@href, '/create_backup/')]")
    browser.open(page(lab, "project/backups/"))
    browser.find("//table[@id='volume_backups']")


def test_a_guest_launched_from_the_form_runs_and_its_console_shows_something(
    browser: Browser, lab: Lab, guest: str
) -> None:
    browser.open(page(lab, "project/instances/"))
    browser.click("#instances__action_launch-ng")
    browser.type(".ng-wizard input[name='name']", LAUNCHED)
    browser.picture("launch-details")
    for step, choice in (("Source", "guest"), ("Flavor", "tiny"), ("Networks", "demo")):
        browser.click(
            f"//div[contains(@class, 'ng-wizard')]//li[contains(@class, 'nav-item')]/a[contains(., '{step}')]"
        )
        if step == "Source":
            browser.find("#boot-source-type")
            without_volume = "//label[@id='vol-create' and normalize-space()='No']"
            # Only asked where there is Cinder.
            if any(service["role"] == "cinder" for service in lab.services.values()):
                browser.click(without_volume)
        allocate(browser, choice)
        browser.picture(f"launch-{step.lower()}")
    browser.click(".ng-wizard button.finish")
    found = f"{row(LAUNCHED)}[contains(., 'Active') and contains(., 'Running')]"
    browser.find(found, BOOT_SECONDS)
    browser.picture("launched")

    browser.click(f"{found}//a[contains(@href, '/project/instances/') and contains(., '{LAUNCHED}')]")
    browser.click("//a[contains(@href, 'instance_details__console')]")
    browser.driver.switch_to.frame(browser.find("#console_embed"))
    try:
        browser.until("the console's pixels", lambda: colours(browser) > 1, BOOT_SECONDS)
    finally:
        browser.driver.switch_to.default_content()
    browser.picture("console")


def allocate(browser: Browser, choice: str) -> None:
    """Choose a row of a step of the launch form, unless the form has chosen it itself."""
    step = "//div[contains(concat(' ', @class, ' '), ' step ') and not(contains(@class, 'ng-hide'))]"
    cell = f"//td[normalize-space()='{choice}']"
    chosen = f"{step}//div[contains(@class, 'transfer-allocated')]{cell}"
    up = "//button[contains(@class, 'fa-arrow-up')]"
    offered = f"{step}//div[contains(@class, 'transfer-available')]//tr[.{cell}]{up}"
    browser.find(f"{chosen} | {offered}")
    if not browser.driver.find_elements("xpath", chosen):
        browser.click(offered)
    browser.find(chosen)


def colours(browser: Browser) -> int:
    """Return how many colours the console's picture has; 0 before there is one."""
    return int(
        browser.script(
            """
            const canvas = document.querySelector("canvas");
            if (!canvas || !canvas.width || !canvas.height) return 0;
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            const seen = new Set();
            for (let i = 0; i < data.length && seen.size < 16; i += 4)
                seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
            return seen.size;
            """
        )
    )
