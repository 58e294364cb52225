"""Where volumes are kept: how it is chosen, what it needs of the lab and its hosts, and what it makes of the roles."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest

from components import services
from components.configuration.environment import Environment, survey
from components.configuration.preflight import HostFacts, check, gather, local
from tests.unit.environment_cases import DATA, ROLES, lab, played
from tests.unit.graph_recorder import CONTAINER, config, record_lab

WITH_VOLUMES = {
    **ROLES,
    "ceph": played("ceph", 400, needs=("dnsmasq", "puppet"), at_most=1),
    "cinder": played("cinder", 500, needs=("galera", "keystone"), wants=("ceph",), at_most=1),
    "compute": played("compute", 600, needs=("keystone",)),
}
CEPH = {"ceph1": {"role": "ceph", "address": "10.87.0.80"}}
CINDER = {"cinder1": {"role": "cinder", "address": "10.87.0.81"}}
COMPUTE = {"compute1": {"role": "compute", "address": "10.87.0.90"}}


def _survey(containers: dict[str, Any], **common: Any) -> tuple[Environment, list[str]]:
    given = lab({"common": common, "containers": containers})
    result = survey(given, stack="lab", roles=WITH_VOLUMES, base_dir=DATA)
    assert result.environment is not None
    return result.environment, [str(fault) for fault in result.faults]


def _said_of_host(backend: str, *lacks: str, containers: dict[str, Any]) -> list[str]:
    environment, faults = _survey(containers, volumeBackend=backend)
    assert faults == []
    facts = HostFacts(kernel_lacks=frozenset(lacks))
    return [str(fault) for fault in check(environment, {"local": facts}, WITH_VOLUMES)]


def test_volumes_are_kept_in_ceph_unless_the_lab_says_otherwise() -> None:
    environment, faults = _survey(CEPH | CINDER)
    assert environment.volume_backend == "rbd"
    assert faults == []


@pytest.mark.parametrize("common", [{}, {"volumeBackend": "rbd"}])
def test_volumes_in_ceph_need_one(common: dict[str, Any]) -> None:
    assert _survey(CINDER, **common)[1] == [
        "dockstack:common.volumeBackend: the volume back end rbd needs role ceph, and no container has it."
        " Fix: Add a container of role ceph, or choose lvm or nfs."
    ]


@pytest.mark.parametrize("backend", ["lvm", "nfs"])
def test_the_other_back_ends_need_no_ceph(backend: str) -> None:
    environment, faults = _survey(CINDER, volumeBackend=backend)
    assert environment.volume_backend == backend
    assert faults == []


def test_a_lab_without_volumes_needs_no_ceph() -> None:
    assert _survey({})[1] == []


def test_a_container_that_may_be_meant_to_be_a_ceph_is_not_missed() -> None:
    assert len(_survey(CINDER | {"ceph1": {"role": "cehp", "address": "10.87.0.80"}})[1]) == 1


def test_a_misspelt_back_end_is_refused_alone() -> None:
    assert _survey(CINDER, volumeBackend="rdb")[1] == [
        "dockstack:common.volumeBackend: `rdb` is no volume back end."
        " Fix: Did you mean `rbd`? Write lvm, nfs, rbd, or leave it out for rbd."
    ]


def test_volumes_on_nfs_need_a_kernel_that_mounts_it() -> None:
    assert _said_of_host("nfs", "nfs", containers=CINDER | COMPUTE) == [
        "dockstack:common.volumeBackend: volumes on NFS are mounted by the kernel, and that of host local (cinder1,"
        " compute1) has no NFS client."
        " Fix: Choose rbd, which needs nothing of the kernel, or a host with the module nfsv4."
    ]
    assert _said_of_host("nfs", "device-mapper", containers=CINDER | COMPUTE) == []


def test_volumes_in_lvm_need_a_device_mapper() -> None:
    assert _said_of_host("lvm", "device-mapper", "nfs", containers=CINDER) == [
        "dockstack:common.volumeBackend: volumes in LVM are made by the kernel's device-mapper, and host local"
        " (cinder1) has none. Fix: Choose rbd, which needs nothing of the kernel, or a host with the module dm_mod."
    ]


def test_volumes_in_lvm_need_more_than_a_container_gets() -> None:
    assert _said_of_host("lvm", containers=CINDER) == [
        "dockstack:common.volumeBackend: LVM makes block devices while it runs, and a container of host local (cinder1)"
        " has those from before its start. Fix: Choose rbd or nfs."
    ]


def test_volumes_in_ceph_need_nothing_of_the_kernel() -> None:
    assert _said_of_host("rbd", "device-mapper", "nfs", containers=CEPH | CINDER | COMPUTE) == []


def test_a_host_without_volumes_may_lack_what_they_need() -> None:
    assert _said_of_host("lvm", "device-mapper", containers={}) == []


@pytest.mark.skipif(shutil.which("modprobe") is None, reason="no modprobe here")
def test_this_machines_kernel_is_asked_what_it_has() -> None:
    facts = gather(local, "lab")
    with open("/proc/misc", encoding="utf-8") as file:
        mapped = "device-mapper" in file.read()
    loadable = subprocess.run(["modprobe", "--dry-run", "--quiet", "dm_mod"], check=False).returncode == 0
    assert ("device-mapper" in facts.kernel_lacks) == (not mapped and not loadable)


def test_only_the_back_end_nfs_gives_cinder_more_than_the_default_capabilities() -> None:
    def capabilities(**common: Any) -> tuple[list[str], list[str]]:
        given = config()
        given["common"] |= common
        made = record_lab(given).one("cinder1", CONTAINER)
        return (made.inputs.get("capabilities") or {}).get("adds", []), made.inputs.get("securityOpts") or []

    assert capabilities() == ([], [])
    assert capabilities(volumeBackend="nfs") == (["CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN"], ["apparmor=unconfined"])


def test_a_role_that_no_configuration_changes_is_as_registered() -> None:
    environment, _ = _survey(CEPH | CINDER)
    # What OpenSDN's API is told of the lab is said of each.
    told = {"config", "control"}
    made = services.for_lab(environment)
    assert {name: role for name, role in made.items() if name not in told} == {
        name: role for name, role in services.ROLES.items() if name not in told
    }
