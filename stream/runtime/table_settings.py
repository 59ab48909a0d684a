"""The settings of a command that has a table of its own in the settings file.

``listen`` of the table ``gateway`` is ``--listen``, ``BREACHWATCH_GATEWAY_LISTEN`` and ``listen`` below ``[gateway]`` in
``breachwatch.toml``. What the command shares with workers, such as ``broker``, stays a setting of ``stream.runtime.settings``.
A flag overrides the environment, and the environment overrides the file.
"""

from __future__ import annotations

import tomllib
from dataclasses import field, fields
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from stream.runtime.settings import CONFIG_FILE, PREFIX, Entry, flag
from stream.runtime.settings_sources import as_text, meant, secret_in_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

T = TypeVar("T")


class Sources(NamedTuple):
    """The source of a setting."""

    flags: Mapping[str, str | None]
    """By the name of the setting; ``None``: not given."""
    environment: Mapping[str, str]
    file: Path | None


def setting(reader: Callable[[str], Any], default: str | None, text: str, *, secret: bool = False) -> Any:
    """A field of a dataclass of settings. ``reader`` raises ValueError; ``default`` ``None`` is required.

    ``secret``: it may be in a file of its own, which ``variable(table, name) + FILE`` names.
    """
    metadata = {"entry": Entry(reader, default, text), "secret": secret}
    if default is None:
        return field(metadata=metadata, repr=not secret)
    return field(default=reader(default), metadata=metadata, repr=not secret)


def entries(kind: type[Any]) -> dict[str, Entry]:
    """The definition of each setting of a dataclass, by name."""
    return {each.name: each.metadata["entry"] for each in fields(kind) if "entry" in each.metadata}


def variable(table: str, name: str) -> str:
    """The environment variable of a setting in a table."""
    return f"{PREFIX}{table}_{name}".upper()


def table_of(file: Path | None, name: str, problems: list[str]) -> dict[str, Any]:
    """A table of the settings file; empty if there is none. What cannot be read is added to ``problems``."""
    if file is None:
        return {}
    try:
        table = tomllib.loads(file.read_text("utf-8")).get(name, {})
    except OSError as error:
        problems.append(f"{file}: cannot be read: {error.strerror}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file}: is not TOML: {error}")
    else:
        if isinstance(table, dict):
            return table
        problems.append(f"{name} in {file}: must be a table: write [{name}]")
    return {}


def values_of(kind: type[Any], table: str, sources: Sources, given: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """The value of each setting that is given somewhere. ``given`` has the keys of the table that are settings.

    Every problem is added to ``problems``, also that a required setting is missing.
    """
    known, texts = entries(kind), {}
    for name, value in given.items():
        where = f"{table}.{name} in {sources.file}"
        if name not in known:
            problems.append(f"{where}: unknown setting; {meant(name, known)}")
        elif (text := as_text(value)) is None:
            problems.append(f"{where}: must be a text, a number, true, false, or a list of texts")
        else:
            texts[name] = (text, where)
    for each in fields(kind):
        if each.metadata.get("secret"):
            found = secret_in_file(variable(table, each.name), sources.environment, problems)
            texts.update({} if found is None else {each.name: found})
    for name in known:
        if (value := sources.environment.get(variable(table, name))) is not None:
            texts[name] = (value, f"{variable(table, name)} in the environment")
        if (text := sources.flags.get(name)) is not None:
            texts[name] = (text, flag(name))
    values = {}
    for name, (text, where) in texts.items():
        try:
            values[name] = known[name].reader(text)
        except ValueError as error:
            problems.append(f"{where}: {error}")
    for name, entry in known.items():
        if entry.default is None and name not in texts:
            place = f"{name} below [{table}] in {CONFIG_FILE}"
            problems.append(f"no {name}: set {flag(name)}, {variable(table, name)}, or {place}. {entry.help}")
    return values
