"""Hook scripts of the configuration, as command resources on the container's host, in the order they are given."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_docker as docker

from components.configuration.environment import Container
from components.host.container_host import ContainerHost


class Hooks:
    """The four kinds of hooks of one container."""

    def __init__(self, host: ContainerHost, container: Container, parent: pulumi.Resource) -> None:
        """Take the host that the scripts run on, the container, and the resource they belong to."""
        self._host, self._name, self._hooks, self._parent = host, container.name, container.hooks, parent

    def before_container(self, gates: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        """Declare ``precreation`` and ``postdestroy``: made before the container, hence deleted after it.

        Returns:
            What the container depends on.
        """
        last = list(gates)
        # What is made last is deleted first.
        for number, script in reversed(list(enumerate(self._hooks.post_destroy, 1))):
            last = [self._script(f"post-destroy-{number}", None, script, last)]
        for number, script in enumerate(self._hooks.pre_creation, 1):
            last = [self._script(f"pre-creation-{number}", script, None, last)]
        return last

    def after_container(self, running: docker.Container, ready: pulumi.Resource) -> None:
        """Declare ``postcreation``, once the container is ready, and ``predestroy``; a new container has them again."""
        last: list[pulumi.Resource] = [running]
        for number, script in reversed(list(enumerate(self._hooks.pre_destroy, 1))):
            last = [self._script(f"pre-destroy-{number}", None, script, last, running)]
        last = [ready]
        for number, script in enumerate(self._hooks.post_creation, 1):
            last = [self._script(f"post-creation-{number}", script, None, last, running)]

    def _script(
        self,
        stage: str,
        create: str | None,
        delete: str | None,
        gates: list[pulumi.Resource],
        container: docker.Container | None = None,
    ) -> pulumi.Resource:
        opts = pulumi.ResourceOptions(parent=self._parent, depends_on=gates, delete_before_replace=True)
        triggers = [container.id] if container else None
        return self._host.script(f"{self._name}-{stage}", create=create, delete=delete, triggers=triggers, opts=opts)
