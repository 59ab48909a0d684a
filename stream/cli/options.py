"""What several commands read from the command line in one way: policies by name or file, and instants."""

from __future__ import annotations

from pathlib import Path

import click

from stream.language.policies import shipped
from stream.wire.instants import InstantError, parse_instant


def policy_paths(names: tuple[str, ...]) -> list[Path]:
    """Files, and names of shipped policies, as files. Raises click.BadParameter for a name that is neither."""
    paths = []
    for name in names:
        path = Path(name)
        if not path.exists():
            try:
                path = shipped(name)
            except ValueError as error:
                raise click.BadParameter(f"there is no file {name!r}, and {error}") from error
        paths.append(path)
    return paths


def instant(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """For ``callback=``: RFC 3339 to epoch microseconds. Raises click.BadParameter."""
    if text is None:
        return None
    try:
        return parse_instant(text)
    except InstantError as error:
        raise click.BadParameter(str(error)) from error
