"""The settings of ``breachwatch pull``: the table ``[pull]`` of ``breachwatch.toml``, ``BREACHWATCH_PULL_...``, or flags."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from stream.pull.apis import NAMES
from stream.runtime import secret_values
from stream.runtime import setting_values as read
from stream.runtime.settings import SettingsError
from stream.runtime.table_settings import Sources, setting, table_of, values_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TABLE: Final = "pull"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class FeedName(NamedTuple):
    """A feed and its mapping."""

    name: str
    mapping: str
    """A path, or the name of a shipped mapping."""


def _feed(text: str) -> FeedName:
    name, equals, mapping = text.strip().partition("=")
    if not equals or not mapping.strip() or not _NAME.fullmatch(name):
        raise ValueError(f"{text!r} is not a feed: use NAME=MAPPING, such as desk=rt or desk=mappings/desk.yaml")
    return FeedName(name, mapping.strip())


def _url(text: str) -> str:
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"{text!r} is not the address of a helpdesk: use https://desk.example")
    return text.strip().rstrip("/")


def _api(text: str) -> str:
    if text.strip() and text.strip() not in NAMES:
        raise ValueError(f"{text!r} is not an API that breachwatch pulls from: {', '.join(NAMES)}")
    return text.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSettings:
    """The settings of a pull."""

    feed: FeedName = setting(  # noqa: RUF009  it makes a dataclass field
        _feed, None, "The feed, and the mapping that reads it: NAME=MAPPING, where MAPPING is a file or a shipped mapping."
    )
    url: str = setting(_url, None, "The address of the helpdesk, such as https://desk.example.")
    credentials: str = setting(
        secret_values.checked,
        None,
        "The credentials of the login to its API: env:NAME for a variable, or file:PATH for a file.",
    )
    api: str = setting(
        _api, "", f"The API of the helpdesk. Default: that of the mapping's name or source. One of {', '.join(NAMES)}."
    )
    every: int = setting(read.Length("1s", "1h"), "60s", "With --follow: the interval between the beginnings of two passes.")
    """Microseconds."""


def load_settings(flags: Mapping[str, str | None], environment: Mapping[str, str], file: Path | None) -> PullSettings:
    """The settings from all three sources. Raises SettingsError with every problem."""
    problems: list[str] = []
    sources = Sources(flags, environment, file)
    values = values_of(PullSettings, TABLE, sources, table_of(file, TABLE, problems), problems)
    if problems:
        raise SettingsError(problems)
    return PullSettings(**values)


def sent_in_clear(url: str) -> bool:
    """Whether the credentials would cross a network unencrypted."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    return parts.scheme == "http" and not local
