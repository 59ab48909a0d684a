"""Warns of calendars and metrics that are defined and likely wrong: those that no policy names, or that close for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream.language.entry import Entry
    from stream.language.scope import Scope
    from stream.sla.calendar.calendar import Calendar


def warn_of_unused(calendars: Mapping[str, Entry], metrics: Mapping[str, Entry], scope: Scope) -> None:
    """Warn of what is defined and never named: more often a misspelt name than a definition for later use."""
    models = {entry.data.get("like") for entry in metrics.values() if isinstance(entry.data, Mapping)}
    for what, entries in (("calendar", calendars), ("metric", metrics)):
        for name, entry in entries.items():
            if name not in scope.used and name not in models:
                entry.document.warning(entry.where, f"the {what} is not used by any policy")


def warn_of_last_dates(entries: Mapping[str, Entry], scope: Scope, calendars: Mapping[str, Calendar]) -> None:
    """Warn of calendars that are open on stated dates only: a clock that starts too late for them gets no deadline."""
    for name, entry in entries.items():
        calendar = calendars[name]
        end = calendar.closes_for_good() if name in scope.used else None
        if end is not None:
            entry.document.warning(
                entry.where,
                f"the calendar is not open after {calendar.zone.local_time(end)}: what is to be due after more business time "
                "than is left by then is never due, warned of or raised; add dates in time",
            )
