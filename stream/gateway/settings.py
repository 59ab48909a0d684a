"""The settings of the gateway, and its feeds.

A feed is given as ``--feed NAME=MAPPING`` and ``--secret NAME=env:VARIABLE``, as such pairs in variables, or as a table:

    [gateway.feeds.desk]
    mapping = "zendesk"
    secrets = ["env:ZENDESK_SECRET", "file:/run/secrets/zendesk-old"]
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stream.documents.document import DocumentError
from stream.feeds.mapping import load, shipped
from stream.feeds.signature import OWN_HEADER, SCHEMES, secret_problem
from stream.gateway.feed import EVENTS, Feed
from stream.runtime import setting_values as read
from stream.runtime.secret_values import SecretError, checked, secret
from stream.runtime.settings import SettingsError
from stream.runtime.table_settings import Sources, setting, table_of, values_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TABLE: Final = "gateway"
_FEEDS: Final = "feeds"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_STANDARD: Final = "standard-webhooks"
_TOKEN: Final = "token"  # noqa: S105  the name of a scheme
_KEYS: Final = ("mapping", "secrets", "scheme")


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _address(text: str) -> Address:
    host, colon, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isdecimal() and int(port) < 65_536):
        raise ValueError(f"{text!r} is not an address to listen on: use host:port, such as 127.0.0.1:8080")
    return Address(host, int(port))


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """All settings of the gateway that it does not share with workers."""

    feeds: Mapping[str, Feed] = field(repr=False)
    listen: Address = setting(  # noqa: RUF009  it makes a dataclass field
        _address, "127.0.0.1:8080", "Address for the requests of helpdesks. Port 0 is any free one."
    )
    public_url: str = setting(
        read.page_address,
        "",
        "URL at which helpdesks reach the gateway, without a path, such as https://feeds.example.com. HubSpot signs it.",
    )
    connections: int = setting(
        read.whole(1, 100_000), "512", "The most connections at a time; one more takes the place of one that waits."
    )
    metrics_address: str = setting(read.text, "127.0.0.1", "Address on which the gateway serves its page and /metrics.")
    metrics_port: int = setting(read.whole(0, 65_535), "9310", "Port of the page; 0 selects a free port, which the log shows.")
    allowed_hosts: tuple[str, ...] = setting(
        read.some_names,
        "",
        "Names, separated by commas, under which browsers reach the page, besides IP addresses and localhost; * allows every "
        "name. Only asked where there is no token.",
    )
    token: str = setting(
        read.token, "", "Bearer token or password that the page and /metrics require. Without it they are open to everybody."
    )


class _Definition(NamedTuple):
    """A feed as it is given, before it is checked."""

    mapping: str = ""
    secrets: tuple[str, ...] = ()
    scheme: str = ""
    where: str = ""


class FeedOptions(NamedTuple):
    """The feeds that are given as ``NAME=VALUE``, on the command line or in variables."""

    feeds: Iterable[str] = ()
    secrets: Iterable[str] = ()
    schemes: Iterable[str] = ()


def load_gateway(sources: Sources, options: FeedOptions) -> GatewaySettings:
    """Read the settings from all sources. ``sources.file`` must exist. Raises SettingsError with every problem."""
    problems: list[str] = []
    table = dict(table_of(sources.file, TABLE, problems))
    in_file = table.pop(_FEEDS, {})
    values = values_of(GatewaySettings, TABLE, sources, table, problems)
    definitions = _from_table(in_file, f"{TABLE}.{_FEEDS} in {sources.file}", problems)
    variables = FeedOptions(
        *(_listed(sources.environment.get(f"BREACHWATCH_GATEWAY_{name}")) for name in ("FEEDS", "SECRETS", "SCHEMES"))
    )
    _add(definitions, variables, "BREACHWATCH_GATEWAY_", problems)
    _add(definitions, options, "--", problems)
    if not definitions and not problems:
        problems.append(
            f"no feed: give one as --feed NAME=MAPPING, or as a table [{TABLE}.{_FEEDS}.NAME]; mappings: {_known()}"
        )
    feeds = {}
    for name, definition in definitions.items():
        if (feed := _feed(name, definition, sources.environment, problems)) is not None:
            feeds[name] = feed
    if problems:
        raise SettingsError(problems)
    settings = GatewaySettings(feeds=feeds, **values)
    if problems := _open_to_all(settings):
        raise SettingsError(problems)
    return settings


def _open_to_all(settings: GatewaySettings) -> list[str]:
    """The feeds that everybody in the network could write to."""
    if settings.listen.is_loopback:
        return []
    return [
        f"feed {name} has no secret, and {settings.listen} can be reached from other machines: everybody could send it events. "
        f"Give it a secret (--secret {name}=env:VARIABLE), or listen on 127.0.0.1"
        for name, feed in settings.feeds.items()
        if feed.scheme is None
    ]


def _listed(text: str | None) -> tuple[str, ...]:
    return read.some_names(text) if text else ()


def _from_table(table: object, where: str, problems: list[str]) -> dict[str, _Definition]:
    if not isinstance(table, dict):
        problems.append(f"{where}: must be tables: write [{TABLE}.{_FEEDS}.NAME]")
        return {}
    found = {}
    for name, keys in table.items():
        place = where.replace(f"{_FEEDS} in", f"{_FEEDS}.{name} in")
        if not isinstance(keys, dict):
            problems.append(f"{place}: must be a table with the keys {', '.join(_KEYS)}")
            continue
        problems += [f"{place}: unknown key {key!r}; known keys: {', '.join(_KEYS)}" for key in keys.keys() - set(_KEYS)]
        secrets = keys.get("secrets", [])
        secrets = [secrets] if isinstance(secrets, str) else secrets
        texts = [keys.get("mapping", ""), keys.get("scheme", ""), *(secrets if isinstance(secrets, list) else [0])]
        if not all(isinstance(text, str) for text in texts):
            problems.append(f"{place}: mapping and scheme must be texts, and secrets a text or a list of texts")
            continue
        found[str(name)] = _Definition(keys.get("mapping", ""), tuple(secrets), keys.get("scheme", ""), place)
    return found


def _add(definitions: dict[str, _Definition], options: FeedOptions, prefix: str, problems: list[str]) -> None:
    """Add what is given as pairs; it replaces what is there."""
    kinds = ("feed", "secret", "scheme") if prefix == "--" else ("FEEDS", "SECRETS", "SCHEMES")
    given: dict[str, dict[str, Any]] = {}
    for kind, field_, pairs in zip(kinds, _KEYS_OF_PAIRS, options, strict=True):
        for pair in pairs:
            name, equals, value = (part.strip() for part in pair.partition("="))
            if not (name and equals and value):
                # A secret that was given as itself must not be shown.
                shown = repr(pair) if field_ != "secrets" else "a secret"
                problems.append(f"{prefix}{kind}: {shown} is not NAME=VALUE")
            elif field_ == "secrets":
                given.setdefault(name, {}).setdefault(field_, []).append(value)
            else:
                given.setdefault(name, {})[field_] = value
    for name, values in given.items():
        before = definitions.get(name)
        if before is None and "mapping" not in values:
            problems.append(f"{prefix}{kinds[0]}: there is no feed {name}; give it as {prefix}{kinds[0]} {name}=MAPPING")
            continue
        if "secrets" in values:
            values["secrets"] = tuple(values["secrets"])
        definitions[name] = (before or _Definition())._replace(**values, where=f"feed {name}")


_KEYS_OF_PAIRS: Final = ("mapping", "secrets", "scheme")


def _feed(name: str, given: _Definition, environment: Mapping[str, str], problems: list[str]) -> Feed | None:
    """The feed; ``None`` if it has problems, which are added."""
    before = len(problems)
    where = given.where
    if not _NAME.fullmatch(name):
        problems.append(f"{where}: {name!r} is not a name of a feed: use a-z, 0-9, '.', '_' and '-', at most 64 characters")
    mapping = None
    if not given.mapping:
        problems.append(f"{where}: no mapping; use a file, or one of {_known()}")
    elif given.mapping != EVENTS:
        try:
            mapping = load(given.mapping)
        except DocumentError as error:
            problems += [f"{where}: {line}" for line in str(error).splitlines()]
    secrets = []
    for reference in given.secrets:
        try:
            secrets.append(secret(checked(reference), environment))
        except SecretError as error:
            problems.append(f"{where}: {error}")
    scheme = _STANDARD if given.mapping == EVENTS else None
    if given.scheme and (given.scheme not in SCHEMES or given.scheme in OWN_HEADER):
        known = ", ".join(name for name in SCHEMES if name not in OWN_HEADER)
        problems.append(f"{where}: {given.scheme!r} is not a scheme of signatures; use one of {known}")
    if len(problems) > before:
        return None
    if given.scheme:
        found = SCHEMES[given.scheme]
    elif scheme:
        found = SCHEMES[scheme]
    else:
        found = (mapping.signature if mapping else None) or SCHEMES[_TOKEN]
    for reference, value in zip(given.secrets, secrets, strict=True):
        if (problem := secret_problem(found, value)) is not None:
            problems.append(f"{where}: {reference}: {problem}, for the scheme {found.name}")
    if len(problems) > before:
        return None
    return Feed(name, mapping, found if secrets else None, tuple(secrets))


def _known() -> str:
    return ", ".join([*shipped(), EVENTS])
