"""The commands of the command line, one file each: `run`, its options and its help.

A command imports what it needs when it runs, so that help is quick: what it does and prints is in `screens`.
"""
