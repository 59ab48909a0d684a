"""The settings of the gateway. ``feed_definitions.py`` reads its feeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stream.gateway.feed_definitions import FEEDS, TABLE, definitions_of, feed_of, known_mappings
from stream.runtime import setting_values as read
from stream.runtime.listen_address import Address, address
from stream.runtime.settings import SettingsError
from stream.runtime.table_settings import setting, table_of, values_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.gateway.feed import Feed
    from stream.gateway.feed_definitions import FeedOptions
    from stream.runtime.table_settings import Sources


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """All settings of the gateway that it does not share with workers."""

    feeds: Mapping[str, Feed] = field(repr=False)
    listen: Address = setting(  # noqa: RUF009  it makes a dataclass field
        address("127.0.0.1:8080"), "127.0.0.1:8080", "Address for the requests of helpdesks. Port 0 is any free one."
    )
    public_url: str = setting(
        read.page_address,
        "",
        "URL at which helpdesks reach the gateway, without a path, such as https://feeds.example.com. HubSpot signs it.",
    )
    connections: int = setting(
        read.Whole(1, 100_000), "512", "The most connections at a time; one more takes the place of one that waits."
    )
    metrics_address: str = setting(read.text, "127.0.0.1", "Address on which the gateway serves its page and /metrics.")
    metrics_port: int = setting(read.Whole(0, 65_535), "9310", "Port of the page; 0 selects a free port, which the log shows.")
    allowed_hosts: tuple[str, ...] = setting(
        read.host_names,
        "",
        "Names, separated by commas, under which browsers reach the page, besides IP addresses and localhost; * allows every "
        "name. Only checked where there is no token.",
    )
    token: str = setting(
        read.token,
        "",
        "Bearer token or password that the page and /metrics require. Without it they are open to everybody. Use the variable "
        "or the file: other users of the machine can see flags.",
        secret=True,
    )


def load_gateway(sources: Sources, options: FeedOptions) -> GatewaySettings:
    """Read the settings from all sources. ``sources.file`` must exist. Raises SettingsError with every problem."""
    problems: list[str] = []
    table = {key: value for key, value in table_of(sources.file, TABLE, problems).items() if key != FEEDS}
    values = values_of(GatewaySettings, TABLE, sources, table, problems)
    definitions = definitions_of(sources, options, problems)
    if not definitions and not problems:
        place = f"[{TABLE}.{FEEDS}.NAME]"
        problems.append(f"no feed: give one as --feed NAME=MAPPING, or as a table {place}; mappings: {known_mappings()}")
    feeds = {}
    for name, definition in definitions.items():
        if (feed := feed_of(name, definition, sources.environment, problems)) is not None:
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
