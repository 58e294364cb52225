"""Chromium as the tests use it: without a window, straight to the lab, with pictures of what it shows."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.lab.harness import ARTIFACTS, run

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # The lab is on this host: a proxy for the way out has no part in it.
    "--no-proxy-server",
    "--window-size=1400,1000",
)
SECONDS = 120.0
"""How long a page may take; the machine may have much else to do."""

NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"

T = TypeVar("T")


def trust(home: Path, authority: str) -> None:
    """Make a home directory whose browsers trust an authority, as a person has them do.

    See https://chromium.googlesource.com/chromium/src/+/main/docs/linux/cert_management.md.

    Args:
        home: the directory.
        authority: file with the certificates of the authority; nothing is trusted where it is empty.
    """
    database = home / ".pki/nssdb"
    database.mkdir(parents=True)
    if not authority:
        return
    run("certutil", "-d", f"sql:{database}", "-N", "--empty-password")
    text = Path(authority).read_text()
    for number, certificate in enumerate(re.findall(r"-----BEGIN .*?-----END [A-Z ]+-----\n", text, re.DOTALL)):
        file = home / f"{number}.pem"
        file.write_text(certificate)
        run("certutil", "-d", f"sql:{database}", "-A", "-t", "C,,", "-n", f"lab {number}", "-i", str(file))


class Browser:
    """A browser that waits for what it is to show, and fails with a picture of what it shows instead."""

    def __init__(self, profile: Path, authority: str = "") -> None:
        """Start Chromium with an empty profile in a directory.

        Args:
            profile: the directory.
            authority: file with an authority that it trusts besides the system's.
        """
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        options.page_load_strategy = "eager"
        options.ignore_local_proxy_environment_variables()
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "SEVERE"})
        home = profile.with_name(f"{profile.name}-home")
        trust(home, authority)
        service = Service(DRIVER, env={**os.environ, "HOME": str(home)})
        self.driver = webdriver.Chrome(options=options, service=service)
        self._kept: list[str] = []
        self.driver.set_page_load_timeout(SECONDS)

    def end(self) -> None:
        """End Chromium."""
        self.driver.quit()

    def open(self, url: str) -> None:
        """Go to a page."""
        self.driver.get(url)

    def picture(self, name: str) -> Path:
        """Keep a picture of the page, and return its path."""
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        self.driver.save_screenshot(str(path))
        return path

    def until(self, what: str, condition: Callable[[], T], seconds: float = SECONDS) -> T:
        """Wait until a condition gives something true, and return that."""

        def looked() -> T | Literal[False]:
            with contextlib.suppress(NoSuchElementException, StaleElementReferenceException):
                if found := condition():
                    return found
            self._load_again()
            return False

        wait = WebDriverWait(
            self.driver, seconds, 0.3, ignored_exceptions=[NoSuchElementException, StaleElementReferenceException]
        )
        try:
            return wait.until(lambda _: looked())
        except Exception as error:
            kept = self.picture("failed-" + "-".join(re.findall(r"\w+", what))[-80:])
            raise AssertionError(
                f"{what}: not within {seconds:.0f} s at {self.driver.current_url}, see {kept}"
            ) from error

    def _load_again(self) -> None:
        """Load a page, or a frame, again whose loading was cut off by a change of the host's interfaces.

        Chromium gives up what it has not begun to load whenever one comes or goes, as those of other tests' labs do.
        """
        said = self._said()
        self._kept += [complaint for complaint in said if NETWORK_CHANGED not in complaint]
        if any(NETWORK_CHANGED in complaint for complaint in said):
            self.script("location.reload()")

    def find(self, path: str, seconds: float = SECONDS) -> WebElement:
        """Wait for a visible element, by CSS selector or, where it begins with a slash, by XPath."""

        def visible() -> WebElement | None:
            found = self.driver.find_elements(By.XPATH if path.startswith("/") else By.CSS_SELECTOR, path)
            return next((element for element in found if element.is_displayed()), None)

        found = self.until(path, visible, seconds)
        assert found is not None
        return found

    def click(self, path: str, seconds: float = SECONDS) -> None:
        """Click an element as soon as it is there, usable, and not covered."""

        def clicked() -> bool:
            element = self.find(path, seconds)
            if not element.is_enabled() or "disabled" in str(element.get_attribute("class")).split():
                return False
            on_top = self.script(
                "const box = arguments[0].getBoundingClientRect();"
                "const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);"
                "return top === null || arguments[0].contains(top) || top.contains(arguments[0]);",
                element,
            )
            if on_top:
                element.click()
            return bool(on_top)

        self.until(f"click {path}", clicked, seconds)

    def type(self, path: str, text: str) -> None:
        """Write into a field, in place of what is there."""
        field = self.find(path)
        field.clear()
        field.send_keys(text)

    def text(self) -> str:
        """Return the text of the page."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def script(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page and return its result."""
        return self.driver.execute_script(script, *arguments)

    def complaints(self) -> list[str]:
        """Return what Chromium has had to complain of since it was asked last: failed requests, errors of scripts."""
        said = [*self._kept, *(complaint for complaint in self._said() if NETWORK_CHANGED not in complaint)]
        self._kept = []
        return said

    def _said(self) -> list[str]:
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]
