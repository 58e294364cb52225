"""A stand-in for OpenSDN's plugin of Neutron, for machines on which the published image can't be had.

Its classes are where OpenSDN's are, read the same settings, and ask the config API in the same way. What it knows of
are networks, subnets and ports. Nothing here is OpenSDN's.
"""

NOTICE = "stand-in for OpenSDN's plugin of Neutron, made by Dockstack's tests"
