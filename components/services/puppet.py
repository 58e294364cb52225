"""The Puppet server, with its certificate authority."""

from components.services.role import Check, Role

ROLE = Role(
    name="puppet",
    aliases=("puppetmaster", "puppetserver"),
    memory_mib=1100,
    data={"ca": "/var/lib/puppet"},
    boots_alone=True,
    serves_catalogs=True,
    endpoints={"puppet": "https://{address}:8140"},
    checks=(Check(port=8140),),
    check_seconds=300,
    packages=("puppetserver",),
)
