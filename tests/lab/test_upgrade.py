"""Other images come into a running lab service by service, and the APIs of the others answer all the while."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.acknowledged import Acknowledged
from tests.lab.conftest import Lab, answers
from tests.lab.harness import PROJECT, inspect, long_drill, run, started_at

pytestmark = [pytest.mark.lab, pytest.mark.drill]

UPGRADED = ("memcached", "keystone", "glance")
LABEL = "dockstack.test"
UPGRADE_SECONDS = 2400


class Watch(threading.Thread):
    """Asks all of a lab's APIs, again and again, and keeps who didn't answer when."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(daemon=True)
        self.urls = lab.apis
        self.silent: list[tuple[float, frozenset[str]]] = []
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            silent = frozenset(name for name, url in self.urls.items() if not answers(url))
            self.silent.append((time.monotonic(), silent))
            self.over.wait(0.5)

    def seconds(self, name: str) -> float:
        """Return for how long an API did not answer."""
        times = [when for when, _ in self.silent]
        return sum(
            end - begin
            for begin, end, (_, silent) in zip(times, times[1:], self.silent, strict=False)
            if name in silent
        )


@contextmanager
def watch(lab: Lab) -> Iterator[Watch]:
    watching = Watch(lab)
    watching.start()
    try:
        yield watching
    finally:
        watching.over.set()
        watching.join()


@pytest.fixture
def images(lab: Lab) -> Iterator[dict[str, str]]:
    """Make images that differ from the lab's by a label; give them by the containers that are to have them."""
    made = {lab.of_role(role): f"dockstack-test/{role}:next" for role in UPGRADED}
    for name, tag in made.items():
        dockerfile = f"FROM {lab.services[name]['image']}\nLABEL {LABEL}=next\n"
        run("docker", "build", "--quiet", "--tag", tag, "-", stdin=dockerfile)
    yield made
    run("docker", "image", "rm", "--no-prune", *made.values())


@long_drill
def test_an_upgrade_rolls_through_the_lab_service_by_service(lab: Lab, images: dict[str, str], tmp_path: Path) -> None:
    lab.await_healthy()
    before = started_at(lab.stack)
    settings = lab.settings()
    for name, tag in images.items():
        settings["config"]["dockstack:containers"][name]["image"] = tag
    with watch(lab) as watching, lab.changed(settings, tmp_path, ("make", "upgrade", f"STACK={lab.stack}")):
        watching.over.set()
        for name in images:
            assert inspect(name)["Config"]["Labels"].get(LABEL) == "next"
        others = [name for name in before if name not in images]
        after = started_at(lab.stack)
        assert {name: after[name] for name in others} == {name: before[name] for name in others}
        lab.await_healthy()
    for name in watching.urls:
        print(f"{name}: no answer for {watching.seconds(name):.1f} s")
    # Horizon shows nobody anything without Keystone and its sessions.
    assert {name for _, silent in watching.silent for name in silent} <= {"keystone", "glance", "dashboard"}
    assert not any({"keystone", "glance"} <= silent for _, silent in watching.silent)
    lab.await_healthy()


@long_drill
def test_a_changed_base_image_rolls_through_the_whole_lab(lab: Lab, acknowledged: Acknowledged, tmp_path: Path) -> None:
    """Every image is built upon it, so that every container is replaced, one after the other."""
    lab.await_healthy()
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns(".git"))
    with (project / "Dockerfiles/base/Dockerfile").open("a") as file:
        file.write(f"LABEL {LABEL}=next\n")
    on = f"STACK={lab.stack}"
    try:
        with watch(lab) as watching:
            since = time.monotonic()
            run("make", "upgrade", on, cwd=project, timeout=UPGRADE_SECONDS)
            took = time.monotonic() - since
        print(f"a changed base image: `make upgrade` took {took:.0f} s")
        for name in watching.urls:
            print(f"{name}: no answer for {watching.seconds(name):.1f} s")
        assert {inspect(name)["Config"]["Labels"].get(LABEL) for name in lab.services} == {"next"}
        lab.await_healthy()
        acknowledged.await_all()
        assert max(map(watching.seconds, watching.urls)) < took / 2
    finally:
        run("make", "lab", on, timeout=UPGRADE_SECONDS)
    lab.await_healthy()
    acknowledged.await_all()
