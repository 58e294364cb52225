"""What is mounted into a container: rendered files, and the data that outlives it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import jinja2
import pulumi
import pulumi_docker as docker

from components import paths, quoting
from components.configuration import environment, names
from components.configuration.environment import Container
from components.host.container_host import ContainerHost
from components.services.role import Role
from components.services.topology import Topology
from hostside import labels
from hostside.containers import MOUNT_POINT
from hostside.operations.files_write import FilesWrite

TEMPLATE_SUFFIX = ".j2"
COMMON_DATA = "code/environments/production/data/common.yaml"
Files = Mapping[str, Mapping[str, str]]


def render(topology: Topology, container: Container, role: Role) -> Files:
    """Render a container's files: ``dockervolumes/default``, what the role shares, and ``dockervolumes/<role>`` on top.

    Returns:
        Relative path to ``{"content", "mode"}``.

    Raises:
        jinja2.UndefinedError: when a template names a variable that there isn't.
    """
    own: dict[str, Any] = {
        "name": container.name, "fqdn": container.fqdn, "address": str(container.address), "role": role.name,
        **role.variables(topology, container),
    }  # fmt: skip
    files = _render(
        role, {"container": own, "lab": _lab(topology, topology.environment.hosts[container.host])}, skip=""
    )
    if role.serves_catalogs:
        common = quoting.hiera_data(topology.common_data())
        files[COMMON_DATA] = {"content": common, "mode": "644"}
    return files


def render_shared(topology: Topology, role: Role, host: environment.ConfiguredHost) -> Files:
    """Render what a role's containers on a host share: those without Puppet, to which all are the same."""
    return _render(role, {"lab": _lab(topology, host)}, skip="puppet/")


def _render(role: Role, variables: Mapping[str, Any], skip: str) -> dict[str, dict[str, str]]:
    files: dict[str, dict[str, str]] = {}
    for directory in ("default", *role.shares, role.name):
        root = paths.DOCKERVOLUMES / directory
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            name = str(path.relative_to(root))
            if skip and name.startswith(skip):
                continue
            text = path.read_text()
            if name.endswith(TEMPLATE_SUFFIX):
                name, text = name.removesuffix(TEMPLATE_SUFFIX), _templates().from_string(text).render(variables)
            files[name] = {"content": text, "mode": "755" if path.stat().st_mode & 0o111 else "644"}
    for name, file in files.items():
        if name.startswith("supervisor/"):
            file["content"] = _stamped(file["content"], files)
    return files


def _stamped(text: str, files: Files) -> str:
    """Name in each program's environment the version of our scripts that run it.

    supervisord restarts the programs whose sections have changed, and those alone: a new script has to be a change.
    """
    sections = re.split(r"(?m)^(?=\[)", text)
    for index, section in enumerate(sections):
        scripts = sorted(set(re.findall(rf"{MOUNT_POINT}/(bin/[\w-]+)", section)))
        if section.startswith("[program:") and scripts:
            used = digest({script: files[script] for script in scripts})
            value = f'environment=DOCKSTACK_SCRIPTS="{used}"'
            sections[index], found = re.subn(r"(?m)^environment=", f"{value},", section, count=1)
            if not found:
                sections[index] = f"{section.rstrip()}\n{value}\n\n"
    return "".join(sections).rstrip() + "\n"


def digest(files: Files) -> str:
    """Return a digest of rendered files."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]


class Volumes:
    """A container's mounts: the directory of its rendered files, and its Docker volumes."""

    def __init__(
        self, host: ContainerHost, container: Container, role: Role, files: Files, opts: pulumi.ResourceOptions
    ) -> None:
        """Declare the rendered directory and the Docker volumes of a container.

        Args:
            host: where the container runs.
            container: the container as configured.
            role: its role.
            files: its rendered files.
            opts: options of the resources.
        """
        self.directory = f"{host.directory}/volumes/{container.name}"
        rendered = FilesWrite(self.directory, files)
        self.resource = host.declare(f"{container.name}-files", FilesWrite, rendered, subject=container.name, opts=opts)
        self.data = {
            path: docker.Volume(
                names.volume(container.name, suffix),
                name=names.volume(container.name, suffix),
                labels=[docker.VolumeLabelArgs(label=labels.STACK, value=host.stack)],
                opts=pulumi.ResourceOptions.merge(
                    opts,
                    pulumi.ResourceOptions(
                        provider=host.provider,
                        depends_on=[host.tool],
                        # Docker itself makes a missing volume, without labels, for a container that it starts. A label
                        # can only be added by replacing the volume with its data; the container tells whose it is, too.
                        ignore_changes=["labels"],
                    ),
                ),
            )
            for suffix, path in role.data.items()
        }
        self.mounts: list[docker.ContainerVolumeArgs] = [
            docker.ContainerVolumeArgs(host_path=self.directory, container_path=MOUNT_POINT, read_only=True),
            *(
                docker.ContainerVolumeArgs(host_path=f"{host.directory}/{path}", container_path=inside, read_only=True)
                for path, inside in role.mounts.items()
            ),
            *(
                docker.ContainerVolumeArgs(volume_name=volume.name, container_path=path)
                for path, volume in self.data.items()
            ),
            *own_mounts(container),
        ]


def own_mounts(container: Container) -> list[docker.ContainerVolumeArgs]:
    """Return the mounts that the configuration gives a container."""
    return [
        docker.ContainerVolumeArgs(host_path=volume.source, container_path=volume.target, read_only=volume.read_only)
        for volume in container.volumes
    ]


def _lab(topology: Topology, host: environment.ConfiguredHost) -> dict[str, Any]:
    lab = topology.environment
    servers = topology.catalog_servers
    return {
        "stack": lab.stack,
        "directory": str(paths.stack_directory(lab.stack, PurePosixPath(host.home))),
        "domain": lab.domain,
        "network": str(lab.network),
        "prefix": lab.network.prefixlen,
        "gateway": str(lab.gateway),
        "host_address": topology.host_address(host.name),
        "metrics_port": lab.metrics_port,
        "region": lab.region,
        "vip": {"address": str(lab.vip), "name": topology.vip_name},
        "dns": [str(m.address) for m in topology.name_servers],
        "puppet_server": servers[0].fqdn if servers else "",
        "members": {
            name: [{"name": m.name, "fqdn": m.fqdn, "address": str(m.address)} for m in topology.members(name)]
            for name in topology.roles
            if topology.members(name)
        },
    }


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True, trim_blocks=True,
        lstrip_blocks=True, loader=jinja2.FileSystemLoader(Path(paths.DOCKERVOLUMES)),
    )  # fmt: skip
