"""DNS and DHCP of the lab. https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html."""

from components.services.role import Check, Role

ROLE = Role(
    name="dnsmasq",
    aliases=("dns", "dhcp"),
    memory_mib=40,
    capabilities=("NET_ADMIN",),
    mounts={"records": "/etc/dockstack-records"},
    boots_alone=True,
    endpoints={"dns": "dns://{address}:53"},
    checks=(Check(port=53),),
    packages=("dnsmasq-base",),
)
