"""``python -m stream`` is the command ``breachwatch``."""

from stream.cli.main import main

main(prog_name="breachwatch")
