"""The help of a command with an option for every setting of a worker: the options by what they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "Kafka": ("broker", "app_id", "topic_prefix", "partitions", "session_timeout", "commit_interval", "batch"),
    "Encryption and login": ("tls", "ssl_", "sasl_"),
    "Policies and deadlines": ("policies", "clock", "grace", "routine"),
    "Events": ("max_ahead", "history", "late_after", "settling", "feed_lag_limit"),
    "Personal data": ("keep_fields", "retention", "deleted_retention", "rejected_retention"),
    "Pages and log": ("metrics_", "metric_", "page_prefix", "advertise", "allowed_hosts", "token", "ticket_url", "log_format"),
}
"""Heading to the names of the settings below it; a name that ends with _ stands for all that begin with it."""


def heading_of(setting: str) -> str:
    """The heading of a setting; those that no group names are under the last one, ``Other options``."""
    for heading, names in GROUPS.items():
        if any(setting == name or (name.endswith("_") and setting.startswith(name)) for name in names):
            return heading
    return "Other options"


class GroupedOptions(click.Command):
    """A command whose help has its options in groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {heading: [] for heading in (*GROUPS, "Other options")}
        for parameter in self.get_params(ctx):
            if (record := parameter.get_help_record(ctx)) is not None:
                sections[heading_of(parameter.name or "")].append(record)
        for heading, records in sections.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)
