"""The report of a command that meets something that only a newer release can read."""

from __future__ import annotations

import click

from stream.cli.exit_codes import WRONG


class NewerRelease(click.ClickException):
    """Exit status 2: another try does not help."""

    exit_code = WRONG
