"""The keeper: puts ports back after any restart; the only container that sees the Docker socket."""

from components.services.role import Role

ROLE = Role(
    name="keeper",
    memory_mib=50,
    # It works in the host's network namespace and in those of the containers.
    capabilities=("NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE"),
    provisioned=False,
)
