"""Checks of the machine and its packages, each with the command that mends what it finds.

Nothing here imports the package, torch or another package outside of a check, and each check runs in a process of its
own: the doctor runs where all of these are missing, broken or crash.
"""
