"""A container with an address and nothing else: for what a lab's owner brings along, and for measuring the wiring.

Its disk is the bound of its log, and a little beside.
"""

from components.services.role import Role

ROLE = Role(name="plain", image="base", memory_mib=24, disk_mib=12, most=None, in_turn=False, provisioned=False)
