"""Measurements: the same containers wired by Dockstack and by others, side by side in one run.

``python3 -m tests.bench`` (or ``make bench``); every figure of ours stands beside the others' of the same round.
"""
