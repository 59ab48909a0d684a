"""The feeds of the gateway as they are given.

A feed is given as ``--feed NAME=MAPPING`` and ``--secret NAME=env:VARIABLE``, as such pairs in variables, or as a table:

    [gateway.feeds.desk]
    mapping = "zendesk"
    secrets = ["env:ZENDESK_SECRET", "file:/run/secrets/zendesk-old"]
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stream.documents.document import DocumentError
from stream.feeds.mapping import load, shipped
from stream.feeds.signature import OWN_HEADER, SCHEMES, secret_problem
from stream.gateway.feed import EVENTS, Feed
from stream.runtime import setting_values as read
from stream.runtime.secret_values import SecretError, checked, secret
from stream.runtime.settings import SettingsError
from stream.runtime.table_settings import table_of, variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stream.feeds.mapping import FeedMapping
    from stream.feeds.signature import Scheme
    from stream.runtime.table_settings import Sources

TABLE: Final = "gateway"
FEEDS: Final = "feeds"
"""The table of feeds within the table of the gateway."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_STANDARD: Final = "standard-webhooks"
_TOKEN: Final = "token"  # noqa: S105  the name of a scheme
_KEYS: Final = ("mapping", "secrets", "scheme")
_ERASE: Final = "erase"
_TABLE_KEYS: Final = (*_KEYS, _ERASE)


class FeedDefinition(NamedTuple):
    """A feed as it is given, before it is checked."""

    mapping: str = ""
    secrets: tuple[str, ...] = ()
    scheme: str = ""
    where: str = ""
    erase: bool = False


class FeedOptions(NamedTuple):
    """The feeds that are given as ``NAME=VALUE``, on the command line or in variables."""

    feeds: Iterable[str] = ()
    secrets: Iterable[str] = ()
    schemes: Iterable[str] = ()


_ON_THE_COMMAND_LINE: Final = ("--feed", "--secret", "--scheme")
_VARIABLES: Final = tuple(variable(TABLE, name) for name in FeedOptions._fields)


def definitions_of(sources: Sources, options: FeedOptions, problems: list[str]) -> dict[str, FeedDefinition]:
    """The feeds by name. An option replaces what a variable states of a feed, and a variable what the file states."""
    tables = table_of(sources.file, TABLE, []).get(FEEDS, {})
    found = _from_table(tables, f"{TABLE}.{FEEDS} in {sources.file}", problems)
    variables = FeedOptions(*(read.some_names(sources.environment.get(name, "")) for name in _VARIABLES))
    _add(found, variables, _VARIABLES, problems)
    _add(found, options, _ON_THE_COMMAND_LINE, problems)
    return found


def mapping_of(name: str, sources: Sources) -> FeedMapping | None:
    """The mapping of a feed; ``None`` for our own contract. Its secrets are not read. Raises SettingsError."""
    problems: list[str] = []
    definitions = definitions_of(sources, FeedOptions(), problems)
    if name not in definitions:
        known = f"; there are: {', '.join(definitions)}" if definitions else ""
        problems.append(f"the settings have no feed {name}{known}; for another feed give --mapping")
    if problems:
        raise SettingsError(problems)
    return load_mapping(definitions[name].mapping)


def load_mapping(where: str) -> FeedMapping | None:
    """A mapping by its file or name; ``None`` for our own contract. Raises SettingsError."""
    if where == EVENTS:
        return None
    try:
        return load(where)
    except DocumentError as error:
        raise SettingsError(str(error).splitlines()) from error


def feed_of(name: str, given: FeedDefinition, environment: Mapping[str, str], problems: list[str]) -> Feed | None:
    """The feed; ``None`` if it has problems, which are added."""
    before, where = len(problems), given.where
    if not _NAME.fullmatch(name):
        problems.append(f"{where}: {name!r} is not a name of a feed: use a-z, 0-9, '.', '_' and '-', at most 64 characters")
    mapping = None
    if not given.mapping:
        problems.append(f"{where}: no mapping; use a file, or one of {known_mappings()}")
    else:
        try:
            mapping = load_mapping(given.mapping)
        except SettingsError as error:
            problems += [f"{where}: {problem}" for problem in error.problems]
    secrets = _secrets(given, environment, problems)
    scheme = _scheme(given, mapping, problems)
    if scheme is not None:
        for reference, value in secrets.items():
            if (problem := secret_problem(scheme, value)) is not None:
                problems.append(f"{where}: {reference}: {problem}, for the scheme {scheme.name}")
    if given.erase and mapping is not None:
        problems.append(f"{where}: {_ERASE} is for the mapping {EVENTS}; any other one erases what its rules state")
    if len(problems) > before:
        return None
    return Feed(name, mapping, scheme if secrets else None, tuple(secrets.values()), given.erase)


def known_mappings() -> str:
    """The mappings that a feed can name, for messages."""
    return ", ".join([*shipped(), EVENTS])


def _secrets(given: FeedDefinition, environment: Mapping[str, str], problems: list[str]) -> dict[str, bytes]:
    """The secrets by their references."""
    secrets = {}
    for reference in given.secrets:
        try:
            secrets[reference] = secret(checked(reference), environment)
        except SecretError as error:
            problems.append(f"{given.where}: {error} (the reference is given by --secret, or `secrets` of the feed)")
    return secrets


def _scheme(given: FeedDefinition, mapping: FeedMapping | None, problems: list[str]) -> Scheme | None:
    """The scheme of signatures for a feed that has a secret."""
    if not given.scheme:
        by_default = _STANDARD if given.mapping == EVENTS else _TOKEN
        return (mapping.signature if mapping else None) or SCHEMES[by_default]
    if given.scheme not in SCHEMES or given.scheme in OWN_HEADER:
        known = ", ".join(name for name in SCHEMES if name not in OWN_HEADER)
        problems.append(f"{given.where}: {given.scheme!r} is not a scheme of signatures; use one of {known}")
        return None
    return SCHEMES[given.scheme]


def _from_table(table: object, where: str, problems: list[str]) -> dict[str, FeedDefinition]:
    if not isinstance(table, dict):
        problems.append(f"{where}: must be tables: write [{TABLE}.{FEEDS}.NAME]")
        return {}
    found = {}
    for name, keys in table.items():
        place = where.replace(f"{FEEDS} in", f"{FEEDS}.{name} in")
        if not isinstance(keys, dict):
            problems.append(f"{place}: must be a table with the keys {', '.join(_TABLE_KEYS)}")
            continue
        problems += [
            f"{place}: unknown key {key!r}; known keys: {', '.join(_TABLE_KEYS)}" for key in keys.keys() - set(_TABLE_KEYS)
        ]
        secrets = keys.get("secrets", [])
        secrets = [secrets] if isinstance(secrets, str) else secrets
        texts = [keys.get("mapping", ""), keys.get("scheme", ""), *(secrets if isinstance(secrets, list) else [0])]
        if not all(isinstance(text, str) for text in texts):
            problems.append(f"{place}: mapping and scheme must be texts, and secrets a text or a list of texts")
            continue
        erase = keys.get(_ERASE, False)
        if type(erase) is not bool:
            problems.append(f"{place}: {_ERASE} must be true or false")
            continue
        found[str(name)] = FeedDefinition(keys.get("mapping", ""), tuple(secrets), keys.get("scheme", ""), place, erase)
    return found


def _add(found: dict[str, FeedDefinition], options: FeedOptions, places: tuple[str, ...], problems: list[str]) -> None:
    """Add what is given as pairs; it replaces what is there. ``places`` are the names of the options or variables."""
    given: dict[str, dict[str, Any]] = {}
    for place, key, pairs in zip(places, _KEYS, options, strict=True):
        for pair in pairs:
            name, equals, value = (part.strip() for part in pair.partition("="))
            if not (name and equals and value):
                # A secret that was given as itself must not be shown.
                problems.append(f"{place}: {repr(pair) if key != 'secrets' else 'a secret'} is not NAME=VALUE")
            elif key == "secrets":
                given.setdefault(name, {}).setdefault(key, []).append(value)
            else:
                given.setdefault(name, {})[key] = value
    for name, values in given.items():
        if name not in found and "mapping" not in values:
            problems.append(f"{places[0]}: there is no feed {name}; give it as {name}=MAPPING")
            continue
        if "secrets" in values:
            values["secrets"] = tuple(values["secrets"])
        found[name] = found.get(name, FeedDefinition())._replace(**values, where=f"feed {name}")
