"""Run the command line: ``python -m slabcore``."""

from slabcore.cli import main

main(prog_name="slabcore")
