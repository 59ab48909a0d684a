"""Reads the settings of a worker from flags, the environment and a file. A flag overrides the environment, which overrides the
file.
"""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stream.runtime.setting_conflicts import conflicts
from stream.runtime.settings import CONFIG_FILE, ENTRIES, FILE, PREFIX, SECRETS, TABLES, Settings, SettingsError, flag, variable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_ALIKE: Final = 0.85
"""The similarity of two names of variables, from 0 to 1, from which on one is taken for a misspelling of the other."""


def load(flags: Mapping[str, str | None], environment: Mapping[str, str], file: Path | None = None) -> Settings:
    """Read the settings from all three sources. A given ``file`` must exist. Raises SettingsError with every problem."""
    problems: list[str] = []
    texts: dict[str, tuple[str, str]] = {}
    in_file = _from_file(file, problems)
    for name, written in (in_file or {}).items():
        texts[name] = (written, f"{name} in {file}")
    for name in SECRETS:
        if (found := secret_in_file(variable(name), environment, problems)) is not None:
            texts[name] = found
    for name in ENTRIES:
        if (value := environment.get(variable(name))) is not None:
            texts[name] = (value, f"{variable(name)} in the environment")
        if (given := flags.get(name)) is not None:
            texts[name] = (given, flag(name))
    values: dict[str, Any] = {}
    for name, (value, where) in texts.items():
        try:
            values[name] = ENTRIES[name].reader(value)
        except ValueError as error:
            problems.append(f"{where}: {error}")
    for name, entry in ENTRIES.items():
        if entry.default is None and name not in texts and in_file is not None:
            problems.append(f"no {name}: set {flag(name)}, {variable(name)}, or {name} in {CONFIG_FILE}. {entry.help}")
    if not problems:
        settings = Settings(**values)
        problems = conflicts({name: getattr(settings, name) for name in ENTRIES})
    if problems:
        raise SettingsError(problems)
    return settings


def from_command(config: Path | None, flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Settings:
    """The settings of a command. ``config`` is the file; with ``None`` it is ``breachwatch.toml`` if that exists.

    Raises SettingsError with every problem.
    """
    return load(flags, environment, usual_file(config))


def read_file(config: Path | None) -> dict[str, str]:
    """The settings in a file, by name, as text; without a file those in ``breachwatch.toml``, if it exists.

    Raises SettingsError with every problem.
    """
    problems: list[str] = []
    texts = _from_file(usual_file(config), problems)
    if problems or texts is None:
        raise SettingsError(problems)
    return texts


def usual_file(config: Path | None) -> Path | None:
    """The settings file: that which was given, or ``breachwatch.toml`` if it exists."""
    return Path(CONFIG_FILE) if config is None and Path(CONFIG_FILE).exists() else config


def secret_in_file(name: str, environment: Mapping[str, str], problems: list[str]) -> tuple[str, str] | None:
    """The secret in the file that the environment names for a variable, and its source; ``None`` if there is none.

    A file that cannot be used is added to ``problems``.
    """
    where = f"{name}{FILE} in the environment"
    try:
        text = secret(name, environment)
    except ValueError as error:
        problems.append(f"{where}: {error}")
        return None
    return None if text is None else (text, where)


def secret(name: str, environment: Mapping[str, str]) -> str | None:
    """The secret in the file that the environment names for a variable; ``None`` if it names none.

    Raises ValueError with the problem.
    """
    if (path := environment.get(name + FILE)) is None:
        return None
    if name in environment:
        raise ValueError(f"{name} is set too: omit one of them")
    try:
        # Editors and `echo` end a file with a line feed, which does not belong to the secret.
        text = Path(path).read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text") from error
    if not text.strip():
        # Somebody wants a secret: without it, pages would be open to everybody.
        raise ValueError(f"{path} is empty")
    return text


def misspelt_variables(environment: Mapping[str, str]) -> list[str]:
    """Warnings about variables that no setting reads although they look like one that does.

    Others that begin as ours do are not mentioned: Kubernetes sets ``BREACHWATCH_SERVICE_HOST`` for a service of that name.
    """
    known = [*map(variable, ENTRIES), *(variable(name) + FILE for name in SECRETS)]
    others = tuple(f"{PREFIX}{table}_".upper() for table in TABLES)
    ours = [name for name in environment if name.startswith(PREFIX) and not name.startswith(others)]
    near = {name: get_close_matches(name, known, 1, _ALIKE) for name in ours}
    return [
        f"the variable {name} has no effect: did you mean {found[0]}?"
        for name, found in near.items()
        if found and name not in known
    ]


def _from_file(file: Path | None, problems: list[str]) -> dict[str, str] | None:
    """The settings in a file, as text; ``None``: it cannot be read, so nobody knows which settings it has."""
    if file is None:
        return {}
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        problems.append(f"{file}: cannot be read: {error.strerror}")
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file}: is not TOML: {error}")
        return None
    texts = {}
    for name, value in table.items():
        if name in TABLES and isinstance(value, dict):
            continue
        if name not in ENTRIES:
            what, known = ("table", TABLES) if isinstance(value, dict) else ("setting", ENTRIES)
            problems.append(f"{name} in {file}: unknown {what}; {meant(name, known)}")
        elif (text := as_text(value)) is None:
            problems.append(f"{name} in {file}: must be a text, a number, true, false, or a list of texts")
        else:
            texts[name] = text
    return texts


def as_text(value: object) -> str | None:
    """A value of a settings file as text; ``None``: it is of no form that a setting may have."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    return None


def meant(name: str, known: Collection[str]) -> str:
    """The setting that an unknown one may be, or all that there are."""
    near = get_close_matches(name, known, 1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
