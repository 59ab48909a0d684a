"""``python -m stream`` is the command ``breachwatch``."""

from stream.cli import main

main(prog_name="breachwatch")
