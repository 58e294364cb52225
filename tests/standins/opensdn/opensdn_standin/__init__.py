"""Stand-ins for OpenSDN's programs, for machines on which the published images can't be had.

They read the same files as strictly, connect to the same services, open the same ports and answer the same questions
that the lab asks; what they are for, they don't do. Nothing here is OpenSDN's.
"""

NOTICE = "stand-in for OpenSDN, made by Dockstack's tests"
