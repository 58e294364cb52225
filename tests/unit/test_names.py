"""The names that are known beforehand are those that a lab is built with."""

from __future__ import annotations

from components import environment, names, paths, services
from hostside.ports import ENDS, Port, link_name
from tests.unit.graph_recorder import CONTAINER, Graph, config

VOLUME = "docker:index/volume:Volume"
ROLES = services.facts()


def _whole_lab() -> environment.Environment:
    return environment.load(config(), stack="lab", roles=ROLES, base_dir=paths.PROJECT)[0]


def test_all_containers_and_volumes_are_known_beforehand(lab: Graph) -> None:
    made = {r.inputs["name"] for r in lab.of_type(CONTAINER)}
    assert names.containers(_whole_lab(), "local").keys() == {*made, "lab-demo"}
    assert names.volumes(_whole_lab(), "local", ROLES).keys() == {r.inputs["name"] for r in lab.of_type(VOLUME)}


def test_all_links_are_known_beforehand(lab: Graph) -> None:
    made = set()
    for container in lab.of_type(CONTAINER):
        labels = {label["label"]: label["value"] for label in container.inputs["labels"]}
        for port in Port.of(container.inputs["name"], labels):
            made |= {link_name("lab", port.container, port.interface) + end for end in ENDS}
    assert {link for link, _ in names.links(_whole_lab(), "local", ROLES)} == made


def test_each_name_tells_the_place_that_it_is_from() -> None:
    assert names.containers(_whole_lab(), "local")["lab-keeper"] == "stack"
    assert names.volumes(_whole_lab(), "local", ROLES)["galera1-data"] == "dockstack:containers.galera1"
    assert names.containers(_whole_lab(), "elsewhere") == {"lab-keeper": "stack"}
